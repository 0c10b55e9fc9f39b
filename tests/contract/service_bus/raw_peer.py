"""An AMQP client that writes exactly the frames a test wants and shows exactly what comes back."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from sandbox.service_bus.amqp.decoding import decode
from sandbox.service_bus.amqp.encoding import encode, encode_composite
from sandbox.service_bus.amqp.frames import AMQP_HEADER, SASL_HEADER, Frame, FrameReader, encode_frame
from sandbox.service_bus.amqp.performatives import (
    Attach,
    Begin,
    Detach,
    Disposition,
    Flow,
    Open,
    Performative,
    SaslInit,
    Transfer,
)
from sandbox.service_bus.amqp.types import Described, Symbol, UByte, UInt, ULong
from sandbox.service_bus.broker import KEY, KEY_NAME

WAIT_S = 5
URL = "amqps://localhost:5673/"
TOKEN_EXPIRY_S = 4_000_000_000


def token_for(path: str, *, key: str = KEY, key_name: str = KEY_NAME, expires_s: int = TOKEN_EXPIRY_S) -> str:
    resource = quote(f"sb://localhost/{path}", safe="")
    signed = hmac.digest(key.encode(), f"{resource}\n{expires_s}".encode(), hashlib.sha256)
    signature = quote(base64.b64encode(signed).decode(), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expires_s}&skn={key_name}"


def attach(
    handle: int, *, source: str | None, target: str | None, receiver: bool, settle: tuple[int, int] = (0, 1)
) -> Attach:
    snd, rcv = settle
    return Attach(
        f"link-{handle}",
        UInt(handle),
        receiver,
        UByte(snd),
        UByte(rcv),
        Described(ULong(0x28), [source]),
        Described(ULong(0x29), [target]),
        initial_delivery_count=None if receiver else UInt(0),
    )


class RawPeer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()
        self._received: list[bytes | Frame] = []
        self._bytes = b""

    @classmethod
    async def connect(cls, port: int) -> RawPeer:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def opened(cls, port: int, *, max_frame_size: int = 65536) -> RawPeer:
        """Connected, logged in, with a session on channel 1."""
        peer = await cls.connect(port)
        peer.write(SASL_HEADER)
        peer.send(SaslInit(Symbol("ANONYMOUS")))
        peer.write(AMQP_HEADER)
        peer.send(Open("test", None, UInt(max_frame_size)), channel=0)
        peer.send(Begin(None, UInt(0), UInt(5000), UInt(5000)))
        await peer.expect(Begin)
        return peer

    async def authorize(self, path: str) -> Any:
        """Puts a token to `$cbs` on handles 100 and 101 and returns the response message's sections."""
        self.send(attach(100, source="cbs", target="$cbs", receiver=False))
        self.send(attach(101, source="$cbs", target="cbs", receiver=True))
        self.send(Flow(UInt(0), UInt(5000), UInt(0), UInt(5000), UInt(101), UInt(0), UInt(10)))
        self.transfer(100, 9000, request("put-token", token_for(path)))
        return await self.expect(Transfer)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, performative: Performative, payload: bytes = b"", channel: int = 1) -> None:
        self.write(encode_frame(channel, performative, payload))

    def transfer(self, handle: int, number: int, payload: bytes, **fields: Any) -> None:
        self.send(Transfer(UInt(handle), UInt(number), number.to_bytes(4, "big"))._replace(**fields), payload)

    async def expect(self, kind: type, condition: Callable[[Any], bool] = lambda _: True) -> Frame:
        """The next frame of this kind that meets the condition; others are left for later."""
        return await asyncio.wait_for(self._expect(kind, condition), WAIT_S)

    async def _expect(self, kind: type, condition: Callable[[Any], bool]) -> Frame:
        while True:
            for item in self._received:
                if isinstance(item, Frame) and isinstance(item.performative, kind) and condition(item.performative):
                    self._received.remove(item)
                    return item
            data = await self._reader.read(65536)
            if not data:
                raise ConnectionError(f"the broker hung up; no {kind.__name__} came")
            self._bytes += data
            self._received.extend(self._frames.feed(data))

    async def read(self) -> bytes:
        """Whatever comes next, unread."""
        return await asyncio.wait_for(self._reader.read(65536), WAIT_S)

    async def everything(self) -> bytes:
        """All bytes until the broker hangs up."""
        return self._bytes + await asyncio.wait_for(self._reader.read(), WAIT_S)

    def field_counts(self) -> dict[int, int]:
        """Performative code to the number of fields it was sent with, over all that came."""
        counts: dict[int, int] = {}
        data, offset = self._bytes, 0
        while offset < len(data):
            if data[offset : offset + 4] == b"AMQP":
                offset += 8
                continue
            size = int.from_bytes(data[offset : offset + 4], "big")
            body = data[offset + 8 : offset + size]
            if body:
                assert body[:2] == b"\x00\x53", "a performative's descriptor is a small ulong"
                counts[body[2]] = len(decode(body)[0].value)
            offset += size
        return counts

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def request(operation: str, body: Any, *, message_id: Any = "id-1", reply_to: str | None = None) -> bytes:
    return (
        encode_composite(0x73, [message_id, None, None, None, reply_to])
        + b"\x00\x53\x74"
        + encode({"operation": operation})
        + b"\x00\x53\x77"
        + encode(body)
    )


async def sender(peer: RawPeer, queue: str = "q1", handle: int = 1) -> Attach:
    peer.send(attach(handle, source="me", target=URL + queue, receiver=False))
    frame = await peer.expect(Attach, lambda answer: answer.handle == handle)
    assert isinstance(frame.performative, Attach)
    return frame.performative


async def receiver(peer: RawPeer, credit: int, queue: str = "q1", handle: int = 2, **options: Any) -> Attach:
    peer.send(attach(handle, source=URL + queue, target="me", receiver=True, **options))
    frame = await peer.expect(Attach, lambda answer: answer.handle == handle)
    flow(peer, handle, 0, credit)
    assert isinstance(frame.performative, Attach)
    return frame.performative


def flow(peer: RawPeer, handle: int, seen: int, credit: int, *, drain: bool = False) -> None:
    peer.send(Flow(UInt(0), UInt(5000), UInt(0), UInt(5000), UInt(handle), UInt(seen), UInt(credit), drain=drain))


async def refusal(peer: RawPeer, handle: int) -> tuple[Attach, list[Any]]:
    """The attach that refuses and the fields of the error in the detach."""
    answer = (await peer.expect(Attach, lambda attach: attach.handle == handle)).performative
    detach = (await peer.expect(Detach, lambda detach: detach.handle == handle)).performative
    assert isinstance(answer, Attach)
    assert isinstance(detach, Detach)
    assert detach.closed
    assert detach.error is not None
    return answer, detach.error.value


async def settlement(peer: RawPeer, number: int, *, of_receipt: bool = False) -> Disposition:
    """The broker's word on a message that the peer sent, or on one that the peer received and settled."""
    role = not of_receipt
    frame = await peer.expect(Disposition, lambda one: one.first == number and one.role is role)
    assert isinstance(frame.performative, Disposition)
    return frame.performative
