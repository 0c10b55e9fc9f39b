"""Which link an attach asks for, and whether the peer may have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.service_bus.addresses import Address, Kind, parse_address
from sandbox.service_bus.amqp.messages import BATCH_FORMAT, Message, parse, parse_batch
from sandbox.service_bus.amqp.performatives import Attach
from sandbox.service_bus.amqp.types import AmqpValue, Described, UInt, ULong
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.links import ConsumerLink, IncomingLink, Link, ResponseLink
from sandbox.service_bus.requests import answer_request

if TYPE_CHECKING:
    from sandbox.service_bus.session import Session

#: Well above a message's limit: a request that holds too large a message is read and answered, because
#: azure-servicebus reports a rejected request again for every later one.
MAX_REQUEST_BYTES = 4 * 1024 * 1024
_SOURCE, _TARGET, _FILTER_FIELD = 0x28, 0x29, 7
_SESSION_FILTER = "com.microsoft:session-filter"


def open_link(session: Session, attach: Attach) -> tuple[Link, int]:
    """The broker's end of the link and the size limit to announce. Raises BrokerError."""
    terminus = attach.source if attach.role else attach.target
    text = _address(terminus, _SOURCE if attach.role else _TARGET)
    address = parse_address(text)
    if address.kind is not Kind.CBS:
        session.connection.check_access(address.path)
    if address.kind is Kind.QUEUE:
        return _queue_link(session, attach, address)
    if address.kind is Kind.MANAGEMENT:
        session.connection.namespace.queue(address.path)
    return _node_link(session, attach, address, text), MAX_REQUEST_BYTES


def answer(
    attach: Attach, *, source: Described | None, target: Described | None, max_message_bytes: int | None
) -> Attach:
    """The broker's attach. Source, target and settle modes go back as they came: SDKs compare them."""
    return Attach(
        attach.name,
        UInt(attach.handle),
        not attach.role,
        attach.snd_settle_mode,
        attach.rcv_settle_mode,
        source,
        target,
        initial_delivery_count=UInt(0) if attach.role else None,
        max_message_size=None if max_message_bytes is None else ULong(max_message_bytes),
    )


def _address(terminus: Described | None, descriptor: int) -> str:
    if not isinstance(terminus, Described) or terminus.descriptor != descriptor:
        raise BrokerError(Condition.NOT_IMPLEMENTED, "a source or target that is no node: transactions are not offered")
    text = terminus.value[0] if terminus.value else None
    if not isinstance(text, str):
        raise BrokerError(Condition.NOT_IMPLEMENTED, "a link without an address: temporary nodes are not offered")
    return text


def _queue_link(session: Session, attach: Attach, address: Address) -> tuple[Link, int]:
    connection = session.connection
    queue = connection.namespace.queue(address.path)
    limit = queue.settings.max_message_bytes
    if attach.role:
        _check_no_session(attach.source)
        return ConsumerLink(session, attach, queue, connection.dispatcher), limit
    if queue.dead_letters is None:
        raise BrokerError(Condition.NOT_ALLOWED, "nothing can be sent to a dead-letter queue")

    def accept(message_format: int, content: bytes) -> None:
        messages: list[Message] = parse_batch(content) if message_format == BATCH_FORMAT else [parse(content)]
        connection.namespace.enqueue(queue, messages)

    return IncomingLink(session, attach, accept, limit), limit


def _node_link(session: Session, attach: Attach, address: Address, text: str) -> Link:
    if attach.role:
        target = attach.target.value[0] if attach.target is not None and attach.target.value else None
        return ResponseLink(session, attach, {str(name) for name in (text, target) if name})

    def accept(_message_format: int, content: bytes) -> None:
        answer_request(session, address, text, content)

    return IncomingLink(session, attach, accept, MAX_REQUEST_BYTES)


def _check_no_session(source: AmqpValue) -> None:
    filters = source.value[_FILTER_FIELD] if len(source.value) > _FILTER_FIELD else None
    if filters and _SESSION_FILTER in filters:
        raise BrokerError(
            Condition.NOT_ALLOWED, "no queue requires sessions here: a session receiver cannot be created"
        )
