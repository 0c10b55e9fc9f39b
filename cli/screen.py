"""Output: data to stdout, as tables for people or JSON for machines; everything else to stderr."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

from rich.box import SIMPLE
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

STYLES = {
    "ok": "green",
    "yes": "green",
    "same": "green",
    "failed": "bold red",
    "missing": "bold red",
    "differs": "yellow",
    "warning": "yellow",
    "skipped": "dim",
    "no": "dim",
    "-": "dim",
}


def show(*things: RenderableType) -> None:
    """For people, on stdout. Text is shown as it is: square brackets are no markup."""
    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
    for thing in things:
        console.print(thing)


def tell(text: str) -> None:
    """A remark, on stderr."""
    _stderr().print(text, style="dim")


def complain(text: str, *, remedy: str | None = None) -> None:
    """An error and what to do about it, on stderr."""
    console = _stderr()
    console.print(Text.assemble(("Error: ", "bold red"), text))
    if remedy:
        console.print(Text.assemble(("What to do: ", "bold"), remedy))


def emit(value: object) -> None:
    """For machines, on stdout: one JSON document. Dataclasses become objects, times ISO 8601."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=plain) + "\n")


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]], *, firm: int = 1) -> Table:
    """Cells are shown as text; None as a dash, a truth value as yes or no. The first `firm` columns do not wrap."""
    grid = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=SIMPLE, pad_edge=False)
    for number, column in enumerate(columns):
        grid.add_column(column, no_wrap=number < firm, overflow="fold")
    for row in rows:
        grid.add_row(*(cell(value) for value in row))
    return grid


def cell(value: object) -> Text:
    """A word that stands for a state has its colour."""
    words = text(value)
    return Text(words, style=STYLES.get(words, ""))


def text(value: object) -> str:
    """As a person reads it; times in UTC to the second."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%SZ}"
        case Enum():
            return str(value.value)
        case _:
            return str(value)


def count(number: int, what: str) -> str:
    """`1 engine call`, `2,000 engine calls`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON may hold
    """What JSON has no word for. Raises TypeError."""
    match value:
        case date():  # a datetime is one, too
            return value.isoformat()
        case Enum():
            return value.value
        case frozenset() | set():
            return sorted(value)
        case Mapping():
            return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _stderr() -> Console:
    return Console(file=sys.stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)
