"""The operations of a queue's `$management` node (Service Bus request-response operations over AMQP)."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from sandbox.service_bus.amqp.messages import parse
from sandbox.service_bus.amqp.types import AmqpValue, Array, DecodeError, Timestamp
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.namespace import Namespace
from sandbox.service_bus.queue import Queue

_LONG, _TIMESTAMP = 0x81, 0x83
_Body = dict[str, AmqpValue]


def perform(namespace: Namespace, queue: Queue, operation: str, body: AmqpValue) -> _Body | None:
    """Body of the response, None for "no content". Raises BrokerError."""
    if operation == "com.microsoft:schedule-message":
        return _schedule(namespace, queue, _checked(body))
    handler = _OPERATIONS.get(operation)
    if handler is None:
        raise BrokerError(Condition.NOT_IMPLEMENTED, f"the stand-in does not offer the operation {operation!r}")
    return handler(queue, _checked(body))


def _checked(body: AmqpValue) -> _Body:
    if not isinstance(body, dict):
        raise BrokerError(Condition.ARGUMENT_ERROR, "the body of the request is not a map")
    return body


def _field(body: _Body, name: str, kind: type) -> AmqpValue:
    value = body.get(name)
    if not isinstance(value, kind):
        raise BrokerError(Condition.ARGUMENT_ERROR, f"the request lacks {name!r}, or it is of the wrong type")
    return value


def _items(body: _Body, name: str, kind: type) -> list[AmqpValue]:
    """The items of an array; some SDKs send a list instead."""
    value = body.get(name)
    items = value.items if isinstance(value, Array) else value
    if not isinstance(items, tuple | list) or not all(isinstance(item, kind) for item in items):
        raise BrokerError(Condition.ARGUMENT_ERROR, f"{name!r} is not an array of {kind.__name__}")
    return list(items)


def _schedule(namespace: Namespace, queue: Queue, body: _Body) -> _Body:
    listed = _items(body, "messages", dict)
    try:
        messages = [parse(_field(one, "message", bytes)) for one in listed]
    except DecodeError as error:
        raise BrokerError(Condition.DECODE_ERROR, str(error)) from error
    limit = queue.settings.max_message_bytes
    if sum(len(message.raw) for message in messages) > limit:
        raise BrokerError(Condition.MESSAGE_TOO_LARGE, f"one request schedules at most {limit} bytes")
    return {"sequence-numbers": Array(_LONG, tuple(namespace.enqueue(queue, messages)))}


def _cancel(queue: Queue, body: _Body) -> _Body:
    queue.cancel(_items(body, "sequence-numbers", int))
    return {}


def _peek(queue: Queue, body: _Body) -> _Body | None:
    messages = queue.peek(_field(body, "from-sequence-number", int), _field(body, "message-count", int))
    return {"messages": [{"message": message} for message in messages]} if messages else None


def _renew(queue: Queue, body: _Body) -> _Body:
    ends = [queue.renew(token) for token in _items(body, "lock-tokens", uuid.UUID)]
    return {"expirations": Array(_TIMESTAMP, tuple(Timestamp(end) for end in ends))}


def _receive_deferred(queue: Queue, body: _Body) -> _Body:
    """Settle mode 0 is receive-and-delete, 1 is peek-lock."""
    delete = _field(body, "receiver-settle-mode", int) == 0
    deliveries = queue.receive_deferred(_items(body, "sequence-numbers", int), delete=delete)
    nothing = uuid.UUID(int=0)
    return {
        "messages": [
            {"lock-token": delivery.token or nothing, "message": delivery.encoded()} for delivery in deliveries
        ]
    }


def _update_disposition(queue: Queue, body: _Body) -> _Body:
    status = _field(body, "disposition-status", str)
    modify = {str(key): value for key, value in (body.get("properties-to-modify") or {}).items()}
    settle = _settler(queue, status, modify, body)
    for token in _items(body, "lock-tokens", uuid.UUID):
        settle(token)
    return {}


def _settler(queue: Queue, status: str, modify: _Body, body: _Body) -> Callable[[uuid.UUID], None]:
    if status == "completed":
        return queue.complete
    if status == "abandoned":
        return lambda token: queue.abandon(token, modify)
    # The protocol itself spells it with one r.
    if status in ("defered", "deferred"):
        return lambda token: queue.defer(token, modify)
    if status == "suspended":
        named = {
            "DeadLetterReason": body.get("deadletter-reason"),
            "DeadLetterErrorDescription": body.get("deadletter-description"),
        }
        properties = modify | {name: value for name, value in named.items() if value is not None}
        return lambda token: queue.dead_letter(token, properties)
    raise BrokerError(Condition.ARGUMENT_ERROR, f"no disposition is called {status!r}")


_OPERATIONS: dict[str, Callable[[Queue, _Body], _Body | None]] = {
    "com.microsoft:cancel-scheduled-message": _cancel,
    "com.microsoft:peek-message": _peek,
    "com.microsoft:renew-lock": _renew,
    "com.microsoft:receive-by-sequence-number": _receive_deferred,
    "com.microsoft:update-disposition": _update_disposition,
}
