"""The ends of links: messages that come in, messages that go out, responses to requests."""

from __future__ import annotations

import logging
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from sandbox.service_bus.amqp import performatives
from sandbox.service_bus.amqp.performatives import Attach, Disposition, Flow, Transfer, outcome, rejected
from sandbox.service_bus.amqp.types import AmqpValue, DecodeError, Described, UInt
from sandbox.service_bus.dispatcher import Dispatcher
from sandbox.service_bus.entry import Delivery
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.queue import Queue

if TYPE_CHECKING:
    from sandbox.service_bus.session import Session

logger = logging.getLogger(__name__)

#: So large that azure-servicebus never runs out of it: when its senders do, their own flow frames fail in the end.
INCOMING_CREDIT = 1_000_000
_TOP_UP_EVERY = 1_000
_SERIAL = 2**32
SETTLED_BY_SENDER = 1


class IncomingLink:
    """The peer sends. `accept` gets the message format and the bytes of each message and may raise BrokerError."""

    def __init__(
        self, session: Session, attach: Attach, accept: Callable[[int, bytes], None], max_message_bytes: int
    ) -> None:
        self.handle = attach.handle
        self._session = session
        self._accept = accept
        self._max_message_bytes = max_message_bytes
        self._delivery_count = attach.initial_delivery_count or 0
        self._first: Transfer | None = None
        self._parts: list[bytes] = []
        self._size = 0

    def started(self) -> None:
        """The attach is answered: give credit."""
        self._give_credit()

    def closed(self) -> None:
        """Nothing is kept for a sender."""

    def on_flow(self, flow: Flow) -> None:
        """Senders tell their state too; it only needs an answer if they ask for one."""
        if flow.echo:
            self._give_credit()

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """One frame of a message. What exceeds the size limit is counted and not kept."""
        first = self._first = self._first or transfer
        self._size += len(payload)
        if self._size <= self._max_message_bytes:
            self._parts.append(payload)
        if transfer.more and not transfer.aborted:
            return
        content, size = b"".join(self._parts), self._size
        self._first, self._parts, self._size = None, [], 0
        self._delivery_count = (self._delivery_count + 1) % _SERIAL
        if transfer.aborted:
            return
        state = self._outcome(first, content, size)
        if not (first.settled or transfer.settled):
            number = UInt(first.delivery_id or 0)
            self._session.send(Disposition(True, number, number, True, state, None))
        if self._delivery_count % _TOP_UP_EVERY == 0:
            self._give_credit()

    def _outcome(self, first: Transfer, content: bytes, size: int) -> Described:
        try:
            self._check(first, size)
            self._accept(first.message_format or 0, content)
        except BrokerError as error:
            return rejected(error.condition, error.description)
        except DecodeError as error:
            return rejected(Condition.DECODE_ERROR, str(error))
        except Exception:
            logger.exception("a message could not be taken")
            return rejected(Condition.INTERNAL_ERROR, "the broker failed on this message; its log says how")
        return outcome(performatives.ACCEPTED)

    def _check(self, first: Transfer, size: int) -> None:
        if size > self._max_message_bytes:
            limit = self._max_message_bytes
            raise BrokerError(Condition.MESSAGE_TOO_LARGE, f"{size} bytes; a message has at most {limit}")
        if first.state is not None:
            raise BrokerError(Condition.NOT_IMPLEMENTED, "transactions are not offered")

    def _give_credit(self) -> None:
        self._session.send_flow(self.handle, self._delivery_count, INCOMING_CREDIT)


