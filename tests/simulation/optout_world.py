"""One contact's opt-out on both sides, people, faults and the real engine: a world without an event loop, for speed.

Every call to a port is a few steps. Between any two of them another worker may go on, a person may act, time may pass,
or the worker may die; who goes next is the caller's choice.
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from random import Random
from typing import Any

from shared.domain.change import Hint, RecordKey, Source, Why
from shared.domain.contact import OLDEST, Contact, Flag, Profile
from shared.domain.ledger import LedgerRow, Timings
from shared.domain.mapping import Mapping as MappingRules
from shared.domain.mapping import Mappings, OptOutPair
from shared.domain.optout import OptOutRules
from shared.domain.recollection import Recollection
from shared.engine import optouts
from shared.errors import Reason, Retry, Uncertain
from shared.ports import Ports
from shared.stores.memory import MemoryJournal, MemoryLedger, MemoryRecollections

KEY = RecordKey("contact", "a3c5e7f9-1122-4f11-840a-6045bd0e1c77")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
BRIDGE, PERSON = "bridge", "person"
COLUMN, ATTRIBUTE = "stop", "blackListEmail"
LOCK_S = 60.0
UNANSWERED_S = 30.0


class Side(Enum):
    """Where a person speaks."""

    DYNAMICS = "dynamics"
    CAMPAIGN = "campaign"


@dataclass(frozen=True)
class Word:
    """What a person said, where and when (seconds since the epoch)."""

    side: Side
    value: bool
    at: float


@dataclass
class Message:
    """A hint in the queue, from `visible_at` on; a worker that dies gives it back."""

    hint: Hint
    visible_at: float


@dataclass
class Worker:
    """A delivery under way. `seen`: what it last read of Campaign, for telling what no protocol can see."""

    work: Coroutine[Any, Any, Reason]
    message: Message
    resumes_at: float
    seen: Flag | None = None


@dataclass(frozen=True)
class Late:
    """A write of Campaign or Dynamics without an answer; `lands_after_s` None: it never lands."""

    lands_after_s: float | None


@types.coroutine
def step(seconds: float) -> Generator[float, None, None]:
    """Somebody else's turn; it goes on after that time."""
    yield seconds


