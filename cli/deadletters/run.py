"""A replay or a discard under way: in stages, at a pace, with an account of every letter."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cli.deadletters.canary import Watch
from cli.deadletters.listing import Group, grouped
from cli.deadletters.plan import Plan, Verb, plan
from cli.deadletters.posting import Posting
from cli.deadletters.view import Line
from cli.failures import said
from shared.app import App
from shared.errors import Retry
from shared.ports import BusUnavailableError, Clock
from shared.stores.letter import DeadLetter, times_replayed
from shared.stores.service_bus import MessageTooLargeError
from shared.stores.withdrawal import PAGE, Take

CANARIES = (1, 10)
LOOK_EVERY_S = 2.0
# Longer than a lock: what a run that was killed had locked is handed out again before this is over.
PATIENCE_S = 75.0
PAUSE_S = 5.0
# With canaries, failures stop the rest of the run, too; they are looked for after every so many letters.
LOOK_EVERY = 1000


@dataclass(frozen=True)
class Orders:
    """How to go about it. `rate`: letters a second; `canary_s`: how long a canary may take to be settled."""

    run: str
    rate: float | None = None
    canary: bool = False
    canary_s: float = 120.0


@dataclass(frozen=True)
class Report:
    """What became of the chosen letters. `lanes`: how many by lane were set out to be done.

    `done`: replayed or discarded. `gone`: somebody else took them meanwhile. `left`: still there, locked by another
    tool, or not reached. `refused`: they name no lane. `new_failures`: what came since the start, of this run or not.
    `stopped`: why the run ended early; `failure`: what broke.
    """

    verb: Verb
    run: str
    chosen: int
    lanes: dict[str, int]
    done: int
    gone: int
    left: int
    refused: int
    refused_examples: tuple[Line, ...]
    new_failures: tuple[Group, ...]
    stopped: str | None
    failure: str | None
    seconds: float

    @property
    def complete(self) -> bool:
        """Nothing is left for the operator to look at."""
        return not (self.left or self.refused or self.stopped or self.failure or self.new_failures)


class _StopError(Exception):
    """The run ends early; the text says why."""


@dataclass
class Run:
    """`advance` hears how many more are through, `tell` what is being waited for."""

    app: App
    plan: Plan
    orders: Orders
    posting: Posting
    advance: Callable[[int], None]
    tell: Callable[[str], None]
    done: int = field(default=0, init=False)
    started_at: datetime = field(init=False)
    moved_at: datetime = field(init=False)

    async def carry_out(self) -> Report:
        """A failing broker or storage ends it; what was done by then is in the report, and the same command goes on."""
        self.started_at = self.moved_at = self._clock.now()
        stopped = failure = None
        left, failures = self.plan.count, tuple[Group, ...]()
        try:
            try:
                await self._stages()
            except _StopError as stop:
                stopped = str(stop)
            left = await self._left()
            failures = await grouped(self._watch.failures()) if self.plan.verb == "replay" else ()
        except (BusUnavailableError, MessageTooLargeError, Retry) as error:
            failure, left = said(error), self.plan.count - self.done
        return self._report(left, failures, stopped, failure)

    @property
    def _clock(self) -> Clock:
        return self.app.ports.clock

    @property
    def _watch(self) -> Watch:
        return Watch(self.app.dead_letters, self.plan.horizon)

    async def _stages(self) -> None:
        for most in CANARIES if self.orders.canary else ():
            self.posting.sent.clear()
            await self._pass(most)
            if self.posting.sent:
                await self._await_canaries()
        await self._pass(None)
        while await self._left() and self._waited_s() < PATIENCE_S:
            self.tell("Some are locked by another tool, or by a run that was killed; waiting for their locks to end.")
            await self._clock.sleep(PAUSE_S)
            await self._pass(None)

    async def _pass(self, most: int | None) -> None:
        """Once through every box that had letters."""
        left = most
        for box in sorted(self.plan.chosen):
            if left == 0:
                return
            take = self.plan.take(box, most=left, page=self._page_size())
            async with aclosing(self._pages(take)) as pages:
                async for page in pages:
                    left = None if left is None else left - len(page)
                    await self._moved(len(page), stop_on_failures=most is None and self.orders.canary)

    def _pages(self, take: Take) -> AsyncGenerator[Sequence[DeadLetter], None]:
        if self.plan.verb == "discard":
            return self.app.dead_letters.discard(take)
        return self.app.dead_letters.replay(take, self.posting.copy)

    async def _moved(self, count: int, *, stop_on_failures: bool) -> None:
        before, self.done = self.done, self.done + count
        self.advance(count)
        if not count:
            return
        self.moved_at = self._clock.now()
        if stop_on_failures and before // LOOK_EVERY < self.done // LOOK_EVERY:
            await self._stop_on_failures()
        if self.orders.rate:
            due_s = self.done / self.orders.rate - (self._clock.now() - self.started_at).total_seconds()
            await self._clock.sleep(max(0.0, due_s))

    def _page_size(self) -> int:
        """With a rate no page takes longer than a second."""
        return PAGE if self.orders.rate is None else max(1, min(PAGE, int(self.orders.rate)))

    def _waited_s(self) -> float:
        return (self._clock.now() - self.moved_at).total_seconds()

    async def _left(self) -> int:
        """Looks again only if not all are accounted for."""
        if self.done >= self.plan.count:
            return 0
        again = await plan(self.app.dead_letters, self.plan.verb, self.plan.choice, self.plan.horizon)
        self.plan.deferred = again.deferred  # somebody else's way through the box may have put some aside
        return again.count

    async def _await_canaries(self) -> None:
        self.tell(f"{self.done} sent; waiting until their lanes have settled them.")
        until = self._clock.now() + timedelta(seconds=self.orders.canary_s)
        while True:
            fate = await self._watch.fate(self.posting.sent)
            if fate.failed:
                raise _StopError(f"a canary failed again: {_named(fate.failed)}")
            if not fate.waiting:
                return
            if self._clock.now() >= until:
                words = f"{fate.waiting} canaries are not settled after {self.orders.canary_s:g} s"
                raise _StopError(f"{words}: is the function app running, or are they being retried?")
            await self._clock.sleep(LOOK_EVERY_S)

    async def _stop_on_failures(self) -> None:
        async with aclosing(self._watch.failures()) as failures:
            async for letter in failures:
                if times_replayed(letter.message_id):
                    raise _StopError(f"a replayed message failed again: {letter.reason} ({letter.box})")

    def _report(self, left: int, failures: tuple[Group, ...], stopped: str | None, failure: str | None) -> Report:
        return Report(
            verb=self.plan.verb,
            run=self.orders.run,
            chosen=self.plan.count + self.plan.refused,
            lanes=dict(sorted(self.plan.lanes.items())),
            done=self.done,
            gone=max(0, self.plan.count - self.done - left),
            left=left,
            refused=self.plan.refused,
            refused_examples=tuple(self.plan.refused_examples),
            new_failures=failures,
            stopped=stopped,
            failure=failure,
            seconds=(self._clock.now() - self.started_at).total_seconds(),
        )


def _named(lines: Sequence[Line]) -> str:
    return ", ".join(f"{one.queue}/{one.place} {one.number} {one.reason}" for one in lines)
