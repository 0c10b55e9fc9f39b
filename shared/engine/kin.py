"""A record's parents and children: never a child before its parent, never a parent gone under a child's write.

Campaign hides a record whose required parent it does not have, and answers a write to a hidden one with an error. The
ledger rows serve as locks. A child claims its row and then reads its parents' rows; a parent that is to go claims its
row and then reads its children's rows. Whoever comes second sees the other's claim and gives way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import timedelta

from shared.domain.back_off import back_off_s
from shared.domain.change import Hint, RecordKey, Source, Why
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, Unknown
from shared.domain.mapping import Desired, Mappings
from shared.engine.lanes import send_hints
from shared.engine.reading import read_row
from shared.errors import Reason, Retry
from shared.flows.contact import Situation
from shared.ports import Ports

CHILDREN_FIRST = timedelta(minutes=2)  # in which the children of a row that is gone should have gone, or moved, too
HINTS_AT_ONCE = 100
FIRST_WAIT_S = 10.0
LONGEST_WAIT_S = 3600.0


class Kin:
    """For one turn on one record. `token` makes the ids of its hints its own."""

    def __init__(self, ports: Ports, mappings: Mappings, hint: Hint, token: str) -> None:
        self.ports = ports
        self.mappings = mappings
        self.hint = hint
        self.record = hint.record
        self.token = token
        self.has_children = mappings.has_children(hint.record.table)

    async def first(self, s: Situation) -> None:
        """Before the claim, so that waiting leaves the ledger's word as it is. Raises Retry.

        A verify that waits is the check itself: another one every ten minutes would pile up.
        """
        if s.desired is None:
            if s.filtered_out is None:  # children of a row that is only kept out do not go by themselves
                await self._children_first()
            return
        try:
            await self._await_parents(s.desired.parents, s.ledger.parents)
        except Retry:
            if self.hint.why is Why.VERIFY and s.ledger.check_at is not None:
                await self.ports.ledger.put(replace(s.ledger, check_at=None))
            raise

    async def at_rest(self, row: LedgerRow, desired: Desired | None) -> bool:
        """Under the claim: nobody works on kin. Whether all parents are in Campaign. Raises Retry."""
        if desired is not None:
            await self._await_parents(desired.parents, row.parents)
            return True
        await self._no_descendant_at_work(self.record)
        await self._hidden_first()
        there = [await self._all_there(parent) for parent in sorted(row.parents)]
        return all(there)

    # -- as a child --------------------------------------------------------------------------------------------------

    async def orphan(self, parents: Collection[RecordKey], joined: Collection[RecordKey]) -> Retry | None:
        """Why a parent is not in Campaign and will not come by itself; None: all are, or may be soon.

        `joined`: those of whom the record is known to be a child.
        """
        await self._join(parents, joined)
        lost = await self._lost(parents)
        return None if lost is None else self._missing(*lost)

    async def _await_parents(self, parents: Collection[RecordKey], joined: Collection[RecordKey]) -> None:
        """Every parent is in Campaign. Raises Retry otherwise; one that could be there is hinted at once."""
        await self._join(parents, joined)
        for parent in sorted(parents):
            await self._await(parent)

    async def _await(self, parent: RecordKey) -> None:
        """Also what is above it: a grandparent that goes takes all below it along."""
        row = await self._at_rest(parent)
        if not isinstance(row.state, Present):
            raise self._missing(parent, await self._why_missing(parent))
        for above in sorted(row.parents):
            await self._await(above)

    async def _all_there(self, parent: RecordKey) -> bool:
        row = await self._at_rest(parent)
        above = [await self._all_there(one) for one in sorted(row.parents)]
        return isinstance(row.state, Present) and all(above)

    async def _join(self, parents: Collection[RecordKey], joined: Collection[RecordKey]) -> None:
        if new := sorted(set(parents) - set(joined)):
            await self.ports.family.join(self.record, new)

    async def leave(self, parents: Collection[RecordKey]) -> None:
        """The record is no longer theirs."""
        if parents:
            await self.ports.family.leave(self.record, parents)

    async def _at_rest(self, parent: RecordKey) -> LedgerRow:
        row = await self.ports.ledger.get(parent)
        self._give_way(row, Reason.PARENT_BUSY)
        return row

    async def _why_missing(self, parent: RecordKey) -> str:
        """In words for people. The parent is hinted if nothing is in its way."""
        if (lost := await self._lost([parent])) is not None:
            return lost[1]
        await self._hint_parent(parent)
        return "not in Campaign yet"

    async def _lost(self, parents: Collection[RecordKey]) -> tuple[RecordKey, str] | None:
        """The first that will not be in Campaign by itself, and why; None: all are there, or may be soon.

        Whoever waits for something further up joins its family, so that it is released even if its own announcement
        was lost. A hint would do so, too, but leave a message that waits, at each look of each child.
        """
        for parent in sorted(parents):
            row = await self.ports.ledger.get(parent)
            if isinstance(row.state, Present) or self._live_claim(row) is not None:
                continue
            why, above = await self._why_not(parent)
            if why is not None:
                return parent, why
            if (further_up := await self._lost(above)) is not None:
                await self.ports.family.join(parent, above)
                return parent, f"waits for {further_up[0]}: {further_up[1]}"
        return None

    async def _why_not(self, parent: RecordKey) -> tuple[str | None, frozenset[RecordKey]]:
        """Why the parent itself will not be in Campaign, and what is above it; None: nothing speaks against it."""
        mapping = self.mappings.of(parent.table)
        if mapping is None:
            return "its table is not mapped", frozenset()
        row = await read_row(self.ports, mapping, parent.id)
        if row is None:
            return "not in Dynamics", frozenset()
        if mapping.kept_out(row) is not None:
            return "kept out by its filters, or without a parent itself", frozenset()
        return None, mapping.parents(row)

    def _missing(self, parent: RecordKey, why: str) -> Retry:
        """The parent's storing releases the child; the waiting is a safety net."""
        waited_s = (self.ports.clock.now() - self.hint.first_seen).total_seconds()
        wait_s = back_off_s(FIRST_WAIT_S, LONGEST_WAIT_S, self.hint.attempt, waited_s)
        after_s = wait_s * self.ports.random.uniform(0.9, 1.1)
        return Retry(Reason.PARENT_MISSING, f"{parent}: {why}", after_s=after_s)

    async def _hint_parent(self, parent: RecordKey) -> None:
        """Once a minute, however many children wait: the broker drops the repetitions."""
        await send_hints(self.ports, self._hint(f"parent/{parent.id}/{self._minute()}", parent))

    # -- as a parent -------------------------------------------------------------------------------------------------

    async def _children_first(self) -> None:
        """A row that is gone lets its children go before it, while Campaign still shows them; but not for ever.

        At first their own announcements are awaited: a hint beside each would only be in its way. Raises Retry.
        """
        if self.has_children and self._patient():
            self._wait_for(await self._hint_left() if self.hint.attempt else await self._count_left())

    async def _hidden_first(self) -> None:
        """What Campaign would hide below goes before: whoever is hidden can be moved to no other parent any more.

        Below a row that is only kept out nobody else announces that. Claimed and in doubt, the row is one that will not
        come, so that whoever hangs on it goes by itself. Raises Retry.
        """
        if self.mappings.leaves_hidden(self.record.table) and (self._patient() or await self._untold()):
            self._wait_for(await self._hint_each(self._descendants(self.record), f"hidden-{self._minute()}"))

    async def _untold(self) -> bool:
        """Whether somebody below does not know yet: after an outage of Campaign the time is over before it began."""
        async for row in self._below(self.record):
            if isinstance(row.state, Present):
                return True
        return False

    def _wait_for(self, left: int) -> None:
        if left:
            raise Retry(Reason.CHILDREN_FIRST, f"{left} to go", after_s=2 * self._soon_s())

    def _patient(self) -> bool:
        """Longer than a claim: a worker that died on a child must not have it hidden under a parent that is gone."""
        patience = max(CHILDREN_FIRST, 2 * timedelta(seconds=self.ports.timings.claim_s))
        return self.ports.clock.now() - self.hint.first_seen <= patience

    async def _count_left(self) -> int:
        count = 0
        async for _ in self._children():
            count += 1
        return count

    async def _hint_left(self) -> int:
        """Once a minute, however often it looks: a hint may itself have to wait, for a claim or for children."""
        return await self._hint_each(self._children(), f"first-{self._minute()}")

    async def _no_descendant_at_work(self, parent: RecordKey) -> None:
        """Raises Retry while somebody works below: a write must not meet a parent that is gone."""
        if not self.mappings.has_children(parent.table):
            return
        async for child in self.ports.family.children(parent):
            row = await self.ports.ledger.get(child)
            self._give_way(row, Reason.CHILD_BUSY)
            if parent in row.parents:
                await self._no_descendant_at_work(child)

    async def doubt_children(self) -> None:
        """The parent is gone: Campaign deleted its children with it, or hides them, and theirs in turn."""
        await self._hint_each(self._descendants(self.record), self.token)

    async def release_children(self) -> None:
        """The parent is in Campaign, after it was not, or nobody knew: whoever waits may go on."""
        if self.has_children:
            await self._hint_each(self.ports.family.children(self.record), self.token)

    async def _children(self) -> AsyncIterator[RecordKey]:
        """Those that were last sent under this parent and may be in Campaign; the family knows some that have moved."""
        async for child in self.ports.family.children(self.record):
            row = await self.ports.ledger.get(child)
            if self.record in row.parents and not isinstance(row.state, Absent):
                yield child

    async def _descendants(self, parent: RecordKey) -> AsyncIterator[RecordKey]:
        """Those below that one that may have been in Campaign; from now on the ledger does not know."""
        async for row in self._below(parent):
            await self._doubt(row)
            yield row.key

    async def _below(self, parent: RecordKey) -> AsyncIterator[LedgerRow]:
        if not self.mappings.has_children(parent.table):
            return
        async for child in self.ports.family.children(parent):
            row = await self.ports.ledger.get(child)
            if parent in row.parents and not isinstance(row.state, Absent):
                yield row
                async for below in self._below(child):
                    yield below

    async def _doubt(self, row: LedgerRow) -> None:
        """Written even if nothing changes: a worker that stalled below must lose its ETag."""
        while not isinstance(row.state, Absent):
            if await self.ports.ledger.put(replace(row, state=Unknown())) is not None:
                return
            row = await self.ports.ledger.get(row.key)

    async def _hint_each(self, children: AsyncIterator[RecordKey], suffix: str) -> int:
        """A parent may have more children than fit into memory. How many there were."""
        count, batch = 0, list[Hint]()
        async for child in children:
            count += 1
            batch.append(self._hint(f"child/{child.id}/{suffix}", child))
            if len(batch) == HINTS_AT_ONCE:
                await send_hints(self.ports, *batch)
                batch.clear()
        await send_hints(self.ports, *batch)
        return count

    # -- both --------------------------------------------------------------------------------------------------------

    def _hint(self, name: str, record: RecordKey) -> Hint:
        return Hint(name, record, Why.UPSERT, Source.FLOW, self.ports.clock.now())

    def _minute(self) -> int:
        return int(self.ports.clock.now().timestamp() // 60)

    def _give_way(self, row: LedgerRow, reason: Reason) -> None:
        """As a turn does on its own row (step 2): seldom while a claim lasts long, for many may wait. Raises Retry."""
        if (claim := self._live_claim(row)) is not None:
            wait_s = claim.look_again_s(self.ports.clock.now(), self.hint.attempt) + self._soon_s()
            raise Retry(reason, str(row.key), after_s=wait_s)

    def _live_claim(self, row: LedgerRow) -> Claim | None:
        return row.claim if row.claim is not None and row.claim.until > self.ports.clock.now() else None

    def _soon_s(self) -> float:
        return self.ports.random.uniform(1, 5)
