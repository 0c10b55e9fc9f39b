"""docs/flows/resync.md, "What happens when": every line of the table, played against the real engine."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.change import Lane
from shared.domain.filters import Condition, Operator
from shared.domain.ledger import Claim, LedgerRow, Present
from shared.domain.mapping import FieldRow, FromColumn, Mapping
from shared.domain.resync import PageOrder, Partition, Run, Scope, Slice
from shared.engine.pages import Pages
from shared.engine.resync import Resync
from shared.errors import Park, Reason, Retry, Uncertain
from shared.ports.resyncs import RowPage
from shared.stores.memory_resyncs import MemoryIdLists, MemoryResyncs
from shared.wire import decode_bulk
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known, delivery
from tests.unit.examples import ID, KEY, MAPPING, NOW, contact, profile

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "flows" / "resync.md"
LINE = re.compile(
    r"\| ([^|]+) \| (none|[A-Z, ]+) \| (settled|later|parked|waits) \| `(\w+)` \| (done|comes back|stops) \|"
)
TABLE = [match.groups() for match in map(LINE.fullmatch, DOCUMENT.read_text().splitlines()) if match]
CALLS = {"profile": "GET", "create": "POST", "update": "PATCH"}
MAPPED = replace(MAPPING, field_rows=(*MAPPING.field_rows, FieldRow("origin", FromColumn("lead"), apply_updates=False)))
FIELDS = {"firstName": "Ada", "location.city": "London", "origin": "fair"}


class World(Known):
    """One contact on the one page of a run."""

    def __init__(self) -> None:
        super().__init__(MAPPED)
        self.dynamics.row = contact(lead="fair")
        self.campaign.there = profile(fields=FIELDS)
        self.runs, self.ids = MemoryResyncs(), MemoryIdLists()
        self.scope, self.create_first = Scope("contact"), False
        self.resync = Resync(self.ports, self.runs, self.ids)
        self.on_the_page = self.dynamics.row

    async def page(
        self, mapping: Mapping, more: Collection[str], scope: Scope, part: Slice, size: int, position: str | None
    ) -> RowPage:
        """The `BulkRows` port."""
        return RowPage([self.on_the_page], None)

    def known(self, digest: str | None = None, once: str | None = None) -> None:
        """The ledger knows the contact, as it is unless told otherwise."""
        wanted = MAPPED.desired(self.on_the_page)
        row = LedgerRow(KEY, Present(digest or wanted.digest), once=once or wanted.once, etag="v0")
        self.ledger.rows[KEY] = row

    async def begin(self) -> None:
        """Stored and ordered."""
        run = Run("r1", self.scope, "m1", 1, "somebody", NOW, create_first=self.create_first)
        await self.resync.start(run, [Slice(last=1)], [ID] if self.scope.ids else [])

    async def deliver(self) -> None:
        """The page's message, by its trigger."""
        (order,) = self.in_lane(Lane.BULK)[-1:]
        pages = Pages(self.ports, self.engine, self.runs, self, self.ids)
        await self.engine.bulk(delivery(order.body, Lane.BULK), pages.work)

    @property
    def partition(self) -> Partition:
        return self.runs.kept_partitions["r1", 0]

    def row_and_reason(self, said: str) -> tuple[str, str]:
        """What the partition's row says of the contact; of one that is not settled, what the page met."""
        counts = list(self.partition.counts)
        return (str(counts[0][0]), counts[0][1]) if counts else ("waits", said)

    def page_ended(self) -> str:
        """By what is in the lane beside the first order."""
        again = [one for one in map(decode_bulk, self.bodies()) if isinstance(one, PageOrder) and one.attempt]
        return "comes back" if again else "done" if self.partition.done else "stops"

    def bodies(self) -> list[bytes]:
        return [message.body for message in self.in_lane(Lane.BULK)]


Play = Callable[[World], Awaitable[None]]
PLAYS: dict[str, Play] = {}


def situation(text: str) -> Callable[[Play], Play]:
    """Name a play as the table's first cell has it."""

    def register(play: Play) -> Play:
        PLAYS[text] = play
        return play

    return register


@pytest.mark.parametrize(("text", "calls", "row", "reason", "page"), TABLE, ids=[line[0] for line in TABLE])
async def test_what_happens_when(text: str, calls: str, row: str, reason: str, page: str, lines: Lines) -> None:
    world = World()
    await PLAYS[text](world)
    if not world.runs.kept_runs:
        await world.begin()
    await world.deliver()
    told = ", ".join(CALLS[call] for call in world.campaign.calls) or "none"
    ended = world.row_and_reason(lines("decision")[-1]["reason"])
    assert (told, *ended, world.page_ended()) == (calls, row, reason, page)


def test_every_play_stands_in_the_table() -> None:
    assert [line[0] for line in TABLE] == list(PLAYS)


@situation("In line, as the ledger knows")
async def _(world: World) -> None:
    world.known()


@situation("Changed since")
async def _(world: World) -> None:
    world.known("former")


@situation("Not in the ledger; no profile")
async def _(world: World) -> None:
    world.campaign.there = None


@situation("Not in the ledger; a profile that is alike")
async def _(world: World) -> None:
    pass


@situation("Not in the ledger; a profile that differs")
async def _(world: World) -> None:
    world.campaign.there = profile(fields={**FIELDS, "origin": "other"})


