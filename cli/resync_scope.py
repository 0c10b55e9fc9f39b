"""Which rows a resync is about: from what was typed to what is stored with the run and asked of Dataverse."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.app import App
from shared.clients.dynamics.wire_filter import condition
from shared.domain import filters
from shared.domain.conversion import LOOKUPS, moment
from shared.domain.resync import Scope
from shared.mapping_file import MappingError, filter_text

AGE = re.compile(r"(\d{1,5})([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class ScopeError(ValueError):
    """What was typed is no scope; the text says why."""


@dataclass(frozen=True)
class Asked:
    """What was typed. `ids`: checked; None: not by ids."""

    table: str
    filter: str | None = None
    since: str | None = None
    ids: tuple[str, ...] | None = None


async def scope_of(app: App, asked: Asked) -> Scope:
    """Asks Dataverse for the types of a filter's columns. Raises ScopeError, Outcome."""
    since = None if asked.since is None else moment_of(asked.since, app.ports.clock.now())
    ids = None if asked.ids is None else len(asked.ids)
    if asked.filter is None:
        return Scope(asked.table, since=since, ids=ids)
    tree = _tree(asked.filter)
    described = (await app.inspection.tables.table(asked.table)).columns
    named = filters.columns(tree)
    if strangers := sorted(named - described.keys()):
        raise ScopeError(f"{asked.table} has no column {', '.join(strangers)}")
    types = {name: described[name].type for name in named}
    lookups = frozenset(name for name in named if types[name] in LOOKUPS)
    return Scope(asked.table, asked.filter, condition(tree, types), lookups, since, ids)


def _tree(text: str) -> filters.Filter:
    try:
        return filter_text.read(text)
    except MappingError as error:
        raise ScopeError(str(error)) from None


def moment_of(text: str, now: datetime) -> datetime:
    """A time (UTC where it says nothing else), a date, or an age as in 30m, 12h, 7d. Raises ScopeError."""
    age = AGE.fullmatch(text.strip())
    at = now - timedelta(**{UNITS[age[2]]: int(age[1])}) if age else moment(text)
    if at is None:
        raise ScopeError("a time, as in 2026-01-31T12:00Z, or an age, as in 12h")
    return at.replace(microsecond=0)


def ids_of(lines: Sequence[str]) -> tuple[str, ...]:
    """One id a line, or the first column of a CSV file; a heading may stand above. No id comes twice.

    Raises ScopeError, which names lines and no contents.
    """
    found: dict[str, None] = {}
    wrong: list[int] = []
    for number, cells in enumerate(csv.reader(lines, delimiter=_delimiter(lines)), start=1):
        text = cells[0].strip().lstrip("\ufeff") if cells else ""
        try:
            found |= {str(UUID(text)): None} if text else {}
        except ValueError:
            wrong += [number] if number > 1 else []
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ScopeError(f"no row id on line {', '.join(map(str, wrong[:5]))}{more}: one GUID a line is expected")
    if not found:
        raise ScopeError("it holds no row id")
    return tuple(found)


def _delimiter(lines: Sequence[str]) -> str:
    return ";" if lines and ";" in lines[0] else ","
