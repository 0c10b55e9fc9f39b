"""Reads that wait at the same moment share one request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.clients.dynamics.loader import Loader


class Source:
    """A table that remembers every batch; `gate` holds answers back while it is closed."""

    def __init__(self, rows: dict[str, str]) -> None:
        self.rows = rows
        self.batches: list[list[str]] = []
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, keys: Sequence[str]) -> dict[str, str]:
        self.batches.append(list(keys))
        self.asked.set()
        seen = {key: self.rows[key] for key in keys if key in self.rows}
        await self.gate.wait()
        return seen


def loader(source: Source, *, window_s: float = 0.0, limit: int = 100, at_once: int = 9) -> Loader[str]:
    return Loader(source.fetch, window_s=window_s, limit=lambda: limit, at_once=at_once)


async def test_reads_of_one_moment_become_one_request_without_repeats():
    source = Source({"a": "A", "b": "B"})
    reads = loader(source)
    assert await asyncio.gather(*(reads.read(key) for key in ("a", "b", "a", "c"))) == ["A", "B", "A", None]
    assert source.batches == [["a", "b", "c"]]


async def test_a_read_asked_for_after_the_batch_was_sent_sees_what_is_there_now():
    source = Source({"a": "old"})
    reads = loader(source)
    source.gate.clear()
    early = asyncio.ensure_future(reads.read("a"))
    await source.asked.wait()
    source.rows["a"] = "new"
    late = asyncio.ensure_future(reads.read("a"))
    await asyncio.sleep(0.01)
    source.gate.set()
    assert (await early, await late) == ("old", "new")
    assert source.batches == [["a"], ["a"]]


async def test_a_full_batch_leaves_at_once_and_the_rest_goes_in_the_next():
    source = Source({str(n): str(n) for n in range(7)})
    reads = loader(source, window_s=0.05, limit=3)
    results = await asyncio.gather(*(reads.read(str(n)) for n in range(7)))
    assert results == [str(n) for n in range(7)]
    assert source.batches == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


async def test_while_reads_are_under_way_the_next_batch_stays_open():
    source = Source({"a": "A", "b": "B", "c": "C"})
    source.gate.clear()
    reads = loader(source, at_once=1)
    first = asyncio.ensure_future(reads.read("a"))
    await source.asked.wait()
    waiting = [asyncio.ensure_future(reads.read("b"))]
    await asyncio.sleep(0.01)
    waiting.append(asyncio.ensure_future(reads.read("c")))
    await asyncio.sleep(0.01)
    assert source.batches == [["a"]]
    source.gate.set()
    assert await asyncio.gather(first, *waiting) == ["A", "B", "C"]
    assert source.batches == [["a"], ["b", "c"]]


async def test_a_full_batch_that_waits_takes_no_more_keys_and_a_failed_fetch_frees_its_turn():
    source = Source({str(n): str(n) for n in range(5)})
    failures = [OSError("down")]

    async def fetch(keys: Sequence[str]) -> dict[str, str]:
        answer = await source.fetch(keys)
        if failures:
            raise failures.pop()
        return answer

    source.gate.clear()
    reads = Loader(fetch, window_s=0.0, limit=lambda: 2, at_once=1)
    tasks = [asyncio.ensure_future(reads.read(str(n))) for n in range(5)]
    await asyncio.sleep(0.01)
    source.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(result) for result in results] == ["down", "down", "2", "3", "4"]
    assert source.batches == [["0", "1"], ["2", "3"], ["4"]]


async def test_a_full_batch_does_not_wait_for_its_window():
    source = Source({"a": "A", "b": "B"})
    reads = loader(source, window_s=60, limit=2)
    async with asyncio.timeout(5):
        assert list(await asyncio.gather(reads.read("a"), reads.read("b"))) == ["A", "B"]


async def test_a_turn_alone_does_not_wait_for_its_window():
    source = Source({"a": "A"})
    reads = Loader(source.fetch, window_s=60, limit=lambda: 100, at_once=1, crowd=lambda: 1)
    async with asyncio.timeout(5):
        assert await reads.read("a") == "A"


async def test_a_batch_leaves_once_every_turn_under_way_has_joined():
    source = Source({str(n): str(n) for n in range(9)})
    reads = Loader(source.fetch, window_s=60, limit=lambda: 100, at_once=1, crowd=lambda: 9)
    waiting = [asyncio.ensure_future(reads.read(str(n))) for n in range(8)]
    await asyncio.sleep(0.01)
    assert source.batches == []
    async with asyncio.timeout(5):
        assert await asyncio.gather(*waiting, reads.read("8")) == [str(n) for n in range(9)]
    assert [len(batch) for batch in source.batches] == [9]


async def test_turns_that_end_meanwhile_are_not_waited_for():
    source, crowd = Source({"a": "A", "b": "B"}), [50]
    reads = Loader(source.fetch, window_s=0.02, limit=lambda: 100, at_once=1, crowd=lambda: crowd[0])
    waiting = [asyncio.ensure_future(reads.read(key)) for key in ("a", "b")]
    await asyncio.sleep(0)
    crowd[0] = 2
    async with asyncio.timeout(0.5):  # fifty windows are a second
        assert await asyncio.gather(*waiting) == ["A", "B"]


async def test_a_batch_waits_one_window_for_each_turn_and_no_longer():
    source = Source({"a": "A"})
    reads = Loader(source.fetch, window_s=0.02, limit=lambda: 100, at_once=1, crowd=lambda: 5)
    began = asyncio.get_running_loop().time()
    assert await reads.read("a") == "A"
    assert asyncio.get_running_loop().time() - began >= 0.09


async def test_an_urgent_read_takes_the_batch_with_it():
    source = Source({"a": "A", "b": "B"})
    reads = Loader(source.fetch, window_s=0.02, limit=lambda: 100, at_once=1, crowd=lambda: 1000)
    async with asyncio.timeout(5):  # a thousand windows are twenty seconds
        assert list(await asyncio.gather(reads.read("a"), reads.read("b", urgent=True))) == ["A", "B"]
    assert source.batches == [["a", "b"]]


@pytest.mark.parametrize("sent", [False, True])
async def test_cancelling_one_waiter_does_not_fail_the_others(sent):
    source = Source({"a": "A", "b": "B"})
    source.gate.clear()
    reads = loader(source, window_s=0.01)
    gone, stays = asyncio.ensure_future(reads.read("a")), asyncio.ensure_future(reads.read("b"))
    await asyncio.sleep(0.05 if sent else 0)
    assert bool(source.batches) is sent
    gone.cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert await stays == "B"


async def test_a_read_after_everybody_left_starts_a_batch_of_its_own():
    source = Source({"a": "A", "b": "B"})
    reads = loader(source, window_s=0.02)
    gone = asyncio.ensure_future(reads.read("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await reads.read("b") == "B"
    assert source.batches == [["b"]]


async def test_a_failed_fetch_fails_all_of_its_readers_and_nobody_else():
    fail = True

    async def fetch(keys: Sequence[str]) -> dict[str, str]:
        if fail:
            raise RuntimeError("down")
        return dict.fromkeys(keys, "fine")

    reads: Loader[str] = Loader(fetch, window_s=0.0, limit=lambda: 100, at_once=9)
    results = await asyncio.gather(reads.read("a"), reads.read("b"), return_exceptions=True)
    assert [type(result) for result in results] == [RuntimeError, RuntimeError]
    fail = False
    assert await reads.read("a") == "fine"
