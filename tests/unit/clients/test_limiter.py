"""Turns in virtual time: who goes first, who gives up when, what a pause means, and how much of a server is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from shared import priority
from shared.clients.calls import NotSentError, Request, Response, UnansweredError
from shared.clients.campaign.config import REASONS
from shared.clients.exchange import Exchange
from shared.clients.limiter import Limiter, NoTurnError, PacedSender
from shared.domain.pace import Pace, Verdict
from shared.errors import Reason, Retry
from shared.priority import Priority
from tests.simulation.virtual import VirtualClock, play
from tests.unit.clients.hidden_server import CALL, HiddenServer, loop_time, measured, paced, press


class Held:
    """Answers each call when told; counts those it was sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.left_s: list[float] = []
        self.go = asyncio.Semaphore(0)
        self.answer: Response | Exception = Response(200)

    async def send(self, request: Request, timeout_s: float) -> Response:
        self.sent.append(request.kind)
        self.left_s.append(timeout_s)
        await self.go.acquire()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Token:
    async def token(self) -> str:
        return "t"

    async def renew(self, refused: str) -> str:
        raise AssertionError(refused)


def call(kind: str) -> Request:
    return Request("campaign", kind, "GET", "https://campaign.example.test/x")


def start(sender: PacedSender, kind: str, timeout_s: float = 30, urgency: Priority = Priority.NORMAL):
    with priority.of(urgency):
        return asyncio.ensure_future(sender.send(call(kind), timeout_s))


def sender_to(server: Held, ceiling: int = 1) -> PacedSender:
    return PacedSender(server, Limiter(Pace(ceiling)), VirtualClock().now)


def test_urgent_calls_go_before_all_that_wait_and_others_in_order():
    async def history() -> None:
        server = Held()
        sender = sender_to(server)
        calls = [start(sender, "first"), start(sender, "second"), start(sender, "third")]
        calls.append(start(sender, "opt-out", urgency=Priority.FIRST))
        for _ in calls:
            await asyncio.sleep(1)
            server.go.release()
        await asyncio.gather(*calls)
        assert server.sent == ["first", "opt-out", "second", "third"]

    play(history())


def test_a_call_waits_for_at_most_half_of_its_time_and_is_then_not_sent():
    async def history() -> None:
        server = Held()
        sender = sender_to(server)
        first = start(sender, "first")
        with pytest.raises(NotSentError, match="no turn in time"):
            await start(sender, "second", timeout_s=10)
        assert (loop_time(), server.sent) == (5.0, ["first"])
        server.go.release()
        await first

    play(history())


def test_the_wait_is_taken_off_the_calls_time():
    async def history() -> None:
        server = Held()
        sender = sender_to(server)
        calls = [start(sender, "first"), start(sender, "second")]
        await asyncio.sleep(4)
        server.go.release()
        await asyncio.sleep(0.1)
        server.go.release()
        await asyncio.gather(*calls)
        assert server.left_s == [30, 26]

    play(history())


@pytest.mark.parametrize("answer", [Response(200), UnansweredError("x"), NotSentError("x"), ValueError("x")])
def test_whatever_becomes_of_a_call_its_turn_ends(answer):
    async def history() -> None:
        server = Held()
        sender = sender_to(server)
        server.answer = answer
        server.go.release()
        await asyncio.gather(start(sender, "first"), return_exceptions=True)
        assert sender._limiter.pace.in_flight == 0

    play(history())


def test_a_cancelled_call_gives_its_turn_on_also_one_that_it_just_got():
    async def history() -> None:
        server = Held()
        sender = sender_to(server)
        first, second, third = (start(sender, kind) for kind in ("first", "second", "third"))
        await asyncio.sleep(1)
        first.cancel()
        await asyncio.sleep(0)  # the first has ended; the second has its turn, but has not run
        second.cancel()
        server.go.release()
        await third
        assert server.sent == ["first", "third"]
        assert sender._limiter.pace.in_flight == 0

    play(history())