class OutgoingLink(ABC):
    """The peer receives: counts its credit."""

    def __init__(self, session: Session, attach: Attach) -> None:
        self.handle = attach.handle
        self._session = session
        self._delivery_count = 0
        self._credit = 0

    @property
    def has_credit(self) -> bool:
        """Whether a message may go out now."""
        return self._credit > 0 and self._session.can_send

    @abstractmethod
    def started(self) -> None:
        """The attach is answered; the peer gives credit when it wants to."""

    @abstractmethod
    def closed(self) -> None:
        """The link has ended."""

    def on_flow(self, flow: Flow) -> None:
        """New credit counts from the peer's view of the delivery count; a drain uses it up and says so."""
        seen = flow.delivery_count or 0
        credit = (seen + (flow.link_credit or 0) - self._delivery_count) % _SERIAL
        self._credit = credit if credit < _SERIAL // 2 else 0
        self.use_credit()
        if flow.drain:
            self._delivery_count = (self._delivery_count + self._credit) % _SERIAL
            self._credit = 0
        if flow.drain or flow.echo:
            self._session.send_flow(self.handle, self._delivery_count, self._credit, drain=bool(flow.drain))

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Raises BrokerError: a receiver does not send."""
        del transfer, payload
        raise BrokerError(Condition.NOT_ALLOWED, "a transfer came on a link whose peer is the receiver")

    @abstractmethod
    def use_credit(self) -> None:
        """Sends what waits, as far as credit and the session's window go."""

    def _transfer(self, tag: bytes, payload: bytes, *, settled: bool) -> int:
        self._credit -= 1
        self._delivery_count = (self._delivery_count + 1) % _SERIAL
        return self._session.send_transfer(self.handle, tag, payload, settled=settled)


class ConsumerLink(OutgoingLink):
    """A receiver of a queue, with locks or deleting as it goes."""

    def __init__(self, session: Session, attach: Attach, queue: Queue, dispatcher: Dispatcher) -> None:
        super().__init__(session, attach)
        self._queue = queue
        self._dispatcher = dispatcher
        self.deletes = attach.snd_settle_mode == SETTLED_BY_SENDER

    def started(self) -> None:
        self._dispatcher.add(self._queue, self)

    def closed(self) -> None:
        """Locks outlive the link: their messages come back when they expire, unless the peer released them."""
        self._dispatcher.remove(self._queue, self)

    def deliver(self, delivery: Delivery) -> None:
        """Sends the message; its delivery tag is the lock token in the byte order of .NET."""
        token = delivery.token
        tag = (token or uuid.uuid4()).bytes_le
        number = self._transfer(tag, delivery.encoded(), settled=token is None)
        if token is not None:
            self._session.expect_settlement(number, self, token)

    def settle(self, token: uuid.UUID, state: Described) -> None:
        """Applies the outcome that the receiver chose. Raises BrokerError."""
        code, fields = state.descriptor, [*state.value, None, None, None]
        if code == performatives.ACCEPTED:
            self._queue.complete(token)
        elif code == performatives.RELEASED:
            self._queue.release(token)
        elif code == performatives.REJECTED:
            self._queue.dead_letter(token, _error_info(fields[0]))
        elif code == performatives.MODIFIED and fields[1]:
            self._queue.defer(token, _properties(fields[2]))
        elif code == performatives.MODIFIED:
            self._queue.abandon(token, _properties(fields[2]))
        else:
            raise BrokerError(Condition.NOT_IMPLEMENTED, "this delivery state is not offered (transactions are not)")

    def use_credit(self) -> None:
        """Takes what is ready in the queue."""
        self._dispatcher.serve(self._queue)


class ResponseLink(OutgoingLink):
    """Takes the responses of `$cbs` or of a `$management` node to the peer."""

    def __init__(self, session: Session, attach: Attach, addresses: set[str]) -> None:
        super().__init__(session, attach)
        self.addresses = addresses
        self._waiting: deque[bytes] = deque()

    def started(self) -> None:
        """Responses come when requests do."""

    def closed(self) -> None:
        """Responses that nobody will read are dropped."""
        self._waiting.clear()

    def respond(self, payload: bytes) -> None:
        """Sends the response, settled, as soon as there is credit."""
        self._waiting.append(payload)
        self.use_credit()

    def use_credit(self) -> None:
        """Sends the responses that wait."""
        while self._waiting and self.has_credit:
            self._transfer(uuid.uuid4().bytes, self._waiting.popleft(), settled=True)


Link = IncomingLink | OutgoingLink


def _error_info(error: AmqpValue) -> dict[str, AmqpValue]:
    """The properties that a dead-lettering receiver adds, among them reason and description."""
    return _properties(error.value[2] if isinstance(error, Described) and len(error.value) > 2 else None)


def _properties(added: AmqpValue) -> dict[str, AmqpValue]:
    return {str(key): value for key, value in (added or {}).items() if value is not None}
