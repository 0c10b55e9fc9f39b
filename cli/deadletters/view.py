"""A letter as a person or a file gets it: without personal data, unless values were asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cli.deadletters.choice import readable, table_of
from cli.reason_register import Entry, entry
from shared.domain.change import Hint, Lane
from shared.domain.resync import PageOrder
from shared.stores.letter import LINEAGE, MARKS, DeadLetter, Place, Property
from shared.stores.letter_desk import Edit
from shared.wire import Message, UnreadableError, decode

# Properties that the bridge or the broker writes; a foreign sender's may hold anything.
OUR_PROPERTIES = MARKS | LINEAGE
REDACTED = "(not shown; --show-values)"


@dataclass(frozen=True)
class Line:
    """One letter in a list. `record`: what a hint asks to look at."""

    number: int
    queue: Lane
    place: Place
    lane: Lane | None
    reason: str
    detail: str
    message_id: str
    table: str | None
    record: str | None
    enqueued_at: datetime | None
    delivery_count: int


@dataclass(frozen=True)
class EditView:
    """An edit in force: who made it, when and why, and what the letter will be replayed as."""

    at: datetime
    who: str
    why: str
    body: object


@dataclass(frozen=True)
class LetterView:
    """One letter. `body`: a hint as it is, ids only; of anything else a summary, unless values were asked for."""

    line: Line
    reason: Entry
    properties: Mapping[str, Property]
    body: object
    edit: EditView | None = None


def line(letter: DeadLetter) -> Line:
    """For a list."""
    message = readable(letter.body)
    return Line(
        number=letter.sequence_number,
        queue=letter.queue,
        place=letter.place,
        lane=letter.lane,
        reason=letter.reason,
        detail=letter.description,
        message_id=letter.message_id,
        table=table_of(message),
        record=str(message.record) if isinstance(message, Hint) else None,
        enqueued_at=letter.enqueued_at,
        delivery_count=letter.delivery_count,
    )


def view(letter: DeadLetter, *, show_values: bool, edit: Edit | None = None) -> LetterView:
    """For a closer look, and for an export."""
    return LetterView(
        line=line(letter),
        reason=entry(letter.reason),
        properties={
            name: value if show_values or name in OUR_PROPERTIES else REDACTED
            for name, value in letter.properties.items()
        },
        body=_body(letter.body, show_values=show_values),
        edit=None if edit is None else _edit(edit, show_values=show_values),
    )


def _edit(edit: Edit, *, show_values: bool) -> EditView:
    return EditView(edit.at, edit.who, edit.why, _body(edit.edited, show_values=show_values))


def _body(body: bytes, *, show_values: bool) -> object:
    try:
        message = decode(body)
    except UnreadableError as error:
        shown = body.decode("utf-8", "replace") if show_values else REDACTED
        return {"kind": "unknown", "bytes": len(body), "problem": str(error), "text": shown}
    if isinstance(message, Hint):
        return {"kind": "hint", "record": str(message.record), "why": message.why, **_history(message)} | {
            "columns": sorted(message.columns),
            "source": message.source,
            "by": message.by,
        }
    if isinstance(message, PageOrder):
        place = {"run": message.run, "partition": message.partition, "page": message.page, "epoch": message.epoch}
        return {"kind": "page", **_history(message), **place}
    facts: object = message.facts if show_values else dict(Counter(str(fact.event) for fact in message.facts))
    return {"kind": "facts", **_history(message), "count": len(message.facts), "facts": facts}


def _history(message: Message) -> dict[str, object]:
    return {"id": message.id, "first_seen": message.first_seen, "attempt": message.attempt}
