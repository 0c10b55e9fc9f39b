"""A resync's beginning, and what a person may tell it later: pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.domain.resync import Partition, Run, RunState, Slice
from shared.engine.pages import send_order
from shared.ports import Ports
from shared.ports.resyncs import IdLists, Resyncs


class UnknownRunError(LookupError):
    """There is no run of that name."""


class RunOverError(ValueError):
    """The run is finished or cancelled: begin a new one."""


@dataclass(frozen=True)
class Resync:
    """Whoever dies in between leaves a run that `resume` completes, or none at all."""

    ports: Ports
    runs: Resyncs
    ids: IdLists

    async def start(self, run: Run, slices: Sequence[Slice], ids: Sequence[str]) -> Run:
        """The run's row comes last of what is stored: what nobody finds does no harm. Raises Outcome."""
        if run.scope.ids is not None:
            await self.ids.store(run.id, ids)
        for number, part in enumerate(slices):
            await self.runs.put_partition(Partition(run.id, number, part))
        stored = await self.runs.put_run(replace(run, partitions=len(slices)))
        if stored is None:
            raise ValueError(f"{run.id}: there is a run of that name")
        await self._order(stored)
        return stored

    async def pause(self, run_id: str) -> Run:
        """Pages under way are finished. Raises UnknownRunError, RunOverError, Outcome."""
        return await self._tell(run_id, RunState.PAUSED)

    async def cancel(self, run_id: str) -> Run:
        """As `pause`, for good; what was brought into line stays so."""
        return await self._tell(run_id, RunState.CANCELLED)

    async def resume(self, run_id: str) -> Run:
        """Every partition goes on where it was; also for a run whose orders were lost or discarded."""
        run = await self._tell(run_id, RunState.RUNNING)
        await self._order(run)
        return run

    async def _tell(self, run_id: str, state: RunState) -> Run:
        while True:
            run = await self.runs.run(run_id)
            if run is None:
                raise UnknownRunError(f"there is no run {run_id}")
            if run.over:
                raise RunOverError(f"run {run_id} is {run.state}: begin a new one")
            ended_at = self.ports.clock.now() if state is RunState.CANCELLED else None
            epoch = run.epoch + (state is RunState.RUNNING)
            stored = await self.runs.put_run(replace(run, state=state, epoch=epoch, ended_at=ended_at))
            if stored is not None:
                return stored

    async def _order(self, run: Run) -> None:
        """A run whose partitions are all done only lacks its last word: the last one's order gives it."""
        partitions = await self.runs.partitions(run.id)
        open_ones = [one for one in partitions if not one.done] or list(partitions[-1:])
        for one in open_ones:
            await send_order(self.ports, run, one)
