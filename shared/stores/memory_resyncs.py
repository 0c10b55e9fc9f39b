"""Resyncs and their lists of ids in memory: fakes that pass the same conformance tests as the real ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from shared.domain.resync import Partition, Run


class MemoryResyncs:
    """Implements `shared.ports.resyncs.Resyncs`. What it keeps may be looked at."""

    def __init__(self) -> None:
        self.kept_runs: dict[str, Run] = {}
        self.kept_partitions: dict[tuple[str, int], Partition] = {}
        self._versions = itertools.count(1)

    async def run(self, run_id: str) -> Run | None:
        """None: there is none."""
        return self.kept_runs.get(run_id)

    async def runs(self) -> Sequence[Run]:
        """The last begun first."""
        return sorted(self.kept_runs.values(), key=lambda run: run.started_at, reverse=True)

    async def put_run(self, run: Run) -> Run | None:
        """None: somebody was faster."""
        present = self.kept_runs.get(run.id)
        if run.etag != (present.etag if present else None):
            return None
        self.kept_runs[run.id] = replace(run, etag=f"v{next(self._versions)}")
        return self.kept_runs[run.id]

    async def partition(self, run_id: str, number: int) -> Partition | None:
        """None: there is none."""
        return self.kept_partitions.get((run_id, number))

    async def partitions(self, run_id: str) -> Sequence[Partition]:
        """By number."""
        return [one for (run, _), one in sorted(self.kept_partitions.items()) if run == run_id]

    async def put_partition(self, partition: Partition) -> Partition | None:
        """None: somebody was faster."""
        key = (partition.run, partition.number)
        present = self.kept_partitions.get(key)
        if partition.etag != (present.etag if present else None):
            return None
        self.kept_partitions[key] = replace(partition, etag=f"v{next(self._versions)}")
        return self.kept_partitions[key]


class MemoryIdLists:
    """Implements `shared.ports.resyncs.IdLists`. `lists` may be looked at."""

    def __init__(self) -> None:
        self.lists: dict[str, tuple[str, ...]] = {}

    async def store(self, run_id: str, ids: Sequence[str]) -> None:
        """Overwrites."""
        self.lists[run_id] = tuple(ids)

    async def read(self, run_id: str, first: int, count: int) -> Sequence[str]:
        """Those from number `first` on."""
        return self.lists[run_id][first : first + count]