@dataclass
class World:
    """`late` says of the next writes whether they get an answer; None: they do."""

    rules: OptOutRules
    random: Random
    initially: bool = False
    time: float = 100.0
    late: list[Late | None] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    queue: list[Message] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    landing: list[tuple[float, Any]] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)
    writes: list[tuple[Side, bool]] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    acts: int = 0
    faults: int = 0
    repeats: int = 0
    unseen: int = 0
    touches: int = 0
    stamped_at: float = 0.0
    running: Worker | None = None

    def __post_init__(self) -> None:
        self.stop, self.version, self.modified_on, self.modified_by = self.initially, 1, EPOCH, PERSON
        self.flag = Flag(self.initially, OLDEST)
        self.mapping = MappingRules("m", "contact", (), (OptOutPair(COLUMN, ATTRIBUTE),), opt_out_rules=self.rules)
        unused: Any = None
        self.journal = MemoryJournal()
        self.ledger, self.recollections = StepwiseLedger(), StepwiseRecollections()
        self.ports = Ports(
            dynamics=DynamicsSide(self),  # type: ignore[arg-type]
            campaign=CampaignSide(self),  # type: ignore[arg-type]
            events=unused,
            files=unused,
            read_export=unused,
            records=unused,
            family=unused,
            file_ledger=unused,
            ledger=self.ledger,
            deletions=unused,
            journal=self.journal,
            recollections=self.recollections,
            waiting_opt_outs=unused,
            changed_profiles=unused,
            watermarks=unused,
            bus=unused,
            clock=self,  # type: ignore[arg-type]
            random=self.random,
            timings=Timings(),
            telemetry=unused,
            mappings=lambda: Mappings(self.mapping),
        )

    def now(self) -> datetime:
        """The `Clock` port."""
        return EPOCH + timedelta(seconds=self.time)

    def note(self, text: str) -> None:
        """For reading a history that failed."""
        self.trace.append(f"{self.time:8.2f} {text}")

    # -- people --------------------------------------------------------------------------------------------------

    def speak(self, side: Side, value: bool, announced_after_s: Sequence[float]) -> None:
        """A person says so; in Campaign only what is news moves a time. Announced as often as there are delays."""
        self.acts += 1
        if side is Side.CAMPAIGN:
            if self.flag.value == value:
                return None
            self.flag = Flag(value, self.now())
            self.words.append(Word(side, value, self.time))
            self.note(f"person: Campaign {value}")
            return self._hint(announced_after_s)
        word = Word(side, value, float(int(self.time)))
        if announced_after_s or not self._cannot_be_known(value):
            self.words.append(word)
        self.stop = value
        self.note(f"person: Dynamics {value}")
        self._row_changed(PERSON)
        self._hint(announced_after_s, columns=frozenset({COLUMN}), by=PERSON, changed_at=self.modified_on)

    def _cannot_be_known(self, value: bool) -> bool:
        """A lost announcement that the row does not show: nothing but the announcement tells that it was said again."""
        said = [word.value for word in self.words if word.side is Side.DYNAMICS]
        return self.rules.by_attribute_time and value and (value in said or value == self.initially)

    def touch(self) -> None:
        """A person changes something else of the contact; no opt-out hint comes of it."""
        self.acts += 1
        self.touches += 1
        self.note("person: another column")
        self._row_changed(PERSON)

    def stale_file(self) -> None:
        """A row of an old file, or a poll: a hint without a change."""
        self.repeats += 1
        self._hint([0.0])

    def replay(self, hint: Hint) -> None:
        """An old message once more."""
        self.repeats += 1
        self.queue.append(Message(hint, self.time))

    def _row_changed(self, by: str) -> None:
        self.version += 1
        self.modified_on, self.modified_by = self.now().replace(microsecond=0), by

    def _hint(self, delays: Sequence[float], **said: Any) -> None:
        name = f"h{len(self.hints)}"
        hint = Hint(name, KEY, Why.OPTOUT, Source.WEBHOOK if said else Source.FILE, self.now(), **said)
        self.hints.append(hint)
        self.faults += not delays
        self.queue += [Message(hint, self.time + delay) for delay in delays]

    # -- workers -------------------------------------------------------------------------------------------------

    def deliver(self, place: int = 0) -> bool:
        """Begin work on one of the messages that can be taken. False: there is none."""
        ready = [message for message in self.queue if message.visible_at <= self.time]
        if not ready:
            return False
        message = ready[place % len(ready)]
        self.queue.remove(message)
        work = optouts.settle(self.ports, message.hint)
        self.workers.append(Worker(work, message, self.time))
        return True

    def advance(self, place: int = 0, *, crash: bool = False) -> bool:
        """One worker goes one step on, or dies. False: none can."""
        ready = [worker for worker in self.workers if worker.resumes_at <= self.time]
        if not ready:
            return False
        worker = self.running = ready[place % len(ready)]
        if crash:
            self.faults += 1
            self.note(f"{worker.message.hint.id} dies")
            worker.work.close()
            return self._give_back(worker, worker.message.hint, LOCK_S)
        try:
            worker.resumes_at = self.time + worker.work.send(None)
        except StopIteration as done:
            self.note(f"{worker.message.hint.id}: {done.value.slug}")
            self.workers.remove(worker)
        except Retry as outcome:
            self.note(f"{worker.message.hint.id}: {outcome}")
            hint = replace(worker.message.hint, attempt=worker.message.hint.attempt + 1)
            self._give_back(worker, hint, 10.0 if outcome.after_s is None else outcome.after_s)
        return True

    def _give_back(self, worker: Worker, hint: Hint, after_s: float) -> bool:
        self.workers.remove(worker)
        self.queue.append(Message(hint, self.time + after_s))
        return True

    def wait(self, seconds: float) -> None:
        """Time passes; writes that were under way land."""
        end = round(self.time + seconds, 6)
        while due := [late for late in self.landing if late[0] <= end]:
            first = min(due, key=lambda late: late[0])
            self.landing.remove(first)
            self.time = max(self.time, first[0])
            self.note(f"late write lands: {first[1]()}")
        self.time = end

    def rest(self) -> None:
        """Until nothing is under way; then the next daily file, until that has nothing to say, too."""
        for _ in range(20):
            self._drain()
            if self.settled():
                return
            self._hint([0.0])
        raise AssertionError("never at rest:\n" + "\n".join(self.trace[-40:]))

    def settled(self) -> bool:
        """Whether both sides are as the configuration wants them."""
        no_word = not self.flag.value and self.flag.changed_at == OLDEST
        keeps = self.rules.configuration == "disabled" or (
            self.rules.configuration == "campaign_to_dynamics" and no_word
        )
        return keeps or self.stop == self.flag.value

    def _drain(self) -> None:
        for _ in range(4000):
            if not (self.deliver() or self.advance()):
                times = [message.visible_at for message in self.queue] + [worker.resumes_at for worker in self.workers]
                times += [late[0] for late in self.landing]
                if not times:
                    return
                self.wait(max(0.001, min(times) - self.time))
        raise AssertionError("work without end:\n" + "\n".join(self.trace[-40:]))

    def contact(self) -> Contact:
        """The row as Dynamics gives it."""
        return Contact(KEY.id, str(self.version), self.modified_on, {COLUMN: self.stop}, modified_by=self.modified_by)

    def answered(self, apply: Any) -> Any:
        """Whether this write gets its answer; else it lands later, or never."""
        late = self.late.pop() if self.late else None
        if late is None:
            return True
        self.faults += 1
        self.note(f"no answer; lands after {late.lands_after_s}")
        if late.lands_after_s is not None:
            self.landing.append((round(self.time + late.lands_after_s, 6), apply))
        return False


