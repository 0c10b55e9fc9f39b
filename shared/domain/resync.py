"""A resync: what was asked, how far each of its partitions is, and the message that orders one of its pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

PAGE_ROWS = 500
PAGE_S = 60.0  # how long a page's rows may take at the rate that was asked for
LEAST_TRIED = 10  # creations; fewer say nothing
SLOWEST = 1 / PAGE_S  # rows a second of one partition; slower, a page of one row would outlast its function


class RunState(StrEnum):
    """A run that is paused or cancelled stops at the end of the pages under way."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


class Ending(StrEnum):
    """What became of a row on its page. `LATER`: it goes on by itself, as a hint in the bulk lane."""

    SETTLED = "settled"
    LATER = "later"
    PARKED = "parked"


@dataclass(frozen=True)
class Scope:
    """Which rows. `filter`: as it was asked, in the mapping's syntax; `condition`: what Dataverse is asked instead.

    The condition may let more rows pass than the filter, never fewer. `lookups`: the filter's columns that refer to
    another row. `since`: changed from then on. `ids`: how many row ids are stored with the run; None: the rows are not
    named one by one.
    """

    table: str
    filter: str | None = None
    condition: str | None = None
    lookups: frozenset[str] = frozenset()
    since: datetime | None = None
    ids: int | None = None


@dataclass(frozen=True)
class Run:
    """`epoch`: how often it was started or resumed; pages of an earlier one are dropped. `by`: who asked.

    `per_second`: at most so many rows are brought into line; None: as many as Campaign takes. `rows`: as counted
    beforehand; None: not known. `create_first`: rows that the ledger has never seen are created without a look.
    """

    id: str
    scope: Scope
    mapping: str
    partitions: int
    by: str
    started_at: datetime
    page_rows: int = PAGE_ROWS
    per_second: float | None = None
    rows: int | None = None
    create_first: bool = False
    state: RunState = RunState.RUNNING
    epoch: int = 1
    ended_at: datetime | None = None
    etag: str | None = None

    @property
    def over(self) -> bool:
        """It cannot be resumed."""
        return self.state in (RunState.CANCELLED, RunState.FINISHED)


@dataclass(frozen=True)
class Slice:
    """Rows created from `start` on and before `end`; None: without that bound. Or the ids from `first` to `last`."""

    start: datetime | None = None
    end: datetime | None = None
    first: int = 0
    last: int = 0


@dataclass(frozen=True)
class Partition:
    """How far one partition is. `page`: the number of the page that comes next; `position`: where it begins.

    `settled`: rows of that page that need no more work. `at_work`: those on which somebody began to work and may have
    died: of these the ledger is not trusted. `counts`: rows by ending and reason. `calls`: engine calls made.
    `looks_first`: so many creations were refused that looks cost less from now on, whatever the run says.
    """

    run: str
    number: int
    slice: Slice
    page: int = 0
    position: str | None = None
    done: bool = False
    settled: frozenset[str] = frozenset()
    at_work: frozenset[str] = frozenset()
    counts: Mapping[tuple[Ending, str], int] = field(default_factory=dict)
    calls: int = 0
    looks_first: bool = False
    moved_at: datetime | None = None
    etag: str | None = None

    def with_tally(self, tally: Tally, now: datetime) -> Partition:
        """The page is not over, but what is settled of it need not be done again."""
        return replace(
            self,
            settled=self.settled | tally.settled,
            at_work=self.at_work - tally.settled,
            counts=Counter(self.counts) + tally.counts,
            calls=self.calls + tally.calls,
            looks_first=self.looks_first or rather_look(tally.tried, tally.refused),
            moved_at=now,
        )

    def at_next_page(self, position: str | None) -> Partition:
        """The page is over. `position` None: it was the last."""
        empty = frozenset[str]()
        return replace(self, page=self.page + 1, position=position, done=position is None, settled=empty, at_work=empty)


@dataclass
class Tally:
    """What one worker settled of a page. `tried`: rows created without a look; `refused`: of these, those there."""

    settled: set[str] = field(default_factory=set)
    counts: Counter[tuple[Ending, str]] = field(default_factory=Counter)
    calls: int = 0
    tried: int = 0
    refused: int = 0

    def add(self, record_id: str, ending: Ending, slug: str) -> None:
        """One more row. `slug`: the reason's."""
        self.settled.add(record_id)
        self.counts[ending, slug] += 1


@dataclass(frozen=True)
class PageOrder:
    """The message: *work on this page*. It holds no row and no position: those are the partition's."""

    run: str
    partition: int
    page: int
    epoch: int
    first_seen: datetime
    attempt: int = 0

    @property
    def id(self) -> str:
        """The same however often it is sent."""
        return f"resync/{self.run}/{self.partition}/{self.epoch}/{self.page}"

    @property
    def message_id(self) -> str:
        """The broker's duplicate key."""
        return f"{self.id}:{self.attempt}" if self.attempt else self.id


@dataclass(frozen=True)
class Totals:
    """All partitions together. `moved_at`: when the last page was finished."""

    rows: int
    counts: Mapping[tuple[Ending, str], int]
    calls: int
    done: int
    moved_at: datetime | None


def totals(partitions: Sequence[Partition]) -> Totals:
    """Of one run."""
    counts = sum((Counter(one.counts) for one in partitions), Counter[tuple[Ending, str]]())
    return Totals(
        rows=counts.total(),
        counts=counts,
        calls=sum(one.calls for one in partitions),
        done=sum(one.done for one in partitions),
        moved_at=max((one.moved_at for one in partitions if one.moved_at), default=None),
    )


def rather_look(tried: int, refused: int) -> bool:
    """Whether a look before each creation costs fewer calls than creations without one.

    A look saves nothing where there is no profile, and costs one call; where there is one, it saves the refused call.
    So it pays as soon as more than half are refused.
    """
    return tried >= LEAST_TRIED and 2 * refused > tried


def most_partitions(wanted: int, per_second: float | None) -> int:
    """As many as wanted, unless the rate is too low for so many."""
    return wanted if per_second is None else max(1, min(wanted, int(per_second / SLOWEST)))


def page_rows(partitions: int, per_second: float | None) -> int:
    """So few that a page does not outlast its function, at the rate of one partition."""
    if per_second is None:
        return PAGE_ROWS
    return max(1, min(PAGE_ROWS, int(PAGE_S * per_second / partitions)))


def by_time(oldest: datetime, newest: datetime, count: int) -> list[Slice]:
    """Slices of equal length by the time of creation; the outer ones have no outer bound."""
    seconds = int((newest - oldest).total_seconds())
    marks = [oldest + timedelta(seconds=seconds * n // count) for n in range(1, count)]
    bounds = [None, *dict.fromkeys(mark for mark in marks if oldest < mark), None]
    return [Slice(bounds[n], bounds[n + 1]) for n in range(len(bounds) - 1)]


def by_number(ids: int, count: int) -> list[Slice]:
    """Slices of a list of ids, of nearly equal length; at least one, which may be empty."""
    marks = sorted({ids * n // count for n in range(count)} | {0})
    return [Slice(first=first, last=last) for first, last in zip(marks, [*marks[1:], ids], strict=True)]
