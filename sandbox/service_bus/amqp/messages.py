"""Messages (part 3, section 3.2): what a broker reads of them, what it stamps on them, and requests and responses."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sandbox.service_bus.amqp.decoding import decode, first_field, skip
from sandbox.service_bus.amqp.encoding import encode, encode_composite
from sandbox.service_bus.amqp.types import AmqpValue, DecodeError, Described, Symbol, UInt, ULong

HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS = 0x70, 0x71, 0x72
PROPERTIES, APPLICATION_PROPERTIES, DATA, SEQUENCE, VALUE, FOOTER = 0x73, 0x74, 0x75, 0x76, 0x77, 0x78

#: `message-format` of a transfer whose data sections are whole messages.
BATCH_FORMAT = 0x80013700
SCHEDULED_TIME = "x-opt-scheduled-enqueue-time"
_STAMPED = frozenset(
    {
        "x-opt-sequence-number",
        "x-opt-enqueued-time",
        "x-opt-enqueue-sequence-number",
        "x-opt-locked-until",
        "x-opt-message-state",
    }
)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was sent, and the few things in it that the broker acts on.

    `raw` is the whole message; from `bare_offset` on it is never changed by the broker. `annotations` are the sender's
    own message annotations, already encoded as `annotation_items` keys and values. `message_id` is None or the encoded
    value (which keeps its type), times are milliseconds.
    """

    raw: bytes
    bare_offset: int
    durable: bool | None
    priority: int | None
    ttl_ms: int | None
    annotations: bytes
    annotation_items: int
    message_id: bytes | None
    scheduled_ms: int | None


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the broker says of a message when it hands it out; times are milliseconds since 1970 UTC."""

    delivery_count: int
    sequence: int
    enqueued_ms: int
    enqueue_sequence: int
    locked_until_ms: int | None = None
    state: int | None = None


def sections(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Descriptor, offset of the value and end offset of each section. Raises DecodeError."""
    offset, last = 0, 0
    while offset < len(raw):
        if raw[offset] != 0:
            raise DecodeError("a message section has no descriptor")
        descriptor, start = decode(raw, offset + 1)
        if not isinstance(descriptor, int) or not HEADER <= descriptor <= FOOTER or descriptor < last:
            raise DecodeError(f"{descriptor!r} is not a message section at its place")
        last, offset = descriptor, skip(raw, start)
        yield descriptor, start, offset


def parse(raw: bytes) -> Message:
    """Reads what the broker needs and leaves the rest as bytes. Raises DecodeError."""
    header: list[AmqpValue] = []
    annotations: dict[AmqpValue, AmqpValue] = {}
    message_id: bytes | None = None
    bare_offset, body = 0, False
    for descriptor, start, end in sections(raw):
        if descriptor <= MESSAGE_ANNOTATIONS:
            bare_offset = end
        if descriptor == HEADER:
            header = _of_type(list, decode(raw, start)[0], "header")
        elif descriptor == MESSAGE_ANNOTATIONS:
            annotations = _of_type(dict, decode(raw, start)[0], "message annotations")
        elif descriptor == PROPERTIES:
            found = first_field(raw, start)
            message_id = None if found is None else encode(found)
        body = body or DATA <= descriptor <= VALUE
    if not body:
        raise DecodeError("a message has no body section")
    durable, priority, ttl = [*header, None, None, None][:3]
    scheduled = annotations.get(SCHEDULED_TIME)
    if not isinstance(ttl, int | None) or not isinstance(scheduled, int | None):
        raise DecodeError("ttl and scheduled enqueue time are numbers of milliseconds")
    kept = [(key, value) for key, value in annotations.items() if key not in _STAMPED]
    encoded = b"".join(encode(key) + encode(value) for key, value in kept)
    return Message(raw, bare_offset, durable, priority, ttl, encoded, 2 * len(kept), message_id, scheduled)


