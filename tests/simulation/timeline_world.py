"""E-mail events on their way into the timeline: a journal or log files, the lane, and a Dynamics that keeps rows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from shared.clients.campaign.log_files import LogFileReader
from shared.domain.contact import Contact
from shared.domain.effects import RecordActivity
from shared.domain.event_log import LogForm
from shared.domain.fact import EmailEvent, Fact
from shared.domain.ledger import Timings
from shared.domain.mapping import Mapping as MappingRules
from shared.domain.mapping import Mappings
from shared.domain.optout_file import FilePolicy, RemoteFile
from shared.domain.timeline import OnePer, TaskRule, TimelineRules
from shared.engine.deliver import Engine, Patience
from shared.engine.event_files import EventFiles
from shared.engine.timers import Timers
from shared.errors import Reason, Retry
from shared.ports import EventPage, Ports, Recorded
from shared.stores.files.memory import MemoryFiles
from shared.stores.memory import MemoryWatermarks
from shared.telemetry import Telemetry
from shared.wire import decode_facts
from tests.simulation.broker import Broker, worker
from tests.simulation.faults import Crashed, Plan
from tests.simulation.virtual import EPOCH

CONTACTS = [f"a3c5e7f9-1122-4f11-840a-00000000000{number}" for number in range(3)]
LATECOMER, APPEARS_AFTER_S = CONTACTS[2], 400.0
EVENTS, PAGE, AGAIN = 15, 5, 2
REFUSED = "8"
MOST_AT_ONCE = 4  # more than that Dynamics never answers
LIMIT_PER_RUN, RUN_EVERY_S, RUNS = 6, 60.0, 12
RULES = TimelineRules(
    tasks={
        EmailEvent.CLICK: TaskRule("Call", one_per=OnePer.DELIVERY),
        EmailEvent.BOUNCE: TaskRule("Correct", one_per=OnePer.EVENT),
    }
)
NOT_ASKED = (
    *("campaign", "records", "files", "file_ledger", "read_export", "ledger", "family", "deletions"),
    *("journal", "recollections", "waiting_opt_outs", "changed_profiles"),
)
TASK_OF = {EmailEvent.CLICK: "delivery", EmailEvent.BOUNCE: "event"}


def happened() -> list[Fact]:
    """Every kind, for three contacts, in two deliveries; several clicks share a contact and a delivery."""
    kinds = [EmailEvent.SEND, EmailEvent.CLICK, EmailEvent.CLICK, EmailEvent.BOUNCE, EmailEvent.OPEN]
    return [
        Fact(f"event-{n}", kinds[n % 5], CONTACTS[n % 3], "SPRING", f"DM{n % 2}", EPOCH - timedelta(hours=n))
        for n in range(EVENTS)
    ]


@dataclass
class Stepped:
    """A port; before and after each call named, the process may die."""

    port: Any
    broker: Broker
    names: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.port, name)
        if name not in self.names:
            return method

        async def stepped(*arguments: Any) -> Any:
            await self.broker.step(f"before {name}")
            answer = await method(*arguments)
            await self.broker.step(f"after {name}")
            return answer

        return stepped

    @asynccontextmanager
    async def open(self, file: RemoteFile) -> AsyncIterator[AsyncIterator[bytes]]:
        """The file's bytes in small pieces, so that a reader may die in the middle."""
        async with self.port.open(file) as pieces:
            yield self._pieces(pieces)

    async def _pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            for start in range(0, len(piece), 500):
                await self.broker.step("piece")
                yield piece[start : start + 500]


@dataclass
class Journal:
    """At least once and unordered: a page may begin with events that the last one had, and is shuffled."""

    random: Random
    facts: Sequence[Fact]

    async def page(self, since: str | None) -> EventPage:
        """Positions are numbers of events."""
        start = int(since or 0)
        if start >= len(self.facts):
            return EventPage((), None)
        again = self.random.randint(0, min(AGAIN, start))
        facts = list(self.facts[start - again : start + PAGE])
        self.random.shuffle(facts)
        return EventPage(tuple(facts), str(start + PAGE))


@dataclass
class Dynamics:
    """`created`: the ids of the rows of each event, by its number. A batch may die between any two rows."""

    broker: Broker
    created: dict[str, list[str]] = field(default_factory=dict)
    completed: set[str] = field(default_factory=set)
    tasks: dict[str, list[str]] = field(default_factory=dict)

    async def record_activities(self, orders: Sequence[RecordActivity]) -> list[Recorded]:
        """Raises Retry, with some written, where the orders are too many for one answer."""
        await self.broker.step("before record")
        recorded = [await self._record(order) for order in orders[:MOST_AT_ONCE]]
        if len(orders) > MOST_AT_ONCE:
            raise Retry(Reason.DYNAMICS_UNREACHABLE, "no answer")
        await self.broker.step("after record")
        return recorded

    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        """It answers, which is all that is asked."""
        return {}

    async def _record(self, order: RecordActivity) -> Recorded:
        if order.fact.contact_id == LATECOMER and asyncio.get_running_loop().time() < APPEARS_AFTER_S:
            return Recorded.NO_CONTACT
        if number(order.fact) == REFUSED:
            return Recorded.REFUSED
        if order.activity_id not in self.created.setdefault(number(order.fact), []):
            self.created[number(order.fact)].append(order.activity_id)
        await self.broker.step("created")
        self.completed.add(order.activity_id)
        await self.broker.step("completed")
        if order.task is not None:
            self.tasks.setdefault(order.task.id, []).append(_task_of(order.fact))
        return Recorded.DONE


