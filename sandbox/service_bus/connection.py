"""A TCP connection: protocol headers, SASL, sessions, and the order in which bytes leave."""

from __future__ import annotations

import asyncio
import logging

from sandbox.service_bus.amqp.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    MAX_FRAME_SIZE,
    SASL_HEADER,
    Frame,
    FrameReader,
    FramingError,
    encode_frame,
)
from sandbox.service_bus.amqp.performatives import (
    Begin,
    Close,
    End,
    Open,
    Performative,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    amqp_error,
)
from sandbox.service_bus.amqp.types import Array, DecodeError, Symbol, UByte, UInt, UShort
from sandbox.service_bus.authority import Authority, Grant
from sandbox.service_bus.dispatcher import Dispatcher
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.namespace import Namespace
from sandbox.service_bus.session import Session

logger = logging.getLogger(__name__)

#: Everyone gets in: what a client may do is decided by the token it puts to `$cbs`. The .NET SDK offers only MSSBCBS.
_MECHANISMS = ("ANONYMOUS", "MSSBCBS", "PLAIN", "EXTERNAL")
_CHANNEL_MAX = 4999
_SYMBOL_ARRAY = 0xA3


class Connection(asyncio.Protocol):
    """The broker's end of one connection."""

    def __init__(
        self, namespace: Namespace, authority: Authority, dispatcher: Dispatcher, peers: set[Connection]
    ) -> None:
        self.namespace = namespace
        self.authority = authority
        self.dispatcher = dispatcher
        self.sessions: dict[int, Session] = {}
        self.grants: list[Grant] = []
        self.max_frame_size = MAX_FRAME_SIZE
        self._gone = asyncio.Event()
        self._peers = peers
        self._reader = FrameReader()
        self._output: list[bytes] = []
        self._closing = False
        self._transport: asyncio.Transport | None = None
        self._heartbeat: asyncio.TimerHandle | None = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peers.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            for item in self._reader.feed(data):
                if self._closing:
                    return
                self._on_item(item)
        except DecodeError as error:
            condition = Condition.FRAMING_ERROR if isinstance(error, FramingError) else Condition.DECODE_ERROR
            self.close(BrokerError(condition, str(error)))
        except Exception:
            logger.exception("a connection failed")
            self.close(BrokerError(Condition.INTERNAL_ERROR, "the broker failed; its log says how"))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._peers.discard(self)
        self._transport = None
        self._stop()
        self._gone.set()

    # What sessions and the broker call

    def check_access(self, path: str) -> None:
        """Raises BrokerError unless a token that is still valid opens the path."""
        granted = (grant for grant in self.grants if grant.covers(path))
        if all(self.authority.has_expired(grant) for grant in granted):
            raise BrokerError(Condition.UNAUTHORIZED, f"no valid token for {path!r} was put on this connection")

    def send(self, channel: int, performative: Performative) -> None:
        """Sends one frame at the end of the dispatcher's turn."""
        self.write(encode_frame(channel, performative))

    def write(self, data: bytes) -> None:
        """Sends bytes at the end of the dispatcher's turn, after the store's commit."""
        self._output.append(data)
        self.dispatcher.written(self)

    def flush(self) -> None:
        """Writes what is waiting and, after a close, hangs up."""
        output, self._output = self._output, []
        if self._transport is None:
            return
        self._transport.write(b"".join(output))
        if self._closing:
            self._transport.close()

    def close(self, error: BrokerError | None = None) -> None:
        """Says goodbye, with the reason if there is one."""
        if not self._closing:
            self.send(0, Close(None if error is None else amqp_error(error.condition, error.description)))
            self._stop()

    def abort(self) -> None:
        """Drops the connection without a word."""
        self._output.clear()
        if self._transport is not None:
            self._transport.abort()

    async def leave(self, limit_s: float) -> None:
        """Waits until the connection is gone, and drops it if the peer has not read everything by then."""
        try:
            await asyncio.wait_for(self._gone.wait(), limit_s)
        except TimeoutError:
            self.abort()
            await self._gone.wait()

    # Inside

    def _stop(self) -> None:
        self._closing = True
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        for session in self.sessions.values():
            session.close()
        self.sessions.clear()

    def _on_item(self, item: bytes | Frame) -> None:
        if isinstance(item, bytes):
            self._on_header(item)
        elif isinstance(item.performative, SaslInit):
            self.send(0, SaslOutcome(UByte(0)))
        elif isinstance(item.performative, Open):
            self._on_open(item.performative)
        elif isinstance(item.performative, Begin):
            self.sessions[item.channel] = Session(self, item.channel, item.performative)
        elif isinstance(item.performative, Close):
            self.close()
        else:
            self._on_session_frame(item)

    def _on_header(self, header: bytes) -> None:
        if header == SASL_HEADER:
            self.write(SASL_HEADER)
            self.send(0, SaslMechanisms(Array(_SYMBOL_ARRAY, tuple(Symbol(name) for name in _MECHANISMS))))
        elif header == AMQP_HEADER:
            self.write(AMQP_HEADER)
        else:
            # The standard's way to say which protocol would have been right.
            self.write(AMQP_HEADER)
            self._stop()

    def _on_open(self, opened: Open) -> None:
        self.max_frame_size = min(opened.max_frame_size or MAX_FRAME_SIZE, MAX_FRAME_SIZE)
        self.send(0, Open("service-bus-sandbox", None, UInt(MAX_FRAME_SIZE), UShort(_CHANNEL_MAX)))
        if opened.idle_time_out:
            self._beat(opened.idle_time_out / 2000)

    def _beat(self, interval_s: float) -> None:
        """A peer that limits silence gets an empty frame twice in that time."""
        self.write(EMPTY_FRAME)
        self._heartbeat = asyncio.get_running_loop().call_later(interval_s, self._beat, interval_s)

    def _on_session_frame(self, frame: Frame) -> None:
        """Frames after the end of their session are late, not wrong: azure-servicebus detaches after it has ended."""
        session = self.sessions.get(frame.channel)
        if session is None:
            return
        if isinstance(frame.performative, End):
            del self.sessions[frame.channel]
            session.close()
            self.send(frame.channel, End())
            return
        try:
            session.handle(frame)
        except BrokerError as error:
            del self.sessions[frame.channel]
            session.fail(error)
