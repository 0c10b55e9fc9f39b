"""The measured side: the function app in its host, watched while it works through changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from bench import processes
from bench.doors import Calls, Doors
from bench.errors import BenchError
from bench.processes import Cpu, Processes
from bench.stand_ins import StandIns
from sandbox.host_process import HostProcess

LANE = "contact-upsert"
WRITTEN = "written"
LOOK_AGAIN_S = 0.005
PATIENCE_S = 120.0
# A receiver that had begun to wait before the drain still takes a message for half a second.
DRAINED_AFTER_S = 1.0


@dataclass(frozen=True)
class Moment:
    """How many changes were decided by then, at what time, and the processor time used so far."""

    done: int
    at_s: float
    cpu: Cpu


@dataclass(frozen=True)
class Work:
    """What some changes took. Rates are changes a second.

    `steady_per_s`: their second half only, when every receiver is open. `cpu`: seconds, in all of `took_s`.
    """

    changes: int
    per_s: float
    steady_per_s: float
    cpu: Cpu
    took_s: float
    calls: Calls
    lags_s: tuple[float, ...]


class Worker:
    """One function app's host. `start` and `stop` may be called again and again."""

    def __init__(self, stand_ins: StandIns, settings: Mapping[str, str]) -> None:
        self._host = HostProcess(settings, stand_ins.host_port, stand_ins.state / "host")

    async def start(self) -> None:
        """Raises HostError."""
        await self._host.start()

    async def stop(self) -> None:
        """Work under way may end."""
        await self._host.stop()

    async def until_written(self, done: int) -> None:
        """Wait until so many changes have been written since this worker was made.

        Raises BenchError if it takes too long, or if a message was settled otherwise than by a write.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self._done() < done:
                    await asyncio.sleep(LOOK_AGAIN_S)
                    self._check()
        except TimeoutError:
            raise BenchError(f"{done - self._done()} changes were not decided in {PATIENCE_S:g} s") from None
        self._check()

    def _check(self) -> None:
        if any(key != (LANE, WRITTEN) for key in self._host.heard.reasons):
            unlike = [said for said in self._host.heard.last if said["reason"] != WRITTEN]
            raise BenchError(f"a message was not simply written: {unlike}")

    async def live(self, doors: Doors, contact_ids: Sequence[str], city: str) -> Work:
        """From the first change in Dynamics to the last decision: emitter, webhook, queue and worker, all at once."""
        before, ids = self._done(), await asyncio.to_thread(processes.find)
        calls, start = await doors.calls(), self._now(ids, before)
        changing = asyncio.create_task(doors.change(contact_ids, city))
        try:
            half, end = await self._halves(before, len(contact_ids), ids)
        finally:
            await changing
        return self._work(start, half, end, (await doors.calls()).since(calls))

    async def fill(self, doors: Doors, contact_ids: Sequence[str], city: str) -> None:
        """Put the changes into the queue by the real webhook, with nobody serving the queue; then stop the host."""
        before = self._done()
        await self.start()
        async with aiohttp.ClientSession() as session, session.post(f"{self._host.url}/admin/host/drain") as answer:
            answer.raise_for_status()
        await asyncio.sleep(DRAINED_AFTER_S)
        await doors.change(contact_ids, city)
        await doors.all_announced()
        await self.stop()
        if self._done() != before:
            raise BenchError("changes were worked on while the queue was being filled")

    async def drain(self, doors: Doors, count: int) -> Work:
        """Start the host before a full queue and watch from the first decision to the last; the host stays up."""
        before, calls = self._done(), await doors.calls()
        starting = asyncio.create_task(self.start())
        try:
            await self.until_written(before + 1)
            ids = await asyncio.to_thread(processes.find)
            start = self._now(ids, before)
            half, end = await self._halves(before, count, ids)
        finally:
            await starting
        return self._work(start, half, end, (await doors.calls()).since(calls))

    async def _halves(self, before: int, count: int, ids: Processes) -> tuple[Moment, Moment]:
        await self.until_written(before + count // 2)
        half = self._now(ids, before)
        await self.until_written(before + count)
        return half, self._now(ids, before)

    def _work(self, start: Moment, half: Moment, end: Moment, calls: Calls) -> Work:
        took_s, changes = end.at_s - start.at_s, end.done - start.done
        return Work(
            changes=changes,
            per_s=changes / took_s,
            steady_per_s=(end.done - half.done) / (end.at_s - half.at_s),
            cpu=end.cpu.since(start.cpu),
            took_s=took_s,
            calls=calls,
            lags_s=tuple(self._host.heard.lags_s)[-end.done :],
        )

    def _done(self) -> int:
        return self._host.heard.reasons[LANE, WRITTEN]

    def _now(self, ids: Processes, before: int) -> Moment:
        return Moment(self._done() - before, asyncio.get_running_loop().time(), ids.cpu())
