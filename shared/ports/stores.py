"""What the bridge keeps: ledger, family, journal, positions; and the folder of the opt-out files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from shared.domain.change import RecordKey
from shared.domain.journal import JournalEntry
from shared.domain.ledger import LedgerRow
from shared.domain.optout_file import ExportBatch, FileRecord, Folder, RemoteFile


class Ledger(Protocol):
    """The sync ledger."""

    async def get(self, key: RecordKey) -> LedgerRow:
        """A never-seen row where there is none."""
        ...

    async def get_many(self, keys: Sequence[RecordKey]) -> Sequence[LedgerRow]:
        """As `get`, in the order of the keys; cheapest for records that stand together in Dataverse's order of ids."""
        ...

    async def put(self, row: LedgerRow) -> LedgerRow | None:
        """Store the row if it is still the one with `row.etag`; the stored row, or None if somebody was faster."""
        ...

    def due(self, now: datetime) -> AsyncIterator[LedgerRow]:
        """Rows whose check is due."""
        ...

    def pending(self) -> AsyncIterator[LedgerRow]:
        """Rows with a privacy request that has not been seen to end."""
        ...


class Family(Protocol):
    """Which records cannot be shown in Campaign without which parents: how a parent finds its children.

    A superset: it may name a child that has another parent by now, never lack one that was sent under its parent.
    """

    async def join(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        """Durable when it returns; again is as good as once."""
        ...

    async def leave(self, child: RecordKey, parents: Collection[RecordKey]) -> None:
        """The inverse."""
        ...

    def children(self, parent: RecordKey) -> AsyncIterator[RecordKey]:
        """In no order."""
        ...


class Deletions(Protocol):
    """How many deletions were ordered in the running hour, by all processes together."""

    async def take(self, table: str, per_hour: int) -> bool:
        """Count one more of that table; False: the hour's are used up."""
        ...


class Journal(Protocol):
    """The opt-out journal, append only."""

    async def append(self, entries: Sequence[JournalEntry]) -> None:
        """Durable, and in this order, when it returns. After a failure they may be there; repeating does no harm."""
        ...


@dataclass(frozen=True)
class SealedDay:
    """A day of the journal that was sealed now: the seal's hash, and what is wrong with the day's chains, in words."""

    day: date
    hash: str
    entries: int
    faults: tuple[str, ...]


class JournalSeals(Protocol):
    """What proves later that no part of the journal was changed, cut or removed."""

    def seal(self, now: datetime) -> AsyncIterator[SealedDay]:
        """Seal every day that is over and has no seal yet."""
        ...


class Watermarks(Protocol):
    """Small positions by name."""

    async def read(self, name: str) -> str | None:
        """None: never written."""
        ...

    async def write(self, name: str, value: str) -> None:
        """Overwrites."""
        ...


class Files(Protocol):
    """The folder into which Campaign exports its opt-outs, with the bridge's own folders below it."""

    async def list(self, folder: Folder = Folder.INBOX) -> Sequence[RemoteFile]:
        """Oldest first; none where the bridge has not made its folder yet."""
        ...

    def open(self, file: RemoteFile) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The file's bytes, piece by piece. It must still be the file that was listed, to its end."""
        ...

    async def move(self, file: RemoteFile, target: Folder, name: str) -> None:
        """Over what is there under that name. Nothing happens if the file is gone: it was moved before."""
        ...

    async def delete(self, file: RemoteFile) -> None:
        """Nothing happens if it is gone."""
        ...


class FileLedger(Protocol):
    """Which files were seen, and how far each one is."""

    async def get(self, file: RemoteFile) -> FileRecord | None:
        """None: never seen."""
        ...

    async def put(self, record: FileRecord) -> None:
        """Overwrites: files have one worker, and what two would do twice does no harm."""
        ...

    async def delete(self, record: FileRecord) -> None:
        """Nothing happens if it is gone."""
        ...

    async def all(self) -> Sequence[FileRecord]:
        """The first seen first."""
        ...


class ReadExport(Protocol):
    """The form of Campaign's export."""

    def __call__(self, pieces: AsyncIterator[bytes], after_line: int = 1) -> AsyncIterator[ExportBatch]:
        """The lines after that one. The iterator raises WrongFileError."""
        ...
