"""Application settings: the local file, the process environment, %NAME% references and connections."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.host.errors import HostFileError

_REFERENCE = re.compile(r"%([^%\s]+)%")


@dataclass(frozen=True)
class Connection:
    """Where a trigger's queue lives: a connection string, or a namespace reached with the ambient Azure identity."""

    connection_string: str | None = None
    namespace: str | None = None
    client_id: str | None = None


def read_settings_file(path: Path) -> dict[str, str]:
    """Read a file shaped like local.settings.json: `{"IsEncrypted": false, "Values": {"NAME": "text"}}`.

    Raises HostFileError when the file is absent, encrypted, or has a value that is not text (Azure has only text).
    """
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HostFileError(f"settings file {path} does not exist") from None
    except json.JSONDecodeError as error:
        raise HostFileError(f"settings file {path} is not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("Values", {}), dict):
        raise HostFileError(f'settings file {path} must look like {{"IsEncrypted": false, "Values": {{…}}}}')
    if document.get("IsEncrypted", False):
        raise HostFileError(f"settings file {path} is encrypted; only IsEncrypted: false is offered")
    values: dict[str, Any] = document.get("Values", {})
    wrong = sorted(name for name, value in values.items() if not isinstance(value, str))
    if wrong:
        raise HostFileError(f"settings must be text, in quotes: {', '.join(wrong)} in {path}")
    return dict(values)


class Resolver:
    """Looks settings up for bindings and remembers every one that is absent, so that all can be named together."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self.missing: list[tuple[str, str]] = []

    def text(self, template: str, used_by: str) -> str:
        """Replace every %NAME%; an absent one becomes empty and is noted in `missing`."""

        def value(match: re.Match[str]) -> str:
            return self._look_up(match[1], used_by)

        return _REFERENCE.sub(value, template)

    def connection(self, name: str, used_by: str) -> Connection:
        """Resolve a binding's `connection`: NAME, or NAME__fullyQualifiedNamespace for identity-based access."""
        namespace = self._settings.get(f"{name}__fullyQualifiedNamespace")
        if namespace:
            # Names the user-assigned identity, where there is one.
            return Connection(namespace=namespace, client_id=self._settings.get(f"{name}__clientId"))
        if not self._settings.get(name):
            self.missing.append((f"{name} or {name}__fullyQualifiedNamespace", used_by))
        return Connection(connection_string=self._settings.get(name))

    def _look_up(self, name: str, used_by: str) -> str:
        if name not in self._settings:
            self.missing.append((name, used_by))
        return self._settings.get(name, "")


class ProcessEnvironment:
    """Puts settings into os.environ, as Azure does before it starts the worker, and takes them out again."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._before: dict[str, str | None] = {}

    def apply(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._settings}
        os.environ.update(self._settings)

    def restore(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before = {}