def number(fact: Fact) -> str:
    """Of the event, whether the journal or a log row names it."""
    return re.sub(r"\D", "", fact.id)


def _task_of(fact: Fact) -> str:
    """What a task is the only one for."""
    delivery = f"{fact.contact_id}/{fact.delivery}"
    return f"{fact.event}/{delivery if TASK_OF[fact.event] == 'delivery' else number(fact)}"


class World:
    """One history. `from_files`: the same events as rows of two logs, else in the journal."""

    def __init__(self, plan: Plan, *, from_files: bool = False) -> None:
        self.broker = Broker(plan, self._work)
        self.dynamics = Dynamics(self.broker)
        self.facts = happened()
        self.folder = MemoryFiles()
        self.watermarks = MemoryWatermarks()
        self.ports = self._ports(Random(5))
        telemetry = Telemetry()
        self.engine = Engine(self.ports, telemetry, Patience(timedelta(days=7), timedelta(days=2)))
        self.from_files = from_files
        write_logs(self.folder, self.facts)

    async def run(self) -> World:
        """Timer after timer, each a process that may die, until nothing is left to do."""
        self.broker.spawn(self._timers())
        await asyncio.sleep(4 * 3600)
        return self

    def violations(self) -> list[str]:
        """What is not as it should be at the end."""
        shown = [fact for fact in self.facts if number(fact) != REFUSED]
        rows = {fact.id: len(self.dynamics.created.get(number(fact), [])) for fact in shown}
        wrong = [f"{count} activities for {event}" for event, count in rows.items() if count != 1]
        made = {row for rows in self.dynamics.created.values() for row in rows}
        wrong += [f"not completed: {row}" for row in made - self.dynamics.completed]
        wrong += self._wrong_tasks([_task_of(fact) for fact in shown if fact.event in TASK_OF])
        letters = {number(fact) for letter in self.broker.parked for fact in decode_facts(letter.body).facts}
        wrong += [] if letters == {REFUSED} else [f"parked: {sorted(letters)}"]
        wrong += [f"never settled: {m.message_id}" for m in self.broker.messages if not m.settled]
        return wrong + [f"dead: {m.message_id}" for m in self.broker.dead] + [repr(e) for e in self.broker.errors]

    def _wrong_tasks(self, wanted: Sequence[str]) -> list[str]:
        found = [task for shared in self.dynamics.tasks.values() for task in set(shared)]
        twice = [f"{found.count(task)} tasks for {task}" for task in set(found) if found.count(task) > 1]
        return twice + [f"no task for {task}" for task in set(wanted) - set(found)]

    async def _work(self, delivery: Any) -> None:
        await self.engine.timeline(delivery)

    async def _timers(self) -> None:
        for run in range(RUNS):
            worker.set(f"timer{run}")
            self.broker.note("timer")
            try:
                await self._timer().event_egress()
            except Crashed:
                self.broker.note("timer died")
            await asyncio.sleep(RUN_EVERY_S)

    def _timer(self) -> Timers:
        """A new process each time: nothing is remembered but what the ports keep."""
        seals: Any = None
        files = None
        if self.from_files:
            folder: Any = Stepped(self.folder, self.broker, ("list",))
            files = EventFiles(self.ports, folder, LogFileReader(LogForm(), frozenset(EmailEvent)), settle_s=1)
        return Timers(self.ports, FilePolicy(), seals, event_limit=LIMIT_PER_RUN, event_files=files)

    def _ports(self, random: Random) -> Ports:
        unused: Any = None
        dynamics: Any = self.dynamics
        journal: Any = Stepped(Journal(random, self.facts), self.broker, ("page",))
        watermarks: Any = Stepped(self.watermarks, self.broker, ("read", "write"))
        return Ports(
            dynamics=dynamics,
            events=journal,
            watermarks=watermarks,
            bus=self.broker,
            clock=self.broker.clock,
            random=random,
            timings=Timings(),
            telemetry=Telemetry(),
            mappings=lambda: Mappings(MappingRules("m", "contact", ())),
            timeline=RULES,
            **dict.fromkeys(NOT_ASKED, unused),
        )


def write_logs(folder: MemoryFiles, facts: Sequence[Fact]) -> None:
    """As rows of both logs, in files that overlap and are in no order."""
    shared = "id;externalId;campaignName;deliveryName;"
    sends = [fact for fact in facts if fact.event in (EmailEvent.SEND, EmailEvent.BOUNCE)]
    clicks = [fact for fact in facts if fact not in sends]
    logs = {
        "broadlog": (f"{shared}eventDate;status;failureType", [_row(fact, *_state(fact)) for fact in sends]),
        "trackinglog": (f"{shared}logDate;url-id;urlSource", [_row(fact, *_state(fact)) for fact in clicks]),
    }
    for name, (header, rows) in logs.items():
        for part, some in enumerate((rows[:5], rows[3:][::-1])):
            folder.put(f"{name}_{part}.csv", "\n".join([header, *some]).encode(), EPOCH)


def _state(fact: Fact) -> tuple[str, str]:
    return {
        EmailEvent.SEND: ("sent", ""),
        EmailEvent.BOUNCE: ("failed", "hard"),
        EmailEvent.OPEN: ("1", ""),
        EmailEvent.CLICK: ("7", "https://example.org/offer"),
    }[fact.event]


def _row(fact: Fact, *state: str) -> str:
    return ";".join((number(fact), fact.contact_id, fact.campaign, fact.delivery, fact.at.isoformat(), *state))
