"""Imports an app's function_app.py by name, and can take it out of the process again."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import azure.functions as func

from sandbox.host.errors import ConfigurationRefusedError

_ENTRY = "function_app"


class LoadedApp:
    """The imported app: `directory`, `module` (function_app) and `register` (the one FunctionApp object in it)."""

    def __init__(self, app_dir: Path) -> None:
        """Import `app_dir`/function_app.py with `app_dir` first on sys.path.

        Raises ConfigurationRefusedError when the file or its FunctionApp object is missing, or there are several;
        what the app itself raises on import passes through.
        """
        self.directory = app_dir.resolve()
        if not (self.directory / f"{_ENTRY}.py").is_file():
            raise ConfigurationRefusedError(f"{self.directory} has no {_ENTRY}.py")
        sys.modules.pop(_ENTRY, None)  # every app has a module of this name
        self._packages_before = _top_level_names()
        sys.path.insert(0, str(self.directory))
        importlib.invalidate_caches()
        try:
            self.module = importlib.import_module(_ENTRY)
            self.register = _only_register(self.module)
        except BaseException:
            self.unload()
            raise

    def unload(self) -> None:
        """Forget the app: its path entry, and its packages unless the process had them before."""
        sys.path.remove(str(self.directory))
        brought = {name for name in _top_level_names() - self._packages_before if self._is_ours(sys.modules[name])}
        for name in [name for name in sys.modules if name.split(".")[0] in brought]:
            del sys.modules[name]

    def _is_ours(self, module: ModuleType) -> bool:
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        paths = [Path(place).resolve() for place in places if place]
        # A virtual environment often lies inside the app's folder.
        return any(path.is_relative_to(self.directory) and "site-packages" not in path.parts for path in paths)


def _top_level_names() -> set[str]:
    return {name for name in sys.modules if "." not in name}


def _only_register(module: ModuleType) -> func.FunctionRegister:
    found = {id(value): value for value in vars(module).values() if isinstance(value, func.FunctionRegister)}
    if not found:
        raise ConfigurationRefusedError("Could not find top level function app instances in function_app.py.")
    if len(found) > 1:
        raise ConfigurationRefusedError(
            "More than one FunctionApp or other top level function app instances are defined."
        )
    return next(iter(found.values()))