def parse_batch(envelope: bytes) -> list[Message]:
    """The messages inside a batch. What the envelope itself says is ignored, as SDKs differ on it."""
    found = []
    for descriptor, start, _ in sections(envelope):
        if descriptor == DATA:
            found.append(parse(_of_type(bytes, decode(envelope, start)[0], "data")))
    if not found:
        raise DecodeError("a batch holds no message")
    return found


def _of_type(kind: type, value: AmqpValue, section: str) -> AmqpValue:
    if not isinstance(value, kind):
        raise DecodeError(f"the section {section} is not a {kind.__name__}")
    return value


def _numbered(name: str, constructor: int) -> bytes:
    return encode(Symbol(name)) + bytes([constructor])


_LONG = struct.Struct(">q").pack
_SEQUENCE = _numbered("x-opt-sequence-number", 0x81)
_ENQUEUE_SEQUENCE = _numbered("x-opt-enqueue-sequence-number", 0x81)
_ENQUEUED = _numbered("x-opt-enqueued-time", 0x83)
_LOCKED = _numbered("x-opt-locked-until", 0x83)
_STATE = _numbered("x-opt-message-state", 0x54)
_ANNOTATIONS = b"\x00\x53\x72\xd1"


def stamped(message: Message, stamp: Stamp) -> bytes:
    """The message as it goes out: header with delivery count, annotations, and the bare message untouched."""
    pairs = (
        message.annotations
        + _SEQUENCE
        + _LONG(stamp.sequence)
        + _ENQUEUED
        + _LONG(stamp.enqueued_ms)
        + _ENQUEUE_SEQUENCE
        + _LONG(stamp.enqueue_sequence)
    )
    items = message.annotation_items + 6
    if stamp.locked_until_ms is not None:
        pairs, items = pairs + _LOCKED + _LONG(stamp.locked_until_ms), items + 2
    if stamp.state is not None:
        pairs, items = pairs + _STATE + bytes([stamp.state]), items + 2
    header = encode_composite(
        HEADER, [message.durable, message.priority, message.ttl_ms, None, UInt(stamp.delivery_count)]
    )
    size = struct.pack(">II", len(pairs) + 4, items)
    return header + _ANNOTATIONS + size + pairs + message.raw[message.bare_offset :]


def with_properties(message: Message, added: Mapping[str, AmqpValue]) -> Message:
    """The message with these application properties added or replaced, all other bytes as they were."""
    if not added:
        return message
    raw, merged, place = message.raw, dict[AmqpValue, AmqpValue](), message.bare_offset
    after = place
    for descriptor, start, end in sections(raw):
        if descriptor == PROPERTIES:
            place = after = end
        elif descriptor == APPLICATION_PROPERTIES:
            merged, after = _of_type(dict, decode(raw, start)[0], "application properties"), end
    merged.update(added)
    section = b"\x00\x53\x74" + encode(merged)
    return parse(raw[:place] + section + raw[after:])


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a node such as `$management`; `message_id` keeps its AMQP type."""

    message_id: AmqpValue
    reply_to: str | None
    properties: dict[str, AmqpValue]
    body: AmqpValue


def parse_request(raw: bytes) -> Request:
    """Raises DecodeError."""
    found: dict[int, AmqpValue] = {descriptor: decode(raw, start)[0] for descriptor, start, _ in sections(raw)}
    fields = [*_of_type(list, found.get(PROPERTIES, []), "properties"), *[None] * 5]
    properties = _of_type(dict, found.get(APPLICATION_PROPERTIES, {}), "application properties")
    return Request(fields[0], fields[4], properties, found.get(VALUE))


def encode_response(correlation_id: AmqpValue, properties: Mapping[str, AmqpValue], body: AmqpValue) -> bytes:
    """A response; the correlation id goes back with the type that the request gave it."""
    return (
        encode_composite(PROPERTIES, [None] * 5 + [correlation_id])
        + encode(Described(ULong(APPLICATION_PROPERTIES), dict(properties)))
        + encode(Described(ULong(VALUE), body))
    )
