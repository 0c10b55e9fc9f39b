"""Rows of Dynamics, read for one mapping."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence

from shared.domain.contact import Contact
from shared.domain.mapping import Mapping
from shared.errors import Reason, Retry
from shared.ports import Ports


async def read_contact(ports: Ports, mapping: Mapping, contact_id: str) -> Contact | None:
    """The row as it is now; None if there is none. Raises an Outcome."""
    row = await ports.dynamics.contact(contact_id)
    return None if row is None else _whole(frozenset(mapping.columns), row)


async def read_contacts(ports: Ports, mapping: Mapping, contact_ids: Sequence[str]) -> MappingOf[str, Contact]:
    """The rows that exist, by id. Raises an Outcome."""
    rows = await ports.dynamics.contacts(contact_ids)
    columns = frozenset(mapping.columns)
    return {key: _whole(columns, row) for key, row in rows.items()}


def _whole(columns: frozenset[str], row: Contact) -> Contact:
    """A row that was read while the mapping changed may lack a column, which must not look like an empty one."""
    if not row.columns.keys() >= columns:
        raise Retry(Reason.ROW_CHANGED, "read while the mapping changed", after_s=1)
    return row
