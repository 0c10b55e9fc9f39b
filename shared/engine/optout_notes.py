"""Noting that both sides agree on a row's opt-outs, so that the sweep need not ask Campaign."""

from __future__ import annotations

from shared.domain.change import RecordKey
from shared.domain.contact import Contact
from shared.domain.mapping import Mapping
from shared.flows import sweep
from shared.ports import Ports
from shared.ports.sweep import OptOutNote


async def note(ports: Ports, mapping: Mapping, row: Contact) -> None:
    """Both sides say what the row says. Raises Retry."""
    record = RecordKey(mapping.table, row.id)
    await ports.opt_out_notes.note(OptOutNote(record, sweep.opt_out_digest(mapping, row), row.modified_on))


async def note_created(ports: Ports, mapping: Mapping, row: Contact) -> None:
    """A new profile was given the row's opt-outs. Without any that are TRUE nothing is noted: that is the usual."""
    if any(mapping.opted_out(row).values()):
        await note(ports, mapping, row)
