"""Messages ↔ bytes: JSON with a version, checked by pydantic on the way in."""

from __future__ import annotations

from typing import Annotated, Literal, assert_never

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.domain.change import Hint, RecordKey, Source, Why
from shared.domain.fact import EmailEvent, Fact, FactChunk
from shared.domain.resync import PageOrder

VERSION = 1
Message = Hint | FactChunk | PageOrder
Text = Annotated[str, Field(max_length=300)]


class UnreadableError(ValueError):
    """Not a message of ours. The text names places and kinds of error, never a value."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Hint(_Model):
    v: Literal[1]
    kind: Literal["hint"]
    id: Text
    table: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
    record: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    why: Why
    source: Source
    first_seen: AwareDatetime
    columns: list[Text] = []
    by: Text | None = None
    attempt: int = 0
    created: bool = False
    origin: Text | None = None
    changed_at: AwareDatetime | None = None


class _Fact(_Model):
    id: Text
    event: EmailEvent
    contact: Text
    campaign: Text
    delivery: Text
    at: AwareDatetime
    tracking_url: str | None = None
    mirror_page_url: str | None = None


class _Chunk(_Model):
    v: Literal[1]
    kind: Literal["facts"]
    id: Text
    first_seen: AwareDatetime
    attempt: int = 0
    facts: list[_Fact]


class _Page(_Model):
    v: Literal[1]
    kind: Literal["page"]
    run: Annotated[str, Field(pattern=r"^[0-9a-z-]{1,60}$")]
    partition: Annotated[int, Field(ge=0)]
    page: Annotated[int, Field(ge=0)]
    epoch: Annotated[int, Field(ge=1)]
    first_seen: AwareDatetime
    attempt: int = 0


_MESSAGE: TypeAdapter[_Hint | _Chunk | _Page] = TypeAdapter(
    Annotated[_Hint | _Chunk | _Page, Field(discriminator="kind")]
)


def encode(message: Message) -> bytes:
    """The inverse of `decode`."""
    return _out(message).model_dump_json().encode()


def _out(message: Message) -> _Hint | _Chunk | _Page:
    match message:
        case Hint():
            return _hint_out(message)
        case FactChunk():
            return _chunk_out(message)
        case PageOrder():
            return _page_out(message)
        case _:
            assert_never(message)


def decode(body: bytes) -> Message:
    """Raises UnreadableError."""
    try:
        message = _MESSAGE.validate_json(body)
    except ValidationError as error:
        places = {".".join(str(part)[:40] for part in e["loc"]) or "message": e["type"] for e in error.errors()}
        raise UnreadableError("; ".join(f"{place}: {kind}" for place, kind in sorted(places.items())[:5])) from None
    match message:
        case _Hint():
            return _hint_in(message)
        case _Chunk():
            return _chunk_in(message)
        case _Page():
            return _page_in(message)
        case _:
            assert_never(message)


def decode_hint(body: bytes) -> Hint:
    """Raises UnreadableError, also for a message that is no hint."""
    message = decode(body)
    if not isinstance(message, Hint):
        raise UnreadableError("kind: not a hint")
    return message


def decode_facts(body: bytes) -> FactChunk:
    """Raises UnreadableError, also for a message that holds no facts."""
    message = decode(body)
    if not isinstance(message, FactChunk):
        raise UnreadableError("kind: not facts")
    return message


def decode_bulk(body: bytes) -> Hint | PageOrder:
    """Raises UnreadableError, also for a message that neither orders a page nor names a row."""
    message = decode(body)
    if isinstance(message, FactChunk):
        raise UnreadableError("kind: neither a page nor a hint")
    return message


def _hint_out(hint: Hint) -> _Hint:
    return _Hint(
        v=VERSION,
        kind="hint",
        id=hint.id,
        table=hint.record.table,
        record=hint.record.id,
        why=hint.why,
        source=hint.source,
        first_seen=hint.first_seen,
        columns=sorted(hint.columns),
        by=hint.by,
        attempt=hint.attempt,
        created=hint.created,
        origin=hint.origin,
        changed_at=hint.changed_at,
    )


def _hint_in(m: _Hint) -> Hint:
    key = RecordKey(m.table, m.record)
    columns = frozenset(m.columns)
    rest = (m.by, m.attempt, m.created, m.origin, m.changed_at)
    return Hint(m.id, key, m.why, m.source, m.first_seen, columns, *rest)


def _chunk_out(chunk: FactChunk) -> _Chunk:
    facts = [
        _Fact(
            id=f.id,
            event=f.event,
            contact=f.contact_id,
            campaign=f.campaign,
            delivery=f.delivery,
            at=f.at,
            tracking_url=f.tracking_url,
            mirror_page_url=f.mirror_page_url,
        )
        for f in chunk.facts
    ]
    return _Chunk(v=VERSION, kind="facts", id=chunk.id, first_seen=chunk.first_seen, attempt=chunk.attempt, facts=facts)


def _chunk_in(m: _Chunk) -> FactChunk:
    facts = tuple(
        Fact(f.id, f.event, f.contact, f.campaign, f.delivery, f.at, f.tracking_url, f.mirror_page_url) for f in m.facts
    )
    return FactChunk(m.id, facts, m.first_seen, m.attempt)


def _page_out(order: PageOrder) -> _Page:
    return _Page(
        v=VERSION,
        kind="page",
        run=order.run,
        partition=order.partition,
        page=order.page,
        epoch=order.epoch,
        first_seen=order.first_seen,
        attempt=order.attempt,
    )


def _page_in(m: _Page) -> PageOrder:
    return PageOrder(m.run, m.partition, m.page, m.epoch, m.first_seen, m.attempt)
