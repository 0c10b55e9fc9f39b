"""A record's parents, up to those that hold it back, and all below it: what is read of them, and why one is missing."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.domain.change import RecordKey
from shared.domain.contact import Contact
from shared.domain.ledger import LedgerRow, Present
from shared.domain.mapping import Link, Mapping, Mappings
from shared.ports import Ports

# More descendants than these are counted as "more": a contact may have thousands.
MOST_CHILDREN = 100


@dataclass(frozen=True)
class Parent:
    """A link of a record and where it leads. `record` None: the column is empty.

    `depth` 1: the record's own parent; 2: that one's. `row` is read only of a parent that the ledger does not have as
    present.
    """

    depth: int
    link: Link
    record: RecordKey | None
    ledger: LedgerRow | None
    row: Contact | None
    missing: str | None


@dataclass(frozen=True)
class Kinship:
    """`ledger_rows` and `rows` (in Dynamics): of everybody above and below, as far as the engine may ask for them.

    `below`: child and parent of each pair; `more`: there are further ones.
    """

    parents: tuple[Parent, ...] = ()
    ledger_rows: tuple[LedgerRow, ...] = ()
    rows: tuple[tuple[RecordKey, Contact], ...] = ()
    below: tuple[tuple[RecordKey, RecordKey], ...] = ()
    more: bool = False

    def row(self, key: RecordKey) -> Contact | None:
        """None: Dynamics does not have it, or it was not read."""
        return dict(self.rows).get(key)

    def children(self, key: RecordKey) -> int:
        """How many need that record directly."""
        return sum(parent == key for _, parent in self.below)


async def gather_kin(
    ports: Ports, mappings: Mappings, ledger: LedgerRow, row: Contact | None, *, below: bool = True
) -> Kinship:
    """Of the ledger row's record. Reads Dynamics and the ledger, never Campaign. `below`: its children, too.

    Raises Outcome.
    """
    key = ledger.key
    visit = _Visit(ports, mappings)
    mapping = mappings.of(key.table)
    parents = await visit.parents(mapping, row) if mapping and row else []
    for former in sorted(ledger.parents):
        await visit.ancestors(former)
    if below:
        await visit.descend(key)
    rows = tuple((key, row) for key, row in visit.rows.items() if row)
    return Kinship(tuple(parents), tuple(visit.ledger_rows.values()), rows, tuple(visit.below), visit.more)


@dataclass
class _Visit:
    """Reads each record of a family once."""

    ports: Ports
    mappings: Mappings
    ledger_rows: dict[RecordKey, LedgerRow] = field(default_factory=dict)
    rows: dict[RecordKey, Contact | None] = field(default_factory=dict)
    below: list[tuple[RecordKey, RecordKey]] = field(default_factory=list)
    more: bool = False

    async def parents(self, mapping: Mapping, row: Contact, depth: int = 1) -> list[Parent]:
        """Whoever holds a parent back stands behind it. Links that are needed make no circles."""
        found: list[Parent] = []
        for link in mapping.links if depth == 1 else [link for link in mapping.links if link.required]:
            parent = await self._parent(link, row, depth)
            found.append(parent)
            above = self.mappings.of(link.parent)
            if parent.row is not None and above is not None and link.required:
                found += await self.parents(above, parent.row, depth + 1)
        return found

    async def _parent(self, link: Link, child: Contact, depth: int) -> Parent:
        value = child.columns.get(link.column)
        if not value:
            missing = f"{link.column} is empty" if link.required else None
            return Parent(depth, link, None, None, None, missing)
        record = RecordKey(link.parent, str(value))
        lost = await self.ancestors(record)
        row = self.rows.get(record)
        missing = None
        if lost is not None:
            missing = self._why(record) if lost == record else f"{lost} above it is not there"
        return Parent(depth, link, record, self.ledger_rows[record], row, missing)

    async def ancestors(self, key: RecordKey) -> RecordKey | None:
        """Reads the record and all above it; the first that the ledger does not have as present, from below."""
        ledger = self.ledger_rows[key] = await self.ports.ledger.get(key)
        present = isinstance(ledger.state, Present)
        if not present and self.mappings.of(key.table) is not None:
            self.rows[key] = await self.ports.dynamics.read(key)
        above = [await self.ancestors(one) for one in sorted(ledger.parents)]
        return next((lost for lost in above if lost), None) if present else key

    def _why(self, key: RecordKey) -> str:
        mapping, row = self.mappings.of(key.table), self.rows.get(key)
        if mapping is None:
            return "its table is not mapped"
        if row is None:
            return "Dynamics has no such row"
        if not mapping.passes(row):
            return "kept out by its table's filters"
        if mapping.kept_out(row) is not None:
            return "lacks a parent of its own"
        return "not sent yet, in doubt, or held back by what is above it"

    async def descend(self, parent: RecordKey) -> None:
        """Reads all below, up to a bound."""
        if not self.mappings.has_children(parent.table):
            return
        async for child in self.ports.family.children(parent):
            if len(self.below) == MOST_CHILDREN:
                self.more = True
                return
            self.below.append((child, parent))
            self.ledger_rows[child] = await self.ports.ledger.get(child)
            await self.descend(child)
