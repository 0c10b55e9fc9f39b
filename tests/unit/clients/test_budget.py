"""The day's engine calls: counted in blocks, refused when spent, urgent ones never."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from shared import priority
from shared.clients.budget import SPREAD_S, BudgetedSender, CallBudget
from shared.clients.calls import NotSentError, Request, Response
from shared.errors import Reason, Retry
from shared.priority import Priority

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALL = Request("campaign", "profile", "GET", "https://campaign.example.test/x")


class MemoryCounter:
    """Implements `CallCounter`; `away` makes it fail."""

    def __init__(self) -> None:
        self.days: dict[date, int] = {}
        self.asked = 0
        self.away = False

    async def reserve(self, day: date, calls: int, budget: int | None) -> int:
        await asyncio.sleep(0)
        self._answer()
        counted = self.days.get(day, 0)
        granted = calls if budget is None else max(0, min(calls, budget - counted))
        self.days[day] = counted + granted
        return granted

    async def give_back(self, day: date, calls: int) -> None:
        self._answer()
        self.days[day] -= calls

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise Retry(Reason.LEDGER_UNREACHABLE)


class Clock:
    def __init__(self) -> None:
        self.moment = NOON

    def now(self) -> datetime:
        return self.moment


class FixedSender:
    """Answers, or fails in that way."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def send(self, request: Request, timeout_s: float) -> Response:
        if self._error is not None:
            raise self._error
        return Response(200)


@pytest.fixture
def counter() -> MemoryCounter:
    return MemoryCounter()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def budget_of(counter: MemoryCounter, clock: Clock, per_day: int = 250) -> CallBudget:
    return CallBudget(counter, per_day, clock.now, Random(1))


async def spend(budget: CallBudget) -> int:
    """Call until refused; the calls made."""
    for made in range(10_000):
        try:
            await budget.charge()
        except Retry:
            return made
    raise AssertionError("never refused")


async def test_calls_are_counted_in_blocks(counter, clock):
    budget = budget_of(counter, clock)
    for _ in range(150):
        assert await budget.charge() == DAY
    assert (counter.days, counter.asked) == ({DAY: 200}, 2)


async def test_not_one_call_more_than_the_budget_in_however_many_processes(counter, clock):
    made = await asyncio.gather(*(spend(budget_of(counter, clock)) for _ in range(4)))
    assert sum(made) == 250 == counter.days[DAY]


async def test_a_resync_leaves_a_fifth_of_the_day_to_others(counter, clock):
    budget = budget_of(counter, clock, per_day=1000)
    with priority.of(Priority.LAST):
        assert await spend(budget) == 800
        with pytest.raises(Retry, match="budget_spent"):
            await budget.charge()
    assert await spend(budget) == 200
    clock.moment += timedelta(days=1)
    with priority.of(Priority.LAST):
        assert await spend(budget) == 800


async def test_callers_at_the_same_moment_share_a_block(counter, clock):
    budget = budget_of(counter, clock)
    await asyncio.gather(*(budget.charge() for _ in range(100)))
    assert counter.asked == 1


async def test_spent_means_after_midnight_and_costs_storage_nothing(counter, clock):
    budget = budget_of(counter, clock)
    await spend(budget)
    asked = counter.asked
    with pytest.raises(Retry) as caught:
        await budget.charge()
    to_midnight_s = 12 * 3600
    assert caught.value.reason is Reason.BUDGET_SPENT
    assert caught.value.after_s is not None
    assert to_midnight_s <= caught.value.after_s <= to_midnight_s + SPREAD_S
    assert counter.asked == asked


async def test_the_next_day_has_its_own_budget(counter, clock):
    budget = budget_of(counter, clock)
    await spend(budget)
    clock.moment += timedelta(hours=12)
    assert await budget.charge() == DAY + timedelta(days=1)
    assert counter.days == {DAY: 250, DAY + timedelta(days=1): 100}


async def test_urgent_calls_go_beyond_the_budget_and_are_counted_and_leave_nothing_to_others(counter, clock):
    budget = budget_of(counter, clock)
    await spend(budget)
    with priority.of(Priority.FIRST):
        for _ in range(120):
            await budget.charge()
    assert counter.days[DAY] == 250 + 200
    assert await spend(budget) == 0


async def test_urgent_calls_use_the_budget_while_there_is_one(counter, clock):
    budget = budget_of(counter, clock)
    with priority.of(Priority.FIRST):
        for _ in range(200):
            await budget.charge()
    assert await spend(budget) == 50


async def test_storage_that_is_away_stops_calls_but_no_urgent_one(counter, clock, caplog):
    budget = budget_of(counter, clock)
    counter.away = True
    with pytest.raises(Retry) as caught:
        await budget.charge()
    assert caught.value.reason is Reason.LEDGER_UNREACHABLE
    with priority.of(Priority.FIRST), caplog.at_level(logging.WARNING):
        assert await budget.charge() == DAY
    assert "not counted" in caplog.text


async def test_what_is_left_is_given_back_at_the_end(counter, clock):
    budget = budget_of(counter, clock)
    for _ in range(3):
        await budget.charge()
    await budget.close()
    await budget.close()
    assert counter.days == {DAY: 3}


async def test_an_end_without_storage_is_told_and_counts_too_much(counter, clock, caplog):
    budget = budget_of(counter, clock)
    await budget.charge()
    counter.away = True
    await budget.close()
    assert "99 calls stay counted" in caplog.text


@pytest.mark.parametrize(("error", "counted"), [(NotSentError("x"), 0), (ValueError("x"), 1), (None, 1)])
async def test_a_call_that_was_not_sent_costs_nothing(counter, clock, error, counted):
    budget = budget_of(counter, clock)
    await asyncio.gather(BudgetedSender(FixedSender(error), budget).send(CALL, 5), return_exceptions=True)
    await budget.close()
    assert counter.days == {DAY: counted}


async def test_a_refund_of_an_urgent_call_is_not_for_others(counter, clock):
    budget = budget_of(counter, clock)
    await spend(budget)
    with priority.of(Priority.FIRST):
        budget.refund(await budget.charge())
    assert await spend(budget) == 0


async def test_storage_that_never_answers_uses_up_the_calls_time(counter, clock):
    async def never(_day: date, _calls: int, _budget: int | None) -> int:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    counter.reserve = never
    with pytest.raises(NotSentError, match="in time"):
        await BudgetedSender(FixedSender(None), budget_of(counter, clock)).send(CALL, 0.02)
