"""Rows of Dynamics held against the ledger, some at a time: who must be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from shared.domain.change import Hint, RecordKey
from shared.domain.ledger import Absent, LedgerRow, Present
from shared.domain.mapping import Mapping
from shared.engine.reading import read_rows
from shared.flows import sweep
from shared.ports import Ports
from shared.ports.sweep import TrackedChanges

AT_ONCE = 50  # reads of the ledger under way at the same time
ASKED_AT_ONCE = 8  # rows that Dynamics is asked for one by one
T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """A record that is out of line. `changed_at`: when its row was last changed, at the latest; None: long ago."""

    hint: Hint
    changed_at: datetime | None = None


async def compare_rows(ports: Ports, mapping: Mapping, ids: Sequence[str], *, following: bool) -> list[Finding]:
    """Of the rows that exist. The ledger is read first: a row may only become newer than what the ledger says of it.

    Raises an Outcome.
    """
    ledger = await ledger_rows(ports, mapping.table, ids)
    rows = await read_rows(ports, mapping, ids)
    found: list[Finding] = []
    for some in slices([one for one in ledger if one.key.id in rows]):
        noted = await asyncio.gather(*(_noted(ports, mapping, one) for one in some))
        for one, digest in zip(some, noted, strict=True):
            row, now = rows[one.key.id], ports.clock.now()
            hints = sweep.row_hints(mapping, row, one, digest, now, following=following)
            found += [Finding(hint, row.modified_on) for hint in hints]
    return found


async def compare_deleted(ports: Ports, mapping: Mapping, ids: Sequence[str], moment: str) -> list[Finding]:
    """Of rows that change tracking calls deleted; when, it does not say, so it may be just now. Raises an Outcome."""
    ledger, now = await ledger_rows(ports, mapping.table, ids), ports.clock.now()
    return [Finding(hint, now) for row in ledger for hint in sweep.deletion_hints(mapping, row, moment, now)]


async def compare_ledger(
    ports: Ports, changes: TrackedChanges, mapping: Mapping, rows: Sequence[LedgerRow], moment: str
) -> list[Finding]:
    """Of records that the ledger knows and Dynamics does not show.

    A list leaves out what its caller may not see, so each is asked for by itself: only "does not exist" counts.
    Raises an Outcome; Halt where a row is there and may not be read.
    """
    known = [row for row in rows if not isinstance(row.state, Absent)]
    there = await read_rows(ports, mapping, [row.key.id for row in known]) if known else {}
    missing = [row for row in known if row.key.id not in there]
    gone: list[LedgerRow] = []
    for some in slices(missing, ASKED_AT_ONCE):
        answers = await asyncio.gather(*(changes.gone(row.key) for row in some))
        gone += [row for row, is_gone in zip(some, answers, strict=True) if is_gone]
    now = ports.clock.now()
    return [Finding(hint) for row in gone for hint in sweep.deletion_hints(mapping, row, moment, now)]


async def ledger_rows(ports: Ports, table: str, ids: Sequence[str]) -> list[LedgerRow]:
    """In the order of the ids. Raises an Outcome."""
    found: list[LedgerRow] = []
    for some in slices(ids):
        found += await asyncio.gather(*(ports.ledger.get(RecordKey(table, record_id)) for record_id in some))
    return found


async def _noted(ports: Ports, mapping: Mapping, row: LedgerRow) -> str | None:
    """Only of interest for a record that is in Campaign."""
    if not mapping.opt_outs or not isinstance(row.state, Present):
        return None
    return await ports.opt_out_notes.read(row.key)


def slices(items: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """Of as many as are under way at the same time."""
    return (items[start : start + size] for start in range(0, len(items), size))