@dataclass
class DynamicsSide:
    """The `Dynamics` port."""

    world: World

    async def own_user(self) -> str:
        return BRIDGE

    async def read(self, record: RecordKey) -> Contact | None:
        await step(0.1)
        found = self.world.contact()
        await step(0.1)
        return found

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        world = self.world
        await step(0.1)

        def apply() -> bool:
            if str(world.version) != version:
                return False
            world.stop = columns[COLUMN]
            world.writes.append((Side.DYNAMICS, world.stop))
            world.note(f"bridge: Dynamics {world.stop}")
            world._row_changed(BRIDGE)
            world._hint([1.0], columns=frozenset({COLUMN}), by=BRIDGE, changed_at=world.modified_on)
            return True

        if not world.answered(apply):
            await step(UNANSWERED_S)
            raise Uncertain(Reason.DYNAMICS_UNREACHABLE)
        done = apply()
        await step(0.1)
        return done


@dataclass
class CampaignSide:
    """The `Campaign` port: no conditional writes."""

    world: World

    async def profile(self, contact_id: str) -> Profile | None:
        await step(0.1)
        flag = self.world.flag
        if self.world.running is not None:
            self.world.running.seen = flag
        await step(0.1)
        return Profile("@1", {}, {ATTRIBUTE: flag})

    async def write_flags(self, handle: str, attributes: Mapping[str, bool]) -> bool:
        world, value, worker = self.world, attributes[ATTRIBUTE], self.world.running
        await step(0.1)

        def apply() -> bool:
            world.writes.append((Side.CAMPAIGN, value))
            if world.flag.value == value:
                world.unseen += worker is not None and world.flag != worker.seen  # a person was faster to say the same
            else:
                self._forgive(worker)
                world.flag, world.stamped_at = Flag(value, world.now()), world.time
                world.note(f"bridge: Campaign {value}")
            return True

        if not world.answered(apply):
            await step(UNANSWERED_S)
            raise Uncertain(Reason.CAMPAIGN_UNREACHABLE)
        done = apply()
        await step(0.1)
        return done

    def _forgive(self, worker: Worker | None) -> None:
        """A person's word in Campaign, spoken after our look, that our write now covers: nobody can see it."""
        world = self.world
        if worker is None or worker.seen is None or world.flag == worker.seen:
            return
        looked_at = (worker.seen.changed_at - EPOCH).total_seconds() if worker.seen.changed_at > OLDEST else 0.0
        covered = [word for word in world.words if word.side is Side.CAMPAIGN and word.at > looked_at]
        world.unseen += len(covered)
        world.words = [word for word in world.words if word not in covered]


class StepwiseLedger(MemoryLedger):
    """The `Ledger` port with steps around it."""

    async def get(self, key: RecordKey) -> LedgerRow:
        await step(0.02)
        return await super().get(key)

    async def put(self, row: LedgerRow) -> LedgerRow | None:
        await step(0.02)
        stored = await super().put(row)
        await step(0.02)
        return stored


class StepwiseRecollections(MemoryRecollections):
    """The `Recollections` port with steps around it."""

    async def get(self, key: RecordKey) -> Recollection:
        await step(0.02)
        return await super().get(key)

    async def put(self, past: Recollection) -> Recollection | None:
        await step(0.02)
        stored = await super().put(past)
        await step(0.02)
        return stored
