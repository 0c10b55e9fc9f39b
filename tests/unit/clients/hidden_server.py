"""A server whose capacity nobody is told, and callers who want as much of it as they can get; in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from shared.clients.calls import Request, Response
from shared.clients.limiter import Limiter, NoTurnError, PacedSender
from shared.domain.pace import Pace

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
CALL = Request("campaign", "profile", "GET", "https://campaign.example.test/x")


def loop_time() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class HiddenServer:
    """Refuses the call above `at_once` or above `per_second` (a bucket of a second's calls); without these it queues.

    `workers` serve at the same time, for `service_s` on average, spread by half of it. `retry_after_s` goes with a
    refusal; None: no such header.
    """

    random: Random
    at_once: int = 10_000
    per_second: float | None = None
    workers: int = 10_000
    service_s: float = 0.05
    retry_after_s: float | None = 1.0
    answered: int = 0
    refused: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    sent_at: list[float] = field(default_factory=list)
    _bucket: float = 0.0
    _filled_at: float = 0.0
    _free: asyncio.Semaphore | None = None

    async def send(self, request: Request, timeout_s: float) -> Response:
        self.sent_at.append(loop_time())
        if self.in_flight >= self.at_once or not self._in_rate():
            self.refused += 1
            await asyncio.sleep(0.005)
            return Response(429, {} if self.retry_after_s is None else {"retry-after": f"{self.retry_after_s:.0f}"})
        self._free = self._free or asyncio.Semaphore(self.workers)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            async with self._free:
                await asyncio.sleep(self.service_s * self.random.uniform(0.5, 1.5))
        finally:
            self.in_flight -= 1
        self.answered += 1
        return Response(200)

    def _in_rate(self) -> bool:
        if self.per_second is None:
            return True
        self._bucket = min(self.per_second, self._bucket + (loop_time() - self._filled_at) * self.per_second)
        self._filled_at = loop_time()
        if self._bucket < 1:
            return False
        self._bucket -= 1
        return True

    @property
    def failures(self) -> float:
        """The share of calls that were refused."""
        return self.refused / (self.refused + self.answered)


def paced(server: HiddenServer, ceiling: int) -> PacedSender:
    return PacedSender(server, Limiter(Pace(ceiling)), lambda: EPOCH + timedelta(seconds=loop_time()))


async def press(sender: PacedSender, callers: int, until_s: float) -> None:
    """So many callers, each of whom calls again at once; one that is told to wait does."""

    async def caller() -> None:
        while loop_time() < until_s:
            try:
                await sender.send(CALL, 30)
            except NoTurnError as error:
                await asyncio.sleep(error.after_s or 1)

    await asyncio.gather(*(caller() for _ in range(callers)))


async def measured(server: HiddenServer, ceiling: int, *, settle_s: float = 30, seconds: float = 300) -> float:
    """Answers a second after the first `settle_s`."""
    pressing = asyncio.ensure_future(press(paced(server, ceiling), 64, settle_s + seconds))
    await asyncio.sleep(settle_s)
    before = server.answered
    await pressing
    return (server.answered - before) / seconds