def test_nobody_sends_before_the_moment_asked_for_and_then_one_alone():
    async def history() -> None:
        server = HiddenServer(Random(1), at_once=10, retry_after_s=7)
        sender = paced(server, 48)
        pressing = asyncio.ensure_future(press(sender, 20, 30))
        while not server.refused:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)  # answers take 5 ms, and calls on their way are allowed
        told_at, sent = loop_time(), len(server.sent_at)
        await pressing
        after = server.sent_at[sent : sent + 2]
        assert 6.95 < after[0] - told_at <= 7.0
        assert after[1] - after[0] >= 0.025  # the probe's answer

    play(history())


def test_a_call_that_cannot_come_in_time_fails_at_once_and_says_when_to_come_back():
    async def history() -> None:
        server = Held()
        server.answer = Response(429, {"retry-after": "100"})
        sender = sender_to(server)
        waiting = [start(sender, "first"), start(sender, "second")]
        await asyncio.sleep(1)
        server.go.release()
        _, refused = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(refused, NoTurnError)
        assert (loop_time(), refused.after_s) == (1.0, 100.0)
        exchange = Exchange(sender, Token(), REASONS, 30, VirtualClock().now)
        await asyncio.sleep(40)
        with pytest.raises(Retry) as caught:
            await exchange.send(call("third"))
        assert (type(caught.value), caught.value.reason, caught.value.after_s) == (Retry, Reason.CAMPAIGN_BUSY, 60.0)
        assert server.sent == ["first"]

    play(history())


def test_many_that_gave_up_leave_nothing_behind():
    async def history() -> None:
        limiter = Limiter(Pace(1))
        held = await limiter.turn("first", 1000)
        for _ in range(50):
            with pytest.raises(NoTurnError):
                await limiter.turn("next", loop_time() + 1)
        waiting = asyncio.ensure_future(limiter.turn("last", loop_time() + 10))
        await asyncio.sleep(1)
        limiter.end(held, Verdict.ANSWERED)
        limiter.end(await waiting, Verdict.ANSWERED)
        assert not any(limiter._waiting.values())

    play(history())


HIDDEN: dict[str, tuple[Callable[[Random], HiddenServer], float]] = {
    "20 at once": (lambda random: HiddenServer(random, at_once=20, service_s=0.4), 50),
    "5 at once, no header": (lambda random: HiddenServer(random, at_once=5, service_s=1, retry_after_s=None), 5),
    "1 at once": (lambda random: HiddenServer(random, at_once=1, service_s=0.2), 5),
    "20 a second": (lambda random: HiddenServer(random, per_second=20), 20),
    "20 a second, long pauses": (lambda random: HiddenServer(random, per_second=20, retry_after_s=5), 20),
    "6 workers and a queue": (lambda random: HiddenServer(random, workers=6, service_s=0.1), 60),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("case", HIDDEN)
def test_nine_tenths_of_a_hidden_capacity_are_used_and_one_in_a_hundred_fails(case, seed):
    make, capacity = HIDDEN[case]
    server = make(Random(seed))
    assert play(measured(server, 48)) >= 0.9 * capacity
    assert server.failures < 0.01


def test_the_ceiling_holds():
    server = HiddenServer(Random(7))
    play(measured(server, 6, settle_s=1, seconds=20))
    assert server.most_in_flight == 6


def test_a_capacity_that_grows_is_found():
    async def history() -> None:
        server = HiddenServer(Random(8), at_once=5, service_s=0.2)
        pressing = asyncio.ensure_future(press(paced(server, 40), 40, 150))
        await asyncio.sleep(50)
        server.at_once, before = 30, server.answered
        await pressing
        assert (server.answered - before) / 100 > 0.5 * 150

    play(history())


def test_opt_outs_are_quick_while_everything_is_in_use():
    async def history() -> None:
        server = HiddenServer(Random(9), at_once=4, service_s=0.5)
        sender = paced(server, 16)
        pressing = asyncio.ensure_future(press(sender, 64, 100))
        await asyncio.sleep(50)
        started = loop_time()
        with priority.of(Priority.FIRST):
            await sender.send(CALL, 30)
        assert loop_time() - started < 2  # a bulk call waits for some eight seconds
        await pressing

    play(history())
