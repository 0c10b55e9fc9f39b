"""`bridge config`: every setting, and whether it is set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import typer
from rich.table import Table

from cli import screen
from cli.failures import USAGE
from cli.setting_list import Setting, listed
from cli.wiring import AsJson, SettingsFile, wiring


def config(ctx: typer.Context, settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """Every setting: what it is, its default, whether it is needed and whether it is set. Values are never shown.

    Example: [bold]bridge config --settings local.settings.json[/bold]

    Exits with 2 while a needed one is missing. Whether the values are good is what [bold]bridge doctor[/bold] checks.
    """
    found = listed(wiring(ctx).environment(settings))
    missing = [setting for setting in found if setting.missing]
    if as_json:
        screen.emit(found)
    else:
        screen.show(_table(found))
    if missing:
        screen.complain(f"missing: {', '.join(_names(missing))}")
        raise typer.Exit(USAGE)


def _names(missing: Iterable[Setting]) -> list[str]:
    """Of a group, one line."""
    return list(dict.fromkeys(" or ".join(sorted((one.name, *one.instead))) for one in missing))


def _table(found: Iterable[Setting]) -> Table:
    return screen.table("Settings", ("Setting", "Set", "What it is"), _rows(found))


def _rows(found: Iterable[Setting]) -> Iterator[tuple[object, ...]]:
    for setting in found:
        state = "missing" if setting.missing else "yes" if setting.is_set else "no"
        default = f" Default: {setting.default}" if setting.default else ""
        instead = f" Or: {', '.join(setting.instead)}" if setting.instead else ""
        yield setting.name, state, setting.description + default + instead
