"""A record's parents and children: never a child before its parent, never a parent gone under a child's write.

Campaign hides a record whose required parent it does not have, and answers a write to a hidden one with an error. The
ledger rows serve as locks. A child claims its row and then reads its parents' rows; a parent that is to go claims its
row and then reads its children's rows. Whoever comes second sees the other's claim and gives way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import timedelta

from shared.domain.change import Hint, RecordKey, Source, Why
from shared.domain.ledger import Absent, LedgerRow, Present, Unknown
from shared.domain.mapping import Mappings
from shared.engine.lanes import send_hints
from shared.engine.reading import read_row
from shared.errors import Reason, Retry
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

    # -- as a child --------------------------------------------------------------------------------------------------

    async def await_parents(self, parents: Collection[RecordKey], joined: Collection[RecordKey]) -> None:
        """Every parent is in Campaign. Raises Retry otherwise; one that could be there is hinted at once.

        `joined`: those of whom the child is known to be a child.
        """
        if new := sorted(set(parents) - set(joined)):
            await self.ports.family.join(self.record, new)
        for parent in sorted(parents):
            row = await self._at_rest(parent)
            if not isinstance(row.state, Present):
                raise await self._missing(parent)

    async def parents_at_rest(self, parents: Collection[RecordKey]) -> bool:
        """Nobody works on a parent: a child may go. Whether all of them are in Campaign. Raises Retry."""
        rows = [await self._at_rest(parent) for parent in sorted(parents)]
        return all(isinstance(row.state, Present) for row in rows)

    async def leave(self, parents: Collection[RecordKey]) -> None:
        """The record is no longer theirs."""
        if parents:
            await self.ports.family.leave(self.record, parents)

    async def _at_rest(self, parent: RecordKey) -> LedgerRow:
        row = await self.ports.ledger.get(parent)
        if self._claimed(row):
            raise Retry(Reason.PARENT_BUSY, str(parent), after_s=self._soon_s())
        return row

    async def _missing(self, parent: RecordKey) -> Retry:
        """Why the parent is not there, in words for people. Its storing releases the child; waiting is a safety net."""
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self.hint.attempt, 10))
        after_s = wait_s * self.ports.random.uniform(0.9, 1.1)
        mapping = self.mappings.of(parent.table)
        if mapping is None:
            return Retry(Reason.PARENT_MISSING, f"{parent}: its table is not mapped", after_s=after_s)
        row = await read_row(self.ports, mapping, parent.id)
        if row is None:
            return Retry(Reason.PARENT_MISSING, f"{parent}: not in Dynamics", after_s=after_s)
        if mapping.kept_out(row) is not None:
            return Retry(Reason.PARENT_MISSING, f"{parent}: kept out by its filters or its own parent", after_s=after_s)
        await self._hint_parent(parent)
        return Retry(Reason.PARENT_MISSING, f"{parent}: not in Campaign yet", after_s=after_s)

    async def _hint_parent(self, parent: RecordKey) -> None:
        """Once a minute, however many children wait: the broker drops the repetitions."""
        minute = int(self.ports.clock.now().timestamp() // 60)
        await send_hints(self.ports, self._hint(f"parent/{parent.id}/{minute}", parent))

    # -- as a parent -------------------------------------------------------------------------------------------------

    async def children_first(self) -> None:
        """A row that is gone lets its children go before it, while Campaign still shows them; but not for ever.

        At first their own announcements are awaited: a hint beside each would only be in its way. Raises Retry.
        """
        if not self.has_children or self.ports.clock.now() - self.hint.first_seen > CHILDREN_FIRST:
            return
        left = [child async for child, row in self._children() if not isinstance(row.state, Absent)]
        if left:
            if self.hint.attempt:
                await self._hint_children(left, str(int(self.ports.clock.now().timestamp() // 10)))
            raise Retry(Reason.CHILDREN_FIRST, f"{len(left)}, first {left[0]}", after_s=2 * self._soon_s())

    async def no_child_at_work(self) -> None:
        """Raises Retry while somebody works on a child: its write must not meet a parent that is gone."""
        if not self.has_children:
            return
        async for child in self.ports.family.children(self.record):
            if self._claimed(await self.ports.ledger.get(child)):
                raise Retry(Reason.CHILD_BUSY, str(child), after_s=self._soon_s())

    async def doubt_children(self) -> None:
        """The parent is gone, or was: Campaign deleted its children with it, or hid them."""
        doubted = [child async for child, row in self._children() if await self._doubt(row)]
        await self._hint_children(doubted, self.token)

    async def release_children(self) -> None:
        """The parent is in Campaign, after it was not, or nobody knew: whoever waits may go on."""
        if self.has_children:
            await self._hint_children([child async for child in self.ports.family.children(self.record)], self.token)

    async def _children(self) -> AsyncIterator[tuple[RecordKey, LedgerRow]]:
        """Those that were last sent under this parent; the family may know more that have moved."""
        if not self.has_children:
            return
        async for child in self.ports.family.children(self.record):
            row = await self.ports.ledger.get(child)
            if self.record in row.parents:
                yield child, row

    async def _doubt(self, row: LedgerRow) -> bool:
        """Whether the row had to be changed. A child that is being worked on finds out by itself."""
        while isinstance(row.state, Present) and self.record in row.parents:
            if await self.ports.ledger.put(replace(row, state=Unknown())) is not None:
                return True
            row = await self.ports.ledger.get(row.key)
        return False

    async def _hint_children(self, children: Collection[RecordKey], suffix: str) -> None:
        hints = [self._hint(f"child/{child.id}/{suffix}", child) for child in children]
        for start in range(0, len(hints), HINTS_AT_ONCE):
            await send_hints(self.ports, *hints[start : start + HINTS_AT_ONCE])

    # -- both --------------------------------------------------------------------------------------------------------

    def _hint(self, name: str, record: RecordKey) -> Hint:
        return Hint(name, record, Why.UPSERT, Source.FLOW, self.ports.clock.now())

    def _claimed(self, row: LedgerRow) -> bool:
        return row.claim is not None and row.claim.until > self.ports.clock.now()

    def _soon_s(self) -> float:
        return self.ports.random.uniform(1, 5)
