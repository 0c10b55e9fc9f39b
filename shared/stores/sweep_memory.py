"""What the sweep keeps, in memory: fakes that pass the same conformance tests as the real ones."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date

from shared.domain.change import RecordKey
from shared.domain.ledger import LedgerRow
from shared.domain.sweep import Position
from shared.ports.sweep import Digests, OptOutNote, Tally
from shared.stores.memory import MemoryLedger


class MemoryPositions:
    """Implements `shared.ports.sweep.Positions`. `stored` may be looked at."""

    def __init__(self) -> None:
        self.stored: dict[str, Position] = {}
        self._versions = itertools.count(1)

    async def read(self, table: str) -> Position:
        """A beginning where nothing is stored."""
        return self.stored.get(table, Position(table))

    async def write(self, position: Position) -> Position | None:
        """As stored, or None if somebody was faster."""
        if (await self.read(position.table)).etag != position.etag:
            return None
        self.stored[position.table] = replace(position, etag=f"v{next(self._versions)}")
        return self.stored[position.table]


class MemoryOptOutNotes:
    """Implements `shared.ports.sweep.OptOutNotes`. `notes` may be looked at."""

    def __init__(self) -> None:
        self.notes: dict[RecordKey, OptOutNote] = {}

    async def read_many(self, records: Collection[RecordKey]) -> Digests:
        """Without the records of which nothing was noted."""
        return {record: self.notes[record].digest for record in records if record in self.notes}

    async def note(self, note: OptOutNote) -> None:
        """Unless one of a later row is there."""
        known = self.notes.get(note.record)
        if known is None or known.modified_on <= note.modified_on:
            self.notes[note.record] = note


class MemoryTallies:
    """Implements `shared.ports.sweep.Tallies`. `counts` may be looked at."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, date]] = Counter()

    async def add(self, what: str, table: str, day: date) -> None:
        """One more."""
        self.counts[what, table, day] += 1

    async def since(self, what: str, day: date) -> Sequence[Tally]:
        """By table and day."""
        return [Tally(*key, count) for key, count in sorted(self.counts.items()) if key[0] == what and key[2] >= day]


class MemoryLedgerPages:
    """Implements `shared.ports.sweep.LedgerPages` over a ledger in memory."""

    def __init__(self, ledger: MemoryLedger, size: int = 500) -> None:
        self._ledger, self._size = ledger, size

    async def page(self, table: str, after: str | None) -> tuple[Sequence[LedgerRow], str | None]:
        """`after`: the last id of the page before."""
        keys = sorted(key for key in self._ledger.rows if key.table == table and key.id > (after or ""))[: self._size]
        return [self._ledger.rows[key] for key in keys], keys[-1].id if len(keys) == self._size else None
