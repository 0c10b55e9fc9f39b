"""A row event → the hints it gives: which lanes must look at the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from shared.domain.change import Hint, RowChange, RowEvent, Source, Why
from shared.domain.mapping import Mapping, Mappings


def decide(mappings: Mappings, event: RowEvent, source: Source, event_id: str, now: datetime) -> list[Hint]:
    """Empty where no mapping has a use for the change.

    A creation needs no opt-out hint of its own: the new profile carries the flags. Own writes are hinted like
    anyone's (rule M2).
    """
    mapping = mappings.of(event.record.table)
    if mapping is None:
        return []
    bare = [Hint(f"{event_id}/{why}", event.record, why, source, now) for why in _reasons(mapping, event)]
    return [_told(mapping, event, hint) for hint in bare]


def _reasons(mapping: Mapping, event: RowEvent) -> list[Why]:
    if event.change is RowChange.DELETE:
        return [Why.DELETE]
    if event.change is RowChange.CREATE:
        return [Why.UPSERT]
    wanted = {Why.UPSERT: mapping.field_columns, Why.OPTOUT: mapping.opt_out_columns}
    return [why for why, columns in wanted.items() if columns and (event.columns is None or columns & event.columns)]


def _told(mapping: Mapping, event: RowEvent, hint: Hint) -> Hint:
    """The hint with what the event says of the change."""
    columns = mapping.opt_out_columns if hint.why is Why.OPTOUT else mapping.field_columns
    named = (event.columns or frozenset()) & columns if event.change is RowChange.UPDATE else frozenset()
    told = replace(hint, columns=named, by=event.by, created=event.change is RowChange.CREATE)
    return replace(told, changed_at=event.changed_at) if hint.why is Why.OPTOUT else told
