"""Letters as JSON or CSV, written one by one, so that the number of them costs no memory."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any, TextIO

from cli import screen
from cli.deadletters.view import Line, view
from shared.stores.letter import DeadLetter

COLUMNS = (*(field.name for field in dataclasses.fields(Line)), "properties", "body")
# What a spreadsheet would take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def write_json(out: TextIO, items: AsyncIterator[Any]) -> int:
    """One document, an array. Returns how many."""
    count = 0
    out.write("[")
    async for item in items:
        out.write(",\n" if count else "\n")
        out.write(json.dumps(item, ensure_ascii=False, default=screen.plain))
        count += 1
    out.write("\n]\n" if count else "]\n")
    return count


async def write_csv(out: TextIO, letters: AsyncIterator[DeadLetter], *, show_values: bool) -> int:
    """A header and a line a letter; properties and body as JSON in their cells. Returns how many."""
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    count = 0
    async for letter in letters:
        shown = view(letter, show_values=show_values)
        cells = [getattr(shown.line, field.name) for field in dataclasses.fields(Line)]
        writer.writerow([_cell(cell) for cell in (*cells, dict(shown.properties), shown.body)])
        count += 1
    return count


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case dict():
            return json.dumps(value, ensure_ascii=False, default=screen.plain)
        case str():
            return f"'{value}" if value.startswith(FORMULA) else str(value)
        case _:
            return screen.text(value)
