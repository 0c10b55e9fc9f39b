"""Ledger, journal, watermarks and lanes in memory: fakes that pass the same conformance tests as the real ones."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.change import Lane, RecordKey
from shared.domain.journal import JournalEntry
from shared.domain.ledger import LedgerRow
from shared.domain.optout_file import FileRecord, RemoteFile
from shared.domain.recollection import Recollection
from shared.errors import Reason, Retry
from shared.ports import BusUnavailableError, Outgoing


class MemoryLedger:
    """Implements `shared.ports.Ledger`. `rows` may be looked at."""

    def __init__(self) -> None:
        self.rows: dict[RecordKey, LedgerRow] = {}
        self._versions = itertools.count(1)

    async def get(self, key: RecordKey) -> LedgerRow:
        """A never-seen row where there is none."""
        return self.rows.get(key, LedgerRow(key))

    async def get_many(self, keys: Sequence[RecordKey]) -> Sequence[LedgerRow]:
        """In the order of the keys."""
        return [self.rows.get(key, LedgerRow(key)) for key in keys]

    async def put(self, row: LedgerRow) -> LedgerRow | None:
        """The stored row, or None if `row.etag` is not the stored one's."""
        present = self.rows.get(row.key)
        if row.etag != (present.etag if present else None):
            return None
        stored = replace(row, etag=f"v{next(self._versions)}")
        self.rows[row.key] = stored
        return stored

    async def due(self, now: datetime) -> AsyncIterator[LedgerRow]:
        """A row changed meanwhile is shown as it is now, or not at all."""
        for key in list(self.rows):
            row = self.rows[key]
            if row.check_at is not None and row.check_at <= now:
                yield row

    async def pending(self) -> AsyncIterator[LedgerRow]:
        """A row changed meanwhile is shown as it is now, or not at all."""
        for key in list(self.rows):
            row = self.rows[key]
            if row.pending is not None:
                yield row


class MemoryFamily:
    """Implements `shared.ports.Family`. `pairs` of child and parent may be looked at."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[RecordKey, RecordKey], None] = {}

    async def join(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        """Again is as good as once."""
        self.pairs |= {(child, parent): None for parent in parents}

    async def leave(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        """The inverse."""
        for parent in parents:
            self.pairs.pop((child, parent), None)

    async def children(self, parent: RecordKey) -> AsyncIterator[RecordKey]:
        """In no order."""
        for child in [child for child, of in self.pairs if of == parent]:
            yield child


class MemoryDeletions:
    """Implements `shared.ports.Deletions`; the hour never ends."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    async def take(self, table: str, per_hour: int) -> bool:
        """Count one more; False: the hour's are used up."""
        if self.taken[table] >= per_hour:
            return False
        self.taken[table] += 1
        return True


class MemoryJournal:
    """Implements `shared.ports.Journal`. `entries` may be looked at; `refusing` makes `append` fail."""

    def __init__(self) -> None:
        self.entries: list[JournalEntry] = []
        self.refusing = False

    async def append(self, entries: Sequence[JournalEntry]) -> None:
        """Raises Retry while `refusing`."""
        if self.refusing:
            raise Retry(Reason.JOURNAL_UNREACHABLE)
        self.entries += entries


class MemoryRecollections:
    """Implements `shared.ports.optouts.Recollections`. `rows` may be looked at."""

    def __init__(self) -> None:
        self.rows: dict[RecordKey, Recollection] = {}
        self._versions = itertools.count(1)

    async def get(self, key: RecordKey) -> Recollection:
        """An empty one where nothing is stored."""
        return self.rows.get(key, Recollection(key))

    async def put(self, past: Recollection) -> Recollection | None:
        """The stored one, or None if `past.etag` is not the stored one's."""
        present = self.rows.get(past.key)
        if past.etag != (present.etag if present else None):
            return None
        stored = replace(past, etag=f"v{next(self._versions)}")
        self.rows[past.key] = stored
        return stored


class MemoryWatermarks:
    """Implements `shared.ports.Watermarks`. `values` may be looked at."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def read(self, name: str) -> str | None:
        """None: never written."""
        return self.values.get(name)

    async def write(self, name: str, value: str) -> None:
        """Overwrites."""
        self.values[name] = value


class MemoryFileLedger:
    """Implements `shared.ports.FileLedger`. `records` may be looked at."""

    def __init__(self) -> None:
        self.records: dict[str, FileRecord] = {}

    async def get(self, file: RemoteFile) -> FileRecord | None:
        """None: never seen."""
        return self.records.get(file.identity)

    async def put(self, record: FileRecord) -> None:
        """Overwrites."""
        self.records[record.file.identity] = record

    async def delete(self, record: FileRecord) -> None:
        """Nothing happens if it is gone."""
        self.records.pop(record.file.identity, None)

    async def all(self) -> Sequence[FileRecord]:
        """The first seen first."""
        return sorted(self.records.values(), key=lambda record: (record.first_seen, record.file.name))


@dataclass(frozen=True)
class Queued:
    """A message in a lane, from `visible_at` on for everyone to take."""

    message: Outgoing
    visible_at: datetime


class MemoryBus:
    """Implements `shared.ports.Bus`, with Service Bus's duplicate detection and enqueue times.

    `now` is the broker's clock. A message whose id was seen in its lane within `duplicate_window` is dropped without a
    word, also while the first one is only scheduled, and also after that was taken. `refusing` makes `send` fail.
    """

    def __init__(self, now: Callable[[], datetime], duplicate_window: timedelta = timedelta(hours=1)) -> None:
        self.refusing = False
        self._now = now
        self._window = duplicate_window
        self._lanes: dict[Lane, list[Queued]] = {lane: [] for lane in Lane}
        self._seen: dict[tuple[Lane, str], datetime] = {}

    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        """Raises BusUnavailableError while `refusing`."""
        if self.refusing:
            raise BusUnavailableError(f"{lane}: the broker does not answer")
        for message in messages:
            self._enqueue(lane, message)

    def contents(self) -> Mapping[Lane, Sequence[Queued]]:
        """Everything that was not taken, in the order of arrival; the scheduled ones, too."""
        return {lane: tuple(queued) for lane, queued in self._lanes.items()}

    def take(self, lane: Lane) -> Outgoing | None:
        """Remove and return the message that became visible first; None if none is visible now."""
        visible = [queued for queued in self._lanes[lane] if queued.visible_at <= self._now()]
        if not visible:
            return None
        first = min(visible, key=lambda queued: queued.visible_at)
        self._lanes[lane].remove(first)
        return first.message

    def next_visible_at(self) -> datetime | None:
        """When the next message can be taken, in any lane; None if there is none at all."""
        return min((queued.visible_at for lane in self._lanes.values() for queued in lane), default=None)

    def _enqueue(self, lane: Lane, message: Outgoing) -> None:
        now = self._now()
        self._forget_old_ids(now)
        if (lane, message.message_id) in self._seen:
            return
        self._seen[lane, message.message_id] = now
        self._lanes[lane].append(Queued(message, max(now, message.enqueue_at or now)))

    def _forget_old_ids(self, now: datetime) -> None:
        while self._seen and now - self._seen[oldest := next(iter(self._seen))] >= self._window:
            del self._seen[oldest]
