"""One message in, one outcome out: the only place that catches an Outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from shared import priority, tracing
from shared.crowd import Crowd
from shared.domain.back_off import back_off_s
from shared.domain.change import Hint, Lane, Source, Why
from shared.domain.fact import FactChunk
from shared.domain.resync import PageOrder
from shared.engine import optouts, timeline
from shared.engine.alignment import Turn
from shared.engine.lanes import send_again, send_parked
from shared.errors import Drop, Halt, Outcome, Park, Reason, Retry, RetryAsVerify
from shared.ports import Ports
from shared.priority import Priority
from shared.telemetry import Telemetry
from shared.wire import Message, UnreadableError, decode_bulk, decode_facts, decode_hint, encode

M = TypeVar("M", Hint, FactChunk, PageOrder)
Work = Callable[[], Awaitable[Reason]]
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 900.0
LONGEST_URGENT_WAIT_S = 120.0  # after an outage opt-outs and deletions are back long before the rest
HALT_S = 60.0
PRIORITIES = {
    Lane.OPTOUT: Priority.FIRST,
    Lane.CONTACT_DELETE: Priority.FIRST,
    Lane.BULK: Priority.LAST,
}
REPAIRED = "repaired"  # a tally: what only the sweep found
URGENT = frozenset(lane for lane, each in PRIORITIES.items() if each is Priority.FIRST)
# A closed system says when it opens, and that is the least to wait: if everybody came back just then, an outage of
# hours would make thousands of messages come together every minute. So each waits a share of its age at least.
AGE_SHARE = 8
BUSY = (Reason.CAMPAIGN_BUSY, Reason.DYNAMICS_BUSY)


@dataclass(frozen=True)
class Delivery:
    """A message as the broker gives it. `delivery_count` is 1 on the first delivery.

    `replayed`: a person sent it again, so its patience starts anew.
    """

    lane: Lane
    body: bytes
    message_id: str
    delivery_count: int
    replayed: bool = False


@dataclass(frozen=True)
class Patience:
    """How long a message may be retried, an event wait for its contact, and a record for its parent."""

    retry: timedelta
    event: timedelta
    parent: timedelta = timedelta(days=1)


class Engine:
    """Settles deliveries. Returning means: complete the message. What it does not catch is our bug.

    `crowd`: the turns under way, its own and those on the rows of a page.
    """

    def __init__(self, ports: Ports, telemetry: Telemetry, patience: Patience, crowd: Crowd | None = None) -> None:
        self.ports = ports
        self.telemetry = telemetry
        self.patience = patience
        self.crowd = crowd or Crowd()
        self._chunks = Crowd(lambda: 0, Reason.DYNAMICS_BUSY)  # of hundreds of facts each
        self._pages = Crowd(lambda: 0)  # of hundreds of rows each
        self._halted: dict[Lane, tuple[datetime, Reason]] = {}

    async def record(self, delivery: Delivery) -> None:
        """A hint of the contact lanes."""
        await self._hint(delivery, lambda hint: Turn(self.ports, hint, delivery.delivery_count).run())

    async def opt_out(self, delivery: Delivery) -> None:
        """A hint of the opt-out lane."""
        await self._hint(delivery, lambda hint: optouts.settle(self.ports, hint))

    async def timeline(self, delivery: Delivery) -> None:
        """A chunk of facts."""
        try:
            chunk = self._started(delivery, decode_facts(delivery.body))
        except UnreadableError as error:
            return await self._park(delivery, Reason.MALFORMED, str(error))
        await self._settle(
            delivery,
            chunk,
            lambda: _among(self._chunks, lambda: timeline.record(self.ports, chunk, self.patience.event)),
        )

    async def bulk(self, delivery: Delivery, work: Callable[[PageOrder], Awaitable[Reason]]) -> None:
        """A page of a resync, or a row of one that its page could not settle."""
        try:
            message = decode_bulk(delivery.body)
        except UnreadableError as error:
            return await self._park(delivery, Reason.MALFORMED, str(error))
        if isinstance(message, Hint):
            return await self.record(delivery)
        order = self._started(delivery, message)
        await self._settle(delivery, order, lambda: _among(self._pages, lambda: work(order)))

    async def row_settled(self, hint: Hint, reason: Reason) -> None:
        """A row of a page, in the bulk lane: told like a message of its own."""
        self._tell(Lane.BULK, hint, reason)

    async def row_ended(self, hint: Hint, outcome: Outcome) -> None:
        """A row of a page that is not settled: from here on it is a message of its own."""
        await self._end(Delivery(Lane.BULK, encode(hint), hint.message_id, 1), hint, outcome)

    async def _hint(self, delivery: Delivery, work: Callable[[Hint], Awaitable[Reason]]) -> None:
        try:
            hint = self._started(delivery, decode_hint(delivery.body))
        except UnreadableError as error:
            return await self._park(delivery, Reason.MALFORMED, str(error))
        await self._settle(delivery, hint, lambda: _among(self.crowd, lambda: work(hint)))

    def _started(self, delivery: Delivery, message: M) -> M:
        return replace(message, first_seen=self.ports.clock.now()) if delivery.replayed else message

    async def _settle(self, delivery: Delivery, message: Message, work: Work) -> None:
        with tracing.worked_on(delivery.lane, message):
            await self._work(delivery, message, work)

    async def _work(self, delivery: Delivery, message: Message, work: Work) -> None:
        try:
            self._heed_halt(delivery.lane)
            await self.ports.refresh_mapping()
            with priority.of(PRIORITIES.get(delivery.lane, Priority.NORMAL)):
                reason = await work()
        except Outcome as outcome:
            return await self._end(delivery, message, outcome)
        self._halted.pop(delivery.lane, None)
        self._tell(delivery.lane, message, reason)
        await self._count_repair(message, reason)

    async def _count_repair(self, message: Message, reason: Reason) -> None:
        """A hint of the sweep that found work is an announcement that was lost. Its count is worth no second try."""
        if isinstance(message, Hint) and message.source is Source.SWEEP and reason is Reason.WRITTEN:
            try:
                await self.ports.tallies.add(REPAIRED, message.record.table, self.ports.clock.now().date())
            except Outcome as outcome:
                self.ports.telemetry.counted("repair_not_counted", reason=outcome.reason.slug)

    async def _end(self, delivery: Delivery, message: Message, outcome: Outcome) -> None:
        match outcome:
            case Drop():
                self._tell(delivery.lane, message, outcome.reason, outcome.detail)
            case Park():
                await self._park(delivery, outcome.reason, outcome.detail, message)
            case Halt():
                self._raise_alarm(delivery.lane, outcome)
                await self._again(delivery, message, outcome, HALT_S * (1 + self.ports.random.random()))
            case Retry():
                await self._again(delivery, message, outcome, self._wait_s(delivery.lane, message, outcome))
            case _:
                raise outcome

    async def _again(self, delivery: Delivery, message: Message, outcome: Outcome, after_s: float) -> None:
        age = self.ports.clock.now() - message.first_seen
        if age > self.patience.parent and outcome.reason is Reason.PARENT_MISSING:
            return await self._park(delivery, outcome.reason, outcome.detail, message)
        if age > self.patience.retry:
            return await self._park(delivery, Reason.GAVE_UP, outcome.reason.slug, message)
        await send_again(self.ports, delivery.lane, _next(message, outcome), after_s)
        self._tell(delivery.lane, message, outcome.reason, outcome.detail, again_in_s=after_s)

    def _wait_s(self, lane: Lane, message: Message, outcome: Outcome) -> float:
        longest_s = LONGEST_URGENT_WAIT_S if lane in URGENT else LONGEST_WAIT_S
        waited_s = (self.ports.clock.now() - message.first_seen).total_seconds()
        spread = self.ports.random.uniform(0.5, 1.5)
        if outcome.after_s is None:
            return spread * back_off_s(FIRST_WAIT_S, longest_s, message.attempt, waited_s)
        if outcome.reason not in BUSY:
            return outcome.after_s
        return max(outcome.after_s, spread * min(longest_s, waited_s / AGE_SHARE))

    async def _park(self, delivery: Delivery, reason: Reason, detail: str, message: Message | None = None) -> None:
        await send_parked(self.ports, delivery.lane, delivery.message_id, delivery.body, reason, detail)
        self._tell(delivery.lane, message, reason, detail, parked=True)

    def _heed_halt(self, lane: Lane) -> None:
        """While a lane is halted its messages wait without a call to anybody."""
        until, reason = self._halted.get(lane, (None, Reason.UNCHANGED))
        if until is not None and self.ports.clock.now() < until:
            raise Retry(reason, after_s=HALT_S * (1 + self.ports.random.random()))

    def _raise_alarm(self, lane: Lane, outcome: Halt) -> None:
        if lane not in self._halted:
            self.telemetry.alarm(lane, outcome.reason, outcome.detail)
        self._halted[lane] = (self.ports.clock.now() + timedelta(seconds=HALT_S), outcome.reason)

    def _tell(
        self,
        lane: Lane,
        message: Message | None,
        reason: Reason,
        detail: str = "",
        *,
        again_in_s: float | None = None,
        parked: bool = False,
    ) -> None:
        lag_s = (self.ports.clock.now() - message.first_seen).total_seconds() if message else None
        self.telemetry.decision(
            lane=lane,
            message=message,
            reason=reason,
            detail=detail,
            lag_s=lag_s,
            again_in_s=again_in_s,
            parked=parked,
            mapping=self.ports.mappings().version,
        )


async def _among(crowd: Crowd, work: Work) -> Reason:
    async with crowd.member():
        return await work()


def _next(message: Message, outcome: Outcome) -> Message:
    """The copy that comes back. After a write of unknown outcome it must trust nothing."""
    if isinstance(message, Hint) and isinstance(outcome, RetryAsVerify):
        source = message.source if message.source is Source.RESYNC else Source.FLOW
        return replace(message, why=Why.VERIFY, source=source, attempt=message.attempt + 1)
    return replace(message, attempt=message.attempt + 1)
