"""Rows of Dynamics held against the ledger, some at a time: who must be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.change import Hint, RecordKey
from shared.domain.ledger import Absent, LedgerRow, Present
from shared.domain.mapping import Mapping
from shared.engine.reading import read_rows
from shared.flows import sweep
from shared.ports import Ports
from shared.ports.sweep import Digests, TrackedChanges

ASKED_AT_ONCE = 8  # rows that Dynamics is asked for one by one


@dataclass(frozen=True)
class Finding:
    """A record that is out of line. `changed_at`: when its row was last changed, at the latest; None: long ago."""

    hint: Hint
    changed_at: datetime | None = None


async def compare_rows(ports: Ports, mapping: Mapping, ids: Sequence[str], *, following: bool) -> list[Finding]:
    """Of the rows that exist. The ledger is read first: a row may only become newer than what the ledger says of it.

    Raises an Outcome.
    """
    ledger = await ports.ledger.get_many([RecordKey(mapping.table, record_id) for record_id in ids])
    rows = await read_rows(ports, mapping, ids)
    there = [one for one in ledger if one.key.id in rows]
    noted = await _noted(ports, mapping, there)
    found: list[Finding] = []
    for one in there:
        row, now = rows[one.key.id], ports.clock.now()
        hints = sweep.row_hints(mapping, row, one, noted.get(one.key), now, following=following)
        found += [Finding(hint, row.modified_on) for hint in hints]
    return found


async def compare_deleted(ports: Ports, mapping: Mapping, ids: Sequence[str], moment: str) -> list[Finding]:
    """Of rows that change tracking calls deleted; when, it does not say, so it may be just now. Raises an Outcome."""
    ledger = await ports.ledger.get_many([RecordKey(mapping.table, record_id) for record_id in ids])
    now = ports.clock.now()
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
    for start in range(0, len(missing), ASKED_AT_ONCE):
        some = missing[start : start + ASKED_AT_ONCE]
        answers = await asyncio.gather(*(changes.gone(row.key) for row in some))
        gone += [row for row, is_gone in zip(some, answers, strict=True) if is_gone]
    now = ports.clock.now()
    return [Finding(hint) for row in gone for hint in sweep.deletion_hints(mapping, row, moment, now)]


async def _noted(ports: Ports, mapping: Mapping, rows: Sequence[LedgerRow]) -> Digests:
    """Only of interest for records that are in Campaign."""
    if not mapping.opt_outs:
        return {}
    return await ports.opt_out_notes.read_many([row.key for row in rows if isinstance(row.state, Present)])
