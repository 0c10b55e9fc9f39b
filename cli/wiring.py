"""Where a command's app comes from: the settings file or the environment, and the composition root."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cli import screen
from cli.workbench import Workbench, workbench
from shared import app as composition
from shared.app import App
from shared.mapping_file import MappingError
from shared.settings import Settings, SettingsError

DEFAULT_FILE = Path("local.settings.json")
Result = TypeVar("Result")

SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        envvar="BRIDGE_SETTINGS",
        help="A file like local.settings.json. Default: ./local.settings.json if it is there, else the environment.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, for machines.")]


@dataclass(frozen=True)
class Wiring:
    """What the commands are wired to; tests hand in their own as the context's object."""

    settings: Callable[[Path | None], Settings]
    build: Callable[[Settings], App]
    environment: Callable[[Path | None], Mapping[str, str]]
    workbench: Callable[[Settings, str | None, str | None], Workbench] = workbench


def values(file: Path | None) -> Mapping[str, str]:
    """The settings file's values; empty if there is no file and the environment counts. Raises SettingsError."""
    if file is None and not DEFAULT_FILE.is_file():
        return {}
    if file is None:
        screen.tell(f"Settings: ./{DEFAULT_FILE}")
    return read_settings_file(file or DEFAULT_FILE)


def read_settings_file(path: Path) -> Mapping[str, str]:
    """`{"IsEncrypted": false, "Values": {"NAME": "text"}}` → the values. Raises SettingsError, which shows none."""
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise SettingsError(f"{path}: not JSON") from None
    found = document.get("Values") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise SettingsError(f'{path}: it must look like {{"IsEncrypted": false, "Values": {{"NAME": "text"}}}}')
    if document.get("IsEncrypted"):
        raise SettingsError(f"{path}: it is encrypted; `func settings decrypt` makes it readable")
    wrong = sorted(str(name) for name, value in found.items() if not isinstance(value, str))
    if wrong:
        raise SettingsError(f"{path}: settings are text, in quotes: {', '.join(wrong)}")
    return found


def build(settings: Settings) -> App:
    """As the composition root does. Raises MappingError and SettingsError, also for what only a client can judge."""
    try:
        return composition.build(settings)
    except (SettingsError, MappingError):
        raise
    except ValueError as error:
        raise SettingsError(f"The settings do not do:\n  {error}") from None


def _settings(file: Path | None) -> Settings:
    return composition.adopt(values(file))


def _environment(file: Path | None) -> Mapping[str, str]:
    return {**composition.environment(), **values(file)}


DEFAULT = Wiring(settings=_settings, build=build, environment=_environment)


def wiring(ctx: typer.Context) -> Wiring:
    """The one handed in, or the default."""
    return ctx.find_object(Wiring) or DEFAULT


def run(ctx: typer.Context, file: Path | None, work: Callable[[App], Awaitable[Result]]) -> Result:
    """Open the app, do the work, close the app. Raises SettingsError, MappingError, and what the work raises."""
    parts = wiring(ctx)
    settings = parts.settings(file)
    return asyncio.run(within(lambda: parts.build(settings), work))


async def within(opened: Callable[[], App], work: Callable[[App], Awaitable[Result]]) -> Result:
    """The app is built inside the event loop that its connections will belong to."""
    app = opened()
    try:
        return await work(app)
    finally:
        await app.close()
