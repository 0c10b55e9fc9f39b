"""Rows of Dynamics, read for one mapping."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence

from shared.domain.change import RecordKey
from shared.domain.contact import Contact
from shared.domain.mapping import Mapping, Mappings
from shared.errors import Drop, Reason, Retry
from shared.ports import Ports


def mapping_of(mappings: Mappings, table: str) -> Mapping:
    """The table's. Raises Drop where it is not mapped any more."""
    mapping = mappings.of(table)
    if mapping is None:
        raise Drop(Reason.NOT_MAPPED, table)
    return mapping


async def read_row(ports: Ports, mapping: Mapping, record_id: str) -> Contact | None:
    """The row as it is now; None if there is none. Raises an Outcome."""
    row = await ports.dynamics.read(RecordKey(mapping.table, record_id))
    return None if row is None else _whole(frozenset(mapping.columns), row)


async def read_rows(ports: Ports, mapping: Mapping, ids: Sequence[str]) -> MappingOf[str, Contact]:
    """The rows that exist, by id. Raises an Outcome."""
    rows = await ports.dynamics.read_many(mapping.table, ids)
    columns = frozenset(mapping.columns)
    return {key: _whole(columns, row) for key, row in rows.items()}


def _whole(columns: frozenset[str], row: Contact) -> Contact:
    """A row that was read while the mapping changed may lack a column, which must not look like an empty one."""
    if not row.columns.keys() >= columns:
        raise Retry(Reason.ROW_CHANGED, "read while the mapping changed", after_s=1)
    return row
