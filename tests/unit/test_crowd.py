"""How many turns are under way, and who is let in when there is no room."""

from __future__ import annotations

import asyncio

import pytest

from shared import crowd, priority
from shared.crowd import PATIENCE_S, Crowd
from shared.domain.ledger import Timings
from shared.engine.page_rows import WORK_S
from shared.errors import Reason, Retry
from shared.priority import Priority


class Turns:
    """Turns of a crowd that end when they are told to; `order`: as they were let in."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.crowd = Crowd(lambda: self.room)
        self.order: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    async def begin(self, name: str, urgency: Priority = Priority.NORMAL) -> asyncio.Task[None]:
        self.ends[name] = asyncio.Event()
        task = asyncio.create_task(self._turn(name, urgency))
        await asyncio.sleep(0)
        return task

    async def end(self, name: str) -> None:
        self.ends[name].set()
        for _ in range(4):
            await asyncio.sleep(0)

    async def _turn(self, name: str, urgency: Priority) -> None:
        with priority.of(urgency):
            async with self.crowd.member():
                self.order.append(name)
                await self.ends[name].wait()


@pytest.fixture
def least(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if two turns were enough to find out how fast Campaign is."""
    monkeypatch.setattr(crowd, "ROOM_LEAST", 2)


async def test_without_a_bound_everybody_is_let_in():
    many = Crowd()
    async with many.member(), many.member():
        assert many.size == 2
    assert many.size == 0


@pytest.mark.usefixtures("least")
async def test_who_finds_no_room_waits_until_a_turn_ends():
    turns = Turns(room=0)
    tasks = [await turns.begin(name) for name in "abcd"]
    assert turns.order == ["a", "b"]
    await turns.end("a")
    assert turns.order == ["a", "b", "c"]
    await turns.end("b")
    await turns.end("c")
    await turns.end("d")
    await asyncio.gather(*tasks)
    assert turns.order == ["a", "b", "c", "d"]
    assert turns.crowd.size == 0


@pytest.mark.usefixtures("least")
async def test_more_are_let_in_when_campaign_turns_out_to_be_faster():
    turns = Turns(room=0)
    tasks = [await turns.begin(name) for name in "abcde"]
    turns.room = 4
    await turns.end("a")
    assert turns.order == ["a", "b", "c", "d", "e"]
    for name in "bcde":
        await turns.end(name)
    await asyncio.gather(*tasks)


@pytest.mark.usefixtures("least")
async def test_opt_outs_and_deletions_are_let_in_at_once_and_a_resyncs_rows_last():
    turns = Turns(room=0)
    tasks = [await turns.begin(name) for name in "ab"]
    tasks.append(await turns.begin("row", Priority.LAST))
    tasks.append(await turns.begin("change"))
    tasks.append(await turns.begin("opt-out", Priority.FIRST))
    assert turns.order == ["a", "b", "opt-out"]
    for name in ("opt-out", "a", "b", "change", "row"):
        await turns.end(name)
    await asyncio.gather(*tasks)
    assert turns.order == ["a", "b", "opt-out", "change", "row"]


async def test_a_resyncs_rows_share_their_reads_with_each_other_only():
    many = Crowd()
    async with many.member():
        with priority.of(Priority.LAST):
            async with many.member(), many.member():
                assert many.size == 2
        assert many.size == 1


@pytest.mark.usefixtures("least")
async def test_who_waits_too_long_comes_back_later_and_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(crowd, "PATIENCE_S", 0.02)
    turns = Turns(room=0)
    tasks = [await turns.begin(name) for name in "abc"]
    with pytest.raises(Retry) as refused:
        await tasks[2]
    assert refused.value.reason is Reason.CAMPAIGN_BUSY
    tasks[2] = await turns.begin("d")
    for name in "abd":
        await turns.end(name)
    await asyncio.gather(*tasks)
    assert turns.order == ["a", "b", "d"]
    assert turns.crowd.size == 0


@pytest.mark.usefixtures("least")
@pytest.mark.parametrize("steps", range(5))
async def test_a_place_whose_owner_is_cancelled_just_then_goes_to_the_next(steps):
    turns = Turns(room=0)
    tasks = [await turns.begin(name) for name in "abcd"]
    turns.ends["a"].set()
    for _ in range(steps):  # before it is given, when it was, and when it was taken
        await asyncio.sleep(0)
    tasks[2].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[2]
    await turns.end("d")
    assert turns.order[-1] == "d"
    await turns.end("b")
    await asyncio.gather(tasks[0], tasks[1], tasks[3])
    assert turns.crowd.size == 0


def test_waiting_in_line_leaves_a_page_and_its_last_row_the_time_that_they_may_take():
    times = Timings()
    row_s = PATIENCE_S + times.work_budget_s + times.http_timeout_s
    assert PATIENCE_S + WORK_S + row_s < times.function_timeout_s
