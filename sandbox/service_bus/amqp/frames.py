"""Frames and protocol headers (part 2, sections 2.2 and 2.3): from a byte stream and back."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.service_bus.amqp.performatives import (
    Performative,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Transfer,
    decode_performative,
    encode_performative,
)
from sandbox.service_bus.amqp.types import DecodeError

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"
MAX_FRAME_SIZE = 65536
_HEADER_SIZE = 8
_SASL_PERFORMATIVES = (SaslMechanisms, SaslInit, SaslOutcome)


class FramingError(DecodeError):
    """A frame that is too large, too small or of no known type."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A performative on its channel; `payload` is empty unless it is a transfer."""

    channel: int
    performative: Performative
    payload: bytes = b""


class FrameReader:
    """Cuts a byte stream into protocol headers and frames."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes | Frame]:
        """Protocol headers as 8 bytes and frames as Frame; an empty frame (a sign of life) yields nothing.

        Raises FramingError and DecodeError, after which the stream cannot be read further.
        """
        self._buffer = self._buffer + data if self._buffer else data
        offset = 0
        try:
            while len(self._buffer) - offset >= _HEADER_SIZE:
                if self._buffer.startswith(b"AMQP", offset):
                    size, item = _HEADER_SIZE, self._buffer[offset : offset + _HEADER_SIZE]
                    offset += size
                    yield item
                    continue
                size = _frame_size(self._buffer, offset)
                if len(self._buffer) - offset < size:
                    return
                start, offset = offset, offset + size
                frame = _frame(self._buffer[start:offset])
                if frame is not None:
                    yield frame
        finally:
            self._buffer = self._buffer[offset:]


def _frame_size(buffer: bytes, offset: int) -> int:
    size = int.from_bytes(buffer[offset : offset + 4], "big")
    if not _HEADER_SIZE <= size <= MAX_FRAME_SIZE:
        raise FramingError(f"a frame of {size} bytes; allowed are {_HEADER_SIZE} to {MAX_FRAME_SIZE}")
    return size


def _frame(data: bytes) -> Frame | None:
    _, data_offset, kind, channel = struct.unpack_from(">IBBH", data)
    start = data_offset * 4
    if not _HEADER_SIZE <= start <= len(data) or kind not in (0, 1):
        raise FramingError("a frame header is malformed")
    body = data[start:]
    if not body:
        return None
    performative, end = decode_performative(body)
    if (kind == 1) != isinstance(performative, _SASL_PERFORMATIVES):
        raise FramingError("a SASL performative in an AMQP frame, or the other way round")
    return Frame(0 if kind == 1 else channel, performative, body[end:])


def encode_frame(channel: int, performative: Performative, payload: bytes = b"") -> bytes:
    """One frame. SASL performatives get a SASL frame, whose channel bytes are unused."""
    body = encode_performative(performative)
    kind = 1 if isinstance(performative, _SASL_PERFORMATIVES) else 0
    size = _HEADER_SIZE + len(body) + len(payload)
    return struct.pack(">IBBH", size, 2, kind, channel) + body + payload


def split_transfer(channel: int, transfer: Transfer, payload: bytes, max_frame_size: int) -> list[bytes]:
    """The frames of one message, each at most `max_frame_size` bytes long."""
    whole = encode_frame(channel, transfer._replace(more=False), payload)
    if len(whole) <= max_frame_size:
        return [whole]
    # A boolean takes one byte whatever its value, so every part has the same overhead.
    room = max_frame_size - (len(whole) - len(payload))
    return [
        encode_frame(channel, transfer._replace(more=start + room < len(payload)), payload[start : start + room])
        for start in range(0, len(payload), room)
    ]
