"""A row event → the hints it gives: which lanes must look at the record."""

from __future__ import annotations

from datetime import datetime

from shared.domain.change import Hint, RowChange, RowEvent, Source, Why
from shared.domain.mapping import Mapping


def decide(mapping: Mapping, event: RowEvent, source: Source, event_id: str, now: datetime) -> list[Hint]:
    """Empty where the mapping has no use for the change.

    A creation needs no opt-out hint of its own: the new profile carries the flags. Own writes are hinted like
    anyone's (rule M2).
    """
    if event.record.table != mapping.table:
        return []
    return [
        Hint(f"{event_id}/{why}", event.record, why, source, now, _named(mapping, event, why), event.by)
        for why in _reasons(mapping, event)
    ]


def _reasons(mapping: Mapping, event: RowEvent) -> list[Why]:
    if event.change is RowChange.DELETE:
        return [Why.DELETE]
    if event.change is RowChange.CREATE:
        return [Why.UPSERT]
    wanted = {Why.UPSERT: mapping.field_columns, Why.OPTOUT: mapping.opt_out_columns}
    return [why for why, columns in wanted.items() if columns and (event.columns is None or columns & event.columns)]


def _named(mapping: Mapping, event: RowEvent, why: Why) -> frozenset[str]:
    """A creation submits every column; so its hint also says that the opt-outs may be news (a restored contact)."""
    if event.change is RowChange.CREATE:
        return mapping.field_columns | mapping.opt_out_columns
    columns = mapping.opt_out_columns if why is Why.OPTOUT else mapping.field_columns
    return (event.columns or frozenset()) & columns
