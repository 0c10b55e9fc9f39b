"""Calls of one system wait for their turn: bounded in number and rate, the urgent ones first, never past their time."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared import priority
from shared.clients.calls import NotSentError, Request, Response, Sender, UnansweredError
from shared.clients.outcomes import is_busy, retry_after_s
from shared.domain.pace import Pace, Ticket, Verdict
from shared.priority import Priority

logger = logging.getLogger(f"bridge.{__name__}")

# A call that got its turn still has the other half of its time: sent with less, it would only end unanswered.
WAIT_SHARE = 0.5


class NoTurnError(NotSentError):
    """The call's turn did not, or could not, come in time. `after_s`: when the system opens again, if it is closed."""

    def __init__(self, after_s: float | None) -> None:
        super().__init__("no turn in time")
        self.after_s = after_s


@dataclass(eq=False)
class _Waiter:
    """A call that waits. `give_up_at`: the loop's time, in seconds."""

    kind: str
    give_up_at: float
    turn: asyncio.Future[Ticket]


class Limiter:
    """Gives turns in the order of arrival, those of `Priority.FIRST` before all others.

    Belongs to the event loop of the first call. While the system is closed for longer than a call may wait, the call
    fails at once, so that it holds nobody up.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._waiting: dict[Priority, deque[_Waiter]] = {each: deque() for each in Priority}
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, kind: str, give_up_at: float) -> Ticket:
        """The right to send one call now; whoever gets it must `end` it. Raises NoTurnError."""
        now = _time()
        if not any(self._waiting.values()) and self.pace.opens_at(now) == now:
            return self.pace.send(kind, now)
        waiter = _Waiter(kind, give_up_at, asyncio.get_running_loop().create_future())
        self._waiting[priority.current()].append(waiter)
        self._dispatch()
        try:
            async with asyncio.timeout_at(give_up_at):
                return await waiter.turn
        except TimeoutError:
            self._give_back(waiter)
            raise self._too_late() from None
        except asyncio.CancelledError:
            self._give_back(waiter)
            raise

    def end(self, ticket: Ticket, verdict: Verdict, retry_after_s: float | None = None) -> None:
        """The call is over."""
        self.pace.end(ticket, _time(), verdict, retry_after_s)
        self._dispatch()

    def _dispatch(self) -> None:
        """Give every turn that is free, and wake up when the next one will be."""
        while (waiter := self._next_waiter()) is not None:
            now = _time()
            opens_at = self.pace.opens_at(now)
            if opens_at == now:
                waiter.turn.set_result(self.pace.send(waiter.kind, now))
            elif not self._fail_the_hopeless():
                self._wake_at(opens_at)
                return

    def _next_waiter(self) -> _Waiter | None:
        for queue in self._waiting.values():
            while queue and queue[0].turn.done():
                queue.popleft()
            if queue:
                return queue[0]
        return None

    def _fail_the_hopeless(self) -> bool:
        """Whether there were any."""
        closed_until = self.pace.closed_until or 0.0
        everyone = (waiter for queue in self._waiting.values() for waiter in queue if not waiter.turn.done())
        hopeless = [waiter for waiter in everyone if waiter.give_up_at < closed_until]
        for waiter in hopeless:
            waiter.turn.set_exception(self._too_late())
        return bool(hopeless)

    def _wake_at(self, opens_at: float | None) -> None:
        """None: the end of a call will dispatch."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if opens_at is None else asyncio.get_running_loop().call_at(opens_at, self._dispatch)

    def _give_back(self, waiter: _Waiter) -> None:
        """A turn that came in the moment in which its call was given up goes to the next."""
        if waiter.turn.cancelled() or waiter.turn.exception() is not None:
            return
        self.end(waiter.turn.result(), Verdict.NOTHING)

    def _too_late(self) -> NoTurnError:
        closed_until = self.pace.closed_until
        return NoTurnError(None if closed_until is None else max(0.0, closed_until - _time()))


class PacedSender:
    """Implements `Sender`: what `limiter` allows, `http` sends. The wait is part of the call's total time."""

    def __init__(self, http: Sender, limiter: Limiter, now: Callable[[], datetime]) -> None:
        self._http, self._limiter, self._now = http, limiter, now

    async def send(self, request: Request, timeout_s: float) -> Response:
        """Raises NoTurnError (a NotSentError), and what `http` raises."""
        started = _time()
        ticket = await self._limiter.turn(request.kind, started + timeout_s * WAIT_SHARE)
        verdict, pause_s = Verdict.NOTHING, None
        try:
            response = await self._http.send(request, started + timeout_s - _time())
            verdict, pause_s = self._judged(response)
        except UnansweredError:
            verdict = Verdict.UNANSWERED
            raise
        else:
            return response
        finally:
            self._limiter.end(ticket, verdict, pause_s)
            if verdict is Verdict.BUSY:
                self._tell(request.system)

    def _judged(self, response: Response) -> tuple[Verdict, float | None]:
        if not is_busy(response.status):
            return Verdict.ANSWERED, None
        return Verdict.BUSY, retry_after_s(response.headers, self._now())

    def _tell(self, system: str) -> None:
        pace = self._limiter.pace
        logger.info(
            "%s asks for patience: closed for %.1f s, then at most %d calls in flight and %.1f a second",
            system,
            max(0.0, (pace.closed_until or 0.0) - _time()),
            pace.window.value,
            pace.rate.value,
        )


def _time() -> float:
    return asyncio.get_running_loop().time()
