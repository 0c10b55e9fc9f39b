"""What the sweep alone needs of the world."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from typing_extensions import override

from shared.domain.change import RecordKey
from shared.domain.ledger import LedgerRow
from shared.domain.sweep import ChangePage, Position


class PageRefusedError(Exception):
    """Dynamics does not take this page or token any more: it is too old, or of another time."""


class TrackedChanges(Protocol):
    """Dataverse's change tracking."""

    async def page(self, table: str, asked: str | None, size: int) -> ChangePage:
        """`asked`: a page's `next`; None: the whole table, from its first page.

        Raises PageRefusedError, and an Outcome.
        """
        ...

    async def gone(self, record: RecordKey) -> bool:
        """Whether Dynamics says of this very row that it does not exist; a row that may not be seen raises Halt."""
        ...


class LedgerPages(Protocol):
    """The ledger from end to end."""

    async def page(self, table: str, after: str | None) -> tuple[Sequence[LedgerRow], str | None]:
        """Some rows, and what to ask for next; None: these were the last."""
        ...


class Positions(Protocol):
    """How far each table's sweep is."""

    async def read(self, table: str) -> Position:
        """A beginning where nothing is stored."""
        ...

    async def write(self, position: Position) -> Position | None:
        """As stored, or None if it is no longer the one with `position.etag`: somebody was faster."""
        ...


@dataclass(frozen=True)
class OptOutNote:
    """`digest` of the opt-outs that a row had when both sides last agreed; `modified_on`: that row's."""

    record: RecordKey
    digest: str
    modified_on: datetime


Digests = Mapping[RecordKey, str]


class OptOutNotes(Protocol):
    """On which opt-outs both sides last agreed."""

    async def read_many(self, records: Collection[RecordKey]) -> Digests:
        """The digests; without the records of which nothing was noted."""
        ...

    async def note(self, note: OptOutNote) -> None:
        """Unless one of a later row is there."""
        ...


class NoNotes(OptOutNotes):
    """Implements `OptOutNotes` where nobody sweeps."""

    @override
    async def read_many(self, records: Collection[RecordKey]) -> Digests:
        """Nothing was noted."""
        return {}

    @override
    async def note(self, note: OptOutNote) -> None:
        """Nobody will ask."""


@dataclass(frozen=True)
class Tally:
    """How often something happened on one day (UTC). `table`: of Dynamics."""

    what: str
    table: str
    day: date
    count: int


class Tallies(Protocol):
    """Counts by kind, table and day, of all processes together."""

    async def add(self, what: str, table: str, day: date) -> None:
        """One more. May be lost with a crash."""
        ...

    async def since(self, what: str, day: date) -> Sequence[Tally]:
        """That day's and later ones."""
        ...


class NoTallies(Tallies):
    """Implements `Tallies` where nobody counts."""

    @override
    async def add(self, what: str, table: str, day: date) -> None:
        """Nobody will ask."""

    @override
    async def since(self, what: str, day: date) -> Sequence[Tally]:
        """None."""
        return ()


@dataclass(frozen=True)
class FailedJob:
    """An announcement that Dynamics gave up: a system job of one of our steps. `code`: the platform's own."""

    id: str
    table: str
    message: str
    code: str
    completed_at: datetime


class FailedJobs(Protocol):
    """Dataverse's list of system jobs that failed."""

    async def since(self, moment: datetime, most: int) -> Sequence[FailedJob]:
        """Those of the bridge's steps that ended at that moment or later, the oldest first. Raises an Outcome."""
        ...


@dataclass(frozen=True)
class SweepPorts:
    """What the sweep needs beside the usual ports."""

    changes: TrackedChanges
    ledger_pages: LedgerPages
    positions: Positions
    jobs: FailedJobs
