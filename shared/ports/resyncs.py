"""What a resync needs of the world besides: its runs, rows by the page, and lists of ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.domain.contact import Contact
from shared.domain.mapping import Mapping
from shared.domain.resync import Partition, Run, Scope, Slice


class Resyncs(Protocol):
    """Runs and their partitions. Writes are guarded by the ETag that was read."""

    async def run(self, run_id: str) -> Run | None:
        """None: there is none."""
        ...

    async def runs(self) -> Sequence[Run]:
        """The last begun first."""
        ...

    async def put_run(self, run: Run) -> Run | None:
        """The stored one; None: somebody was faster. `etag` None: it must be new."""
        ...

    async def partition(self, run_id: str, number: int) -> Partition | None:
        """None: there is none."""
        ...

    async def partitions(self, run_id: str) -> Sequence[Partition]:
        """By number."""
        ...

    async def put_partition(self, partition: Partition) -> Partition | None:
        """As `put_run`."""
        ...


@dataclass(frozen=True)
class RowPage:
    """`position`: where the next page begins; None: this is the last."""

    rows: Sequence[Contact]
    position: str | None


class BulkRows(Protocol):
    """Rows of Dynamics by the page: each page one request, no row on two of them."""

    async def page(
        self, mapping: Mapping, more: Collection[str], scope: Scope, part: Slice, size: int, position: str | None
    ) -> RowPage:
        """The slice's next rows, with the mapping's columns and some more. `position` None: the first ones."""
        ...


class IdLists(Protocol):
    """Row ids stored with a run."""

    async def store(self, run_id: str, ids: Sequence[str]) -> None:
        """Durable when it returns; again is as good as once."""
        ...

    async def read(self, run_id: str, first: int, count: int) -> Sequence[str]:
        """Those from number `first` on, counted from 0."""
        ...
