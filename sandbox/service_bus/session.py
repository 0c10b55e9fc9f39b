"""A session: its links, its transfer windows and the deliveries that wait for settlement."""

from __future__ import annotations

import uuid
from collections import deque
from typing import TYPE_CHECKING

from sandbox.service_bus import attaching
from sandbox.service_bus.amqp.frames import Frame, split_transfer
from sandbox.service_bus.amqp.performatives import (
    MODIFIED,
    RECEIVED,
    Attach,
    Begin,
    Detach,
    Disposition,
    End,
    Flow,
    Performative,
    Transfer,
    amqp_error,
    rejected,
)
from sandbox.service_bus.amqp.types import Described, UInt, UShort
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.links import ConsumerLink, Link, OutgoingLink

if TYPE_CHECKING:
    from sandbox.service_bus.connection import Connection

#: Never closed: incoming messages are stored or refused at once, so there is nothing to hold back.
INCOMING_WINDOW = 2**31 - 1
_SERIAL = 2**32


class Session:
    """The broker's end of a session; it uses the peer's channel and handle numbers for its own."""

    def __init__(self, connection: Connection, channel: int, begin: Begin) -> None:
        self.connection = connection
        self.channel = channel
        self.links: dict[int, Link] = {}
        self._next_incoming_id = begin.next_outgoing_id
        self._remote_window = begin.incoming_window
        self._next_outgoing_id = 0
        self._next_delivery_id = 0
        self._waiting: deque[bytes] = deque()
        self._unsettled: dict[int, tuple[ConsumerLink, uuid.UUID]] = {}
        self.send(Begin(UShort(channel), UInt(0), UInt(INCOMING_WINDOW), UInt(INCOMING_WINDOW), UInt(_SERIAL - 1)))

    @property
    def can_send(self) -> bool:
        """Whether the peer's window has room for a transfer."""
        return self._remote_window > 0 and not self._waiting

    def send(self, performative: Performative) -> None:
        """Sends a performative that no window holds back."""
        self.connection.send(self.channel, performative)

    def send_flow(self, handle: int, delivery_count: int, credit: int, *, drain: bool = False) -> None:
        """Tells the state of the session and of one link."""
        window = UInt(INCOMING_WINDOW)
        state = (UInt(self._next_incoming_id), window, UInt(self._next_outgoing_id), window)
        self.send(Flow(*state, UInt(handle), UInt(delivery_count), UInt(credit), None, drain, False))

    def send_transfer(self, handle: int, tag: bytes, payload: bytes, *, settled: bool) -> int:
        """Sends a message, in parts as far as the window goes, and returns its delivery id."""
        delivery_id = self._next_delivery_id
        self._next_delivery_id = (delivery_id + 1) % _SERIAL
        transfer = Transfer(UInt(handle), UInt(delivery_id), tag, UInt(0), settled)
        self._waiting.extend(split_transfer(self.channel, transfer, payload, self.connection.max_frame_size))
        self._send_waiting()
        return delivery_id

    def expect_settlement(self, delivery_id: int, link: ConsumerLink, token: uuid.UUID) -> None:
        """The peer will say what becomes of the delivery."""
        self._unsettled[delivery_id] = (link, token)

    def handle(self, frame: Frame) -> None:
        """Raises BrokerError if the session has to end."""
        performative = frame.performative
        if isinstance(performative, Transfer):
            self._next_incoming_id = (self._next_incoming_id + 1) % _SERIAL
            self._link(performative.handle).on_transfer(performative, frame.payload)
        elif isinstance(performative, Disposition):
            self._on_disposition(performative)
        elif isinstance(performative, Flow):
            self._on_flow(performative)
        elif isinstance(performative, Attach):
            self._on_attach(performative)
        elif isinstance(performative, Detach):
            self._on_detach(performative)

    def close(self) -> None:
        """Every link ends with the session."""
        for link in self.links.values():
            link.closed()
        self.links.clear()
        self._unsettled.clear()

    def fail(self, error: BrokerError) -> None:
        """Ends the session from this side."""
        self.close()
        self.send(End(amqp_error(error.condition, error.description)))

    def _link(self, handle: int) -> Link:
        link = self.links.get(handle)
        if link is None:
            raise BrokerError(Condition.UNATTACHED_HANDLE, f"no link is attached to the handle {handle}")
        return link

    def _on_attach(self, attach: Attach) -> None:
        """A link is refused by an attach without source and target and a detach that says why."""
        handle = UInt(attach.handle)
        try:
            link, limit = attaching.open_link(self, attach)
        except BrokerError as error:
            self.send(attaching.answer(attach, source=None, target=None, max_message_bytes=None))
            self.send(Detach(handle, True, amqp_error(error.condition, error.description)))
            return
        self.links[attach.handle] = link
        self.send(attaching.answer(attach, source=attach.source, target=attach.target, max_message_bytes=limit))
        link.started()

    def _on_detach(self, detach: Detach) -> None:
        link = self.links.pop(detach.handle, None)
        if link is not None:
            link.closed()
            self.send(Detach(UInt(detach.handle), bool(detach.closed), None))

    def _on_flow(self, flow: Flow) -> None:
        seen = flow.next_incoming_id or 0
        window = (seen + flow.incoming_window - self._next_outgoing_id) % _SERIAL
        self._remote_window = window if window < _SERIAL // 2 or flow.incoming_window >= _SERIAL // 2 else 0
        self._send_waiting()
        if flow.handle is not None:
            self._link(flow.handle).on_flow(flow)
        for link in self.links.values():
            if isinstance(link, OutgoingLink):
                link.use_credit()

    def _send_waiting(self) -> None:
        while self._waiting and self._remote_window > 0:
            self._remote_window -= 1
            self._next_outgoing_id = (self._next_outgoing_id + 1) % _SERIAL
            self.connection.write(self._waiting.popleft())

    def _on_disposition(self, disposition: Disposition) -> None:
        """Settles the deliveries of the range that wait for it, and confirms each by the outcome that was asked for."""
        state, last = disposition.state, disposition.first if disposition.last is None else disposition.last
        if not disposition.role or not isinstance(state, Described):
            return
        if last - disposition.first < len(self._unsettled):
            numbers = [number for number in range(disposition.first, last + 1) if number in self._unsettled]
        else:
            numbers = [number for number in self._unsettled if disposition.first <= number <= last]
        for number in numbers:
            result = self._settled(number, state)
            if result is not None and not disposition.settled:
                self.send(Disposition(False, UInt(number), UInt(number), True, result, None))

    def _settled(self, number: int, state: Described) -> Described | None:
        """What the peer is told: the same outcome, or a rejection with the error; None if nothing was decided yet."""
        if state.descriptor == RECEIVED:
            return None
        link, token = self._unsettled.pop(number)
        try:
            link.settle(token, state)
        except BrokerError as error:
            return rejected(error.condition, error.description)
        return Described(state.descriptor, [] if state.descriptor != MODIFIED else state.value)
