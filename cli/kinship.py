"""A record's parents, up to those that hold it back, and its children: what is read of them, and why one is missing."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.change import RecordKey
from shared.domain.contact import Contact
from shared.domain.ledger import LedgerRow, Present
from shared.domain.mapping import Link, Mapping, Mappings
from shared.ports import Ports

# More children than these are counted as "more": a contact may have thousands.
MOST_CHILDREN = 100


@dataclass(frozen=True)
class Parent:
    """A link of a record and where it leads. `record` None: the column is empty.

    `depth` 1: the record's own parent; 2: that one's. `row` is read only of a parent that the ledger does not have as
    present, which alone can be missing.
    """

    depth: int
    link: Link
    record: RecordKey | None
    ledger: LedgerRow | None
    row: Contact | None
    missing: str | None


@dataclass(frozen=True)
class Kinship:
    """`others`: ledger rows of those under whom the record was sent earlier. `more`: there are further children."""

    parents: tuple[Parent, ...] = ()
    others: tuple[LedgerRow, ...] = ()
    children: tuple[LedgerRow, ...] = ()
    more: bool = False

    @property
    def ledger_rows(self) -> tuple[LedgerRow, ...]:
        """All of them."""
        return (*(one.ledger for one in self.parents if one.ledger), *self.others, *self.children)

    @property
    def rows(self) -> dict[RecordKey, Contact]:
        """The parents' rows in Dynamics, as far as they were read and exist."""
        return {one.record: one.row for one in self.parents if one.record and one.row}


async def gather_kin(
    ports: Ports, mappings: Mappings, key: RecordKey, ledger: LedgerRow, row: Contact | None
) -> Kinship:
    """Reads Dynamics and the ledger, never Campaign. Raises Outcome."""
    mapping = mappings.of(key.table)
    parents = await _parents(ports, mappings, mapping, row) if mapping and row else []
    known = {one.record for one in parents}
    others = [await ports.ledger.get(parent) for parent in sorted(ledger.parents - known)]
    children, more = await _children(ports, key) if mappings.has_children(key.table) else ([], False)
    return Kinship(tuple(parents), tuple(others), tuple(children), more)


async def _parents(ports: Ports, mappings: Mappings, mapping: Mapping, row: Contact, depth: int = 1) -> list[Parent]:
    """Whoever holds a parent back stands behind it. Links that are needed make no circles."""
    found: list[Parent] = []
    for link in mapping.links if depth == 1 else [link for link in mapping.links if link.required]:
        parent = await _parent(ports, mappings, link, row, depth)
        found.append(parent)
        above = mappings.of(link.parent)
        if parent.row is not None and above is not None and link.required:
            found += await _parents(ports, mappings, above, parent.row, depth + 1)
    return found


async def _parent(ports: Ports, mappings: Mappings, link: Link, child: Contact, depth: int) -> Parent:
    value = child.columns.get(link.column)
    if not value:
        missing = f"{link.column} is empty" if link.required else None
        return Parent(depth, link, None, None, None, missing)
    record = RecordKey(link.parent, str(value))
    ledger, mapping = await ports.ledger.get(record), mappings.of(link.parent)
    if isinstance(ledger.state, Present) or mapping is None:
        return Parent(depth, link, record, ledger, None, None if mapping else "its table is not mapped")
    row = await ports.dynamics.read(record)
    return Parent(depth, link, record, ledger, row, _missing(mapping, row))


def _missing(mapping: Mapping, row: Contact | None) -> str:
    """Why a parent that the ledger does not have as present is not there."""
    if row is None:
        return "Dynamics has no such row"
    if not mapping.passes(row):
        return "kept out by its table's filters"
    if mapping.kept_out(row) is not None:
        return "lacks a parent of its own"
    return "not sent yet, or in doubt; the child's hint hints it at once"


async def _children(ports: Ports, key: RecordKey) -> tuple[list[LedgerRow], bool]:
    found: list[LedgerRow] = []
    async for child in ports.family.children(key):
        if len(found) == MOST_CHILDREN:
            return found, True
        found.append(await ports.ledger.get(child))
    return found, False
