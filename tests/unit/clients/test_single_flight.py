"""One piece of work, many waiters."""

from __future__ import annotations

import asyncio

import pytest

from shared.clients.single_flight import SingleFlight


class Work:
    """Counts its runs; each ends when it is told to."""

    def __init__(self) -> None:
        self.started = 0
        self.cancelled = 0
        self.gate = asyncio.Event()

    async def run(self) -> int:
        self.started += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.started


async def test_many_waiters_share_one_run_and_the_next_call_starts_another():
    work = Work()
    flight = SingleFlight(work.run)
    waiters = [asyncio.ensure_future(flight.join()) for _ in range(20)]
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(*waiters) == [1] * 20
    assert await flight.join() == 2


async def test_a_cancelled_waiter_leaves_the_others_alone():
    work = Work()
    flight = SingleFlight(work.run)
    first, second = asyncio.ensure_future(flight.join()), asyncio.ensure_future(flight.join())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    work.gate.set()
    assert await second == 1
    assert work.cancelled == 0


async def test_the_last_waiter_to_leave_ends_the_work_and_nobody_can_join_the_remains():
    work = Work()
    flight = SingleFlight(work.run)
    only = asyncio.ensure_future(flight.join())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    work.gate.set()
    assert await flight.join() == 2
    assert work.cancelled == 1


async def test_a_failure_reaches_every_waiter_and_does_not_stick():
    calls = 0

    async def fail_once() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        if calls == 1:
            raise RuntimeError("once")
        return "fine"

    flight = SingleFlight(fail_once)
    results = await asyncio.gather(*(flight.join() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [RuntimeError] * 3
    assert await flight.join() == "fine"