@situation("In a first load: not in the ledger; no profile")
async def _(world: World) -> None:
    world.create_first, world.campaign.there = True, None


@situation("In a first load: not in the ledger; a profile that is alike")
async def _(world: World) -> None:
    world.create_first = True


@situation("In a first load: not in the ledger; a profile that differs")
async def _(world: World) -> None:
    world.create_first = True
    world.campaign.there = profile(fields={**FIELDS, "origin": "other"})


@situation("In a first load: in line, as the ledger knows")
async def _(world: World) -> None:
    world.known()
    world.create_first = True


@situation("In line, but a field with `apply_updates: false` is not as last sent")
async def _(world: World) -> None:
    world.known(once="former")


@situation("The mapping's filters keep it out")
async def _(world: World) -> None:
    world.mapping = replace(MAPPED, filters=Condition("lead", Operator.EQUALS, "shop"))


@situation("An id that Dynamics does not have")
async def _(world: World) -> None:
    world.scope, world.dynamics.row = Scope("contact", ids=1), None


@situation("Deleted while its page was worked on")
async def _(world: World) -> None:
    world.known("former")
    world.dynamics.row = None


@situation("Somebody else is working on it")
async def _(world: World) -> None:
    world.known("former")
    claim = Claim("another", world.clock.now() + timedelta(minutes=1))
    world.ledger.rows[KEY] = replace(world.ledger.rows[KEY], claim=claim)


@situation("Campaign refuses its address")
async def _(world: World) -> None:
    world.known("former")
    world.campaign.failure = Park(Reason.REFUSED_EMAIL)


@situation("A write without an answer")
async def _(world: World) -> None:
    world.known("former")
    world.campaign.failure = Uncertain(Reason.OUTCOME_UNKNOWN)


@situation("Campaign asks for patience")
async def _(world: World) -> None:
    world.known("former")
    world.campaign.failure = Retry(Reason.CAMPAIGN_BUSY)


@situation("Begun by a worker that died")
async def _(world: World) -> None:
    world.known()
    await world.begin()
    world.runs.kept_partitions["r1", 0] = replace(world.partition, at_work=frozenset({ID}))


@situation("The run is paused")
async def _(world: World) -> None:
    world.known("former")
    await world.begin()
    await world.resync.pause("r1")


async def test_a_pages_rows_are_told_apart_from_messages_where_both_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The alarm about messages that nobody worked on holds decisions against completed messages."""
    caplog.set_level(logging.INFO)
    query = (ROOT / "infra" / "queries" / "settled_without_work.kql").read_text()
    (pattern,) = re.findall(r"matches regex @'(.+)'", query)
    world = World()
    world.known("former")
    await world.begin()
    await world.deliver()
    told = [text for record in caplog.records if (text := record.getMessage()).startswith("decision ")]
    assert [bool(re.search(pattern, text)) for text in told] == [True, False], "the row, then its page"


async def test_a_page_that_comes_back_leaves_out_what_is_settled() -> None:
    world = World()
    world.known("former")
    world.campaign.failure = Uncertain(Reason.OUTCOME_UNKNOWN)
    await world.begin()
    await world.deliver()
    assert world.partition.settled == {ID}
    world.clock.pass_(60)
    world.campaign.failure = None
    await world.deliver()
    assert world.campaign.calls == ["update"], "the row goes on as a message of its own"
    assert world.partition.done
    assert sum(world.partition.counts.values()) == 1


async def test_a_row_left_over_goes_on_in_the_bulk_lane_as_a_first_load() -> None:
    own = World()
    own.known("former")
    own.ledger.rows[KEY] = replace(own.ledger.rows[KEY], claim=Claim("another", own.clock.now() + timedelta(seconds=5)))
    await own.begin()
    await own.deliver()
    own.clock.pass_(10)
    (hint,) = [body for body in own.bodies() if b'"hint"' in body]
    await own.engine.bulk(delivery(hint, Lane.BULK), Pages(own.ports, own.engine, own.runs, own, own.ids).work)
    assert own.campaign.calls == ["update"]
    stored, wanted = own.ledger.rows[KEY], MAPPED.desired(own.on_the_page)
    assert (stored.state, stored.once) == (Present(wanted.digest), wanted.once)


async def test_a_row_left_over_by_a_first_load_looks_first() -> None:
    """Its page is over, and nobody watches any more how many are refused."""
    own = World()
    own.create_first = True
    own.campaign.failure = Retry(Reason.LEDGER_RACE)
    await own.begin()
    await own.deliver()
    own.campaign.failure = None
    own.clock.pass_(600)
    (hint,) = [body for body in own.bodies() if b'"hint"' in body]
    await own.engine.bulk(delivery(hint, Lane.BULK), Pages(own.ports, own.engine, own.runs, own, own.ids).work)
    assert own.campaign.calls == ["create", "profile"]


@pytest.mark.parametrize("opted_out", [False, True])
async def test_a_first_load_that_meets_a_profile_has_its_opt_outs_compared_where_they_differ(opted_out: bool) -> None:
    world = World()
    world.create_first = True
    world.campaign.there = profile(fields=FIELDS, blackListEmail=opted_out)
    await world.begin()
    await world.deliver()
    assert len(world.in_lane(Lane.OPTOUT)) == opted_out
