"""The performatives of AMQP 1.0 (part 2, section 2.7; SASL: part 5, section 5.3.3) and the outcomes of a delivery."""

from __future__ import annotations

from typing import NamedTuple

from sandbox.service_bus.amqp.decoding import decode
from sandbox.service_bus.amqp.encoding import encode_composite
from sandbox.service_bus.amqp.types import AmqpValue, DecodeError, Described, Symbol, ULong


class Open(NamedTuple):
    """Starts a connection; `idle_time_out` in milliseconds."""

    container_id: str
    hostname: str | None = None
    max_frame_size: int | None = None
    channel_max: int | None = None
    idle_time_out: int | None = None
    outgoing_locales: AmqpValue = None
    incoming_locales: AmqpValue = None
    offered_capabilities: AmqpValue = None
    desired_capabilities: AmqpValue = None
    properties: AmqpValue = None


class Begin(NamedTuple):
    """Starts a session; windows count transfer frames."""

    remote_channel: int | None
    next_outgoing_id: int
    incoming_window: int
    outgoing_window: int
    handle_max: int | None = None
    offered_capabilities: AmqpValue = None
    desired_capabilities: AmqpValue = None
    properties: AmqpValue = None


class Attach(NamedTuple):
    """Starts a link; `role` is true for the end that receives."""

    name: str
    handle: int
    role: bool
    snd_settle_mode: int | None = None
    rcv_settle_mode: int | None = None
    source: Described | None = None
    target: Described | None = None
    unsettled: AmqpValue = None
    incomplete_unsettled: bool | None = None
    initial_delivery_count: int | None = None
    max_message_size: int | None = None
    offered_capabilities: AmqpValue = None
    desired_capabilities: AmqpValue = None
    properties: AmqpValue = None


class Flow(NamedTuple):
    """Window of a session and, with a handle, credit of a link."""

    next_incoming_id: int | None
    incoming_window: int
    next_outgoing_id: int
    outgoing_window: int
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None
    available: int | None = None
    drain: bool | None = None
    echo: bool | None = None
    properties: AmqpValue = None


class Transfer(NamedTuple):
    """A message or a part of one; the payload follows the performative in the frame."""

    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool | None = None
    rcv_settle_mode: int | None = None
    state: Described | None = None
    resume: bool | None = None
    aborted: bool | None = None
    batchable: bool | None = None


class Disposition(NamedTuple):
    """The state of the deliveries `first` to `last`; `role` is true for the end that received them."""

    role: bool
    first: int
    last: int | None = None
    settled: bool | None = None
    state: Described | None = None
    batchable: bool | None = None


class Detach(NamedTuple):
    """Ends a link."""

    handle: int
    closed: bool | None = None
    error: Described | None = None


class End(NamedTuple):
    """Ends a session."""

    error: Described | None = None


class Close(NamedTuple):
    """Ends a connection."""

    error: Described | None = None


class SaslMechanisms(NamedTuple):
    """What the server offers."""

    mechanisms: AmqpValue


class SaslInit(NamedTuple):
    """What the client chose."""

    mechanism: str
    initial_response: bytes | None = None
    hostname: str | None = None


class SaslOutcome(NamedTuple):
    """Result of the login; code 0 is success."""

    code: int
    additional_data: bytes | None = None


Performative = (
    Open
    | Begin
    | Attach
    | Flow
    | Transfer
    | Disposition
    | Detach
    | End
    | Close
    | SaslMechanisms
    | SaslInit
    | SaslOutcome
)

_CODES: dict[type, int] = {
    Open: 0x10,
    Begin: 0x11,
    Attach: 0x12,
    Flow: 0x13,
    Transfer: 0x14,
    Disposition: 0x15,
    Detach: 0x16,
    End: 0x17,
    Close: 0x18,
    SaslMechanisms: 0x40,
    SaslInit: 0x41,
    SaslOutcome: 0x44,
}
_CLASSES: dict[int, AmqpValue] = {code: kind for kind, code in _CODES.items()}

ERROR, RECEIVED, ACCEPTED, REJECTED, RELEASED, MODIFIED, TRANSACTIONAL = 0x1D, 0x23, 0x24, 0x25, 0x26, 0x27, 0x34


def encode_performative(performative: Performative) -> bytes:
    """Descriptor and all fields, the absent ones as null."""
    return encode_composite(_CODES[type(performative)], performative)


def decode_performative(data: bytes) -> tuple[Performative, int]:
    """The performative at the start of a frame body and the offset of what follows it. Raises DecodeError."""
    described, end = decode(data)
    if not isinstance(described, Described) or not isinstance(described.value, list):
        raise DecodeError("a frame does not start with a performative")
    kind = _CLASSES.get(described.descriptor)
    if kind is None:
        raise DecodeError(f"{described.descriptor!r} describes no performative that is known here")
    fields = described.value
    if len(fields) > len(kind._fields):
        raise DecodeError(f"{kind.__name__.lower()} has {len(kind._fields)} fields, not {len(fields)}")
    required = len(kind._fields) - len(kind._field_defaults)
    missing = kind._fields[len(fields) : required]
    if missing:
        raise DecodeError(f"{kind.__name__.lower()} lacks {', '.join(missing)}")
    performative: Performative = kind(*fields)
    return performative, end


def amqp_error(condition: str, description: str) -> Described:
    """The error type with all three fields: azure-servicebus waits for ever on a rejected send that has only two."""
    return Described(ULong(ERROR), [Symbol(condition), description, {}])


def outcome(code: int, *fields: AmqpValue) -> Described:
    """An outcome such as accepted; `fields` in the order of the standard."""
    return Described(ULong(code), list(fields))


def rejected(condition: str, description: str) -> Described:
    """The outcome of something that was refused."""
    return outcome(REJECTED, amqp_error(condition, description))
