"""A resync's page: its rows are read at once, held against the ledger, and those not in line are worked on.

A worker may die between any two steps. The page's rows are brought into line by the ledger's own steps, which may be
repeated; the partition moves on only after that, under its ETag; the next page's order follows, under a name that is
always the same. Whoever finds the partition one page further on sends that order again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.call_tally import counting
from shared.domain import filters
from shared.domain.change import Hint, Lane, RecordKey, Source, Why
from shared.domain.contact import Contact
from shared.domain.mapping import Mapping
from shared.domain.resync import PageOrder, Partition, Run, RunState, Tally
from shared.engine.deliver import Engine
from shared.engine.page_rows import PageRows, RowAtHand
from shared.engine.reading import mapping_of, read_rows
from shared.errors import Reason, Retry
from shared.mapping_file import filter_text
from shared.ports import Outgoing, Ports
from shared.ports.resyncs import BulkRows, IdLists, Resyncs
from shared.wire import encode


@dataclass(frozen=True)
class _Read:
    """A page as read: rows by id, None where Dynamics has none. `position`: where the next page begins."""

    rows: dict[str, Contact | None]
    position: str | None


class Pages:
    """What the bulk lane's function does with an order."""

    def __init__(self, ports: Ports, engine: Engine, runs: Resyncs, rows: BulkRows, ids: IdLists) -> None:
        self.ports, self.engine = ports, engine
        self.runs, self.rows, self.ids = runs, rows, ids

    async def work(self, order: PageOrder) -> Reason:
        """Why the order is settled. Raises an Outcome where the page has to wait, BusUnavailableError."""
        run = await self.runs.run(order.run)
        part = await self.runs.partition(order.run, order.partition)
        if run is None or part is None or run.state is not RunState.RUNNING or run.epoch != order.epoch:
            return Reason.RESYNC_STOPPED
        if part.page not in (order.page, order.page + 1):
            return Reason.PAGE_PASSED
        if part.page == order.page and not part.done:
            part = await self._page(run, part)
        await self._go_on(run, part)
        return Reason.PAGE_DONE

    async def _page(self, run: Run, part: Partition) -> Partition:
        """The partition as it is afterwards: at the next page."""
        mapping = mapping_of(self.ports.mappings(), run.scope.table)
        tally = Tally()
        with counting() as calls:
            read = await self._read(run, part, mapping)
            at_hand = await self._at_hand(run, part, mapping, read.rows)
            create_first = run.create_first and not part.looks_first
            work = PageRows(self.ports, self.engine, mapping, tally, _pace(run), create_first=create_first)
            left = work.settle_at_sight(at_hand)
            part = await self._announce(part, left)
            stopped = await work.settle(left)
        tally.calls = calls.calls
        part = part.with_tally(tally, self.ports.clock.now())
        if stopped is None:
            part = part.at_next_page(read.position)
        stored = await self.runs.put_partition(part)
        if stopped is not None:
            raise stopped
        if stored is None:
            raise Retry(Reason.PAGE_UNFINISHED, "somebody else works on it", after_s=self.ports.random.uniform(1, 5))
        return stored

    async def _read(self, run: Run, part: Partition, mapping: Mapping) -> _Read:
        """One request, or one for two hundred where ids are given. What is settled of the page is left out."""
        scope = run.scope
        if scope.ids is not None:
            return await self._named(run, part, mapping)
        tree = filter_text.read(scope.filter) if scope.filter is not None else None
        more = filters.columns(tree) if tree is not None else frozenset[str]()
        page = await self.rows.page(mapping, more, scope, part.slice, run.page_rows, part.position)
        rows = {row.id: row for row in page.rows if tree is None or filters.passes(tree, row)}
        return _Read({key: row for key, row in rows.items() if key not in part.settled}, page.position)

    async def _named(self, run: Run, part: Partition, mapping: Mapping) -> _Read:
        first = int(part.position or part.slice.first)
        after = min(first + run.page_rows, part.slice.last)
        ids = await self.ids.read(run.id, first, after - first)
        found = await read_rows(self.ports, mapping, ids)
        rows = {key: found.get(key) for key in ids if key not in part.settled}
        return _Read(rows, str(after) if after < part.slice.last else None)

    async def _at_hand(
        self, run: Run, part: Partition, mapping: Mapping, rows: dict[str, Contact | None]
    ) -> list[RowAtHand]:
        """Each with its ledger row. Of rows that somebody began to work on the ledger is not trusted."""
        now = self.ports.clock.now()
        keys = [RecordKey(mapping.table, record_id) for record_id in rows]
        known = await self.ports.ledger.get_many(keys)
        return [
            RowAtHand(
                Hint(f"resync/{run.id}/{key.id}", key, Why.UPSERT, Source.RESYNC, now),
                rows[key.id],
                ledger,
                delivery_count=2 if key.id in part.at_work else 1,
            )
            for key, ledger in zip(keys, known, strict=True)
        ]

    async def _announce(self, part: Partition, rows: list[RowAtHand]) -> Partition:
        """Durable before anything is written: whoever takes over must look at these rows. Raises Retry."""
        ids = frozenset(row.hint.record.id for row in rows)
        if ids <= part.at_work:
            return part
        stored = await self.runs.put_partition(replace(part, at_work=part.at_work | ids))
        if stored is None:
            raise Retry(Reason.PAGE_UNFINISHED, "somebody else works on it", after_s=self.ports.random.uniform(1, 5))
        return stored

    async def _go_on(self, run: Run, part: Partition) -> None:
        if not part.done:
            await send_order(self.ports, run, part)
        elif all(one.done for one in await self.runs.partitions(run.id)):
            await self._finish(run)

    async def _finish(self, run: Run | None) -> None:
        while run is not None and not run.over:
            over = replace(run, state=RunState.FINISHED, ended_at=self.ports.clock.now())
            if await self.runs.put_run(over) is not None:
                return
            run = await self.runs.run(run.id)


async def send_order(ports: Ports, run: Run, part: Partition) -> None:
    """The partition's present page; as often as you like. Raises BusUnavailableError."""
    order = PageOrder(run.id, part.number, part.page, run.epoch, ports.clock.now())
    await ports.bus.send(Lane.BULK, [Outgoing(encode(order), order.message_id)])


def _pace(run: Run) -> float | None:
    """Rows a second of one partition."""
    return None if run.per_second is None else run.per_second / run.partitions
