"""Campaign's opt-out export: lines of delimited text → rows. The contract is docs/flows/optout.md."""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator, Sequence

from shared.ports import BadRow, ExportedRow, WrongFileError

DELIMITER = ";"
KEY = "externalId"
ATTRIBUTE = re.compile(r"blackList(All|Email|Fax|Mobile|Phone|PostalMail|Pushnotification)?|ccpaOptOut")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


async def read(lines: AsyncIterator[str]) -> AsyncIterator[ExportedRow | BadRow]:
    """The first line is the header. Raises WrongFileError when it does not name the key and at least one opt-out.

    Rows whose key is no contact id are not ours and are left out.
    """
    header: list[str] | None = None
    number = 0
    async for line in lines:
        number += 1
        if header is None:
            header = _header(line)
        elif line.strip():
            row = _row(number, header, line)
            if row is not None:
                yield row
    if header is None:
        raise WrongFileError("the file is empty, not even a header")


def _header(line: str) -> list[str]:
    names = _split(line) or []
    if len(set(names)) < len(names):
        raise WrongFileError("the header names a column twice")
    if KEY not in names or not any(ATTRIBUTE.fullmatch(name) for name in names):
        raise WrongFileError(f"the header must name {KEY} and at least one opt-out, separated by {DELIMITER!r}")
    return names


def _row(number: int, header: Sequence[str], line: str) -> ExportedRow | BadRow | None:
    cells = _split(line)
    if cells is None or len(cells) != len(header):
        return BadRow(number, f"not {len(header)} cells")
    named = dict(zip(header, cells, strict=True))
    key = named[KEY].strip().lower()
    if not GUID.fullmatch(key):
        return None
    flags = {name: BOOLEANS.get(cell.strip().lower()) for name, cell in named.items() if ATTRIBUTE.fullmatch(name)}
    if wrong := [name for name, value in flags.items() if value is None]:
        return BadRow(number, f"not a boolean: {', '.join(wrong)}")
    return ExportedRow(number, key, {name: value for name, value in flags.items() if value is not None})


def _split(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line], delimiter=DELIMITER, strict=True))
    except (csv.Error, StopIteration):
        return None
