"""AMQP 1.0 bytes to Python values (part 1 of the standard, section 1.6)."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable

from sandbox.service_bus.amqp.types import (
    AmqpValue,
    Array,
    Byte,
    Char,
    Decimal,
    DecodeError,
    Described,
    Float,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

MAX_DEPTH = 32
_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
_ONE_BYTE_SIZES = (0xA, 0xC, 0xE)
_FOUR_BYTE_SIZES = (0xB, 0xD, 0xF)

_Decoded = tuple[AmqpValue, int]
_Decoder = Callable[[bytes, int, int], _Decoded]


def decode(data: bytes, offset: int = 0, depth: int = 0) -> tuple[AmqpValue, int]:
    """The value that starts at `offset` and the offset after it. Raises DecodeError."""
    try:
        code = data[offset]
        decoder = _DECODERS.get(code)
        if decoder is None:
            raise DecodeError(f"no AMQP type has the constructor 0x{code:02x}")
        if depth > MAX_DEPTH:
            raise DecodeError(f"a value is nested deeper than {MAX_DEPTH} levels")
        return decoder(data, offset + 1, depth + 1)
    except (IndexError, struct.error) as error:
        raise DecodeError("a value ends before its last byte") from error


def skip(data: bytes, offset: int, depth: int = 0) -> int:
    """The offset after the value that starts at `offset`, without looking inside. Raises DecodeError."""
    if depth > MAX_DEPTH:
        raise DecodeError(f"a value is nested deeper than {MAX_DEPTH} levels")
    try:
        if data[offset] == 0:
            return skip(data, skip(data, offset + 1, depth + 1), depth + 1)
        kind = data[offset] >> 4
        if kind in _WIDTHS:
            end = offset + 1 + _WIDTHS[kind]
        elif kind in _ONE_BYTE_SIZES:
            end = offset + 2 + data[offset + 1]
        elif kind in _FOUR_BYTE_SIZES:
            end = offset + 5 + int.from_bytes(_slice(data, offset + 1, 4), "big")
        else:
            raise DecodeError(f"no AMQP type has the constructor 0x{data[offset]:02x}")
    except IndexError as error:
        raise DecodeError("a value ends before its last byte") from error
    if end > len(data):
        raise DecodeError("a value ends before its last byte")
    return end


def first_field(data: bytes, offset: int) -> AmqpValue:
    """The first item of the list that starts at `offset`, None if the list is empty."""
    headers = {0x45: 0, 0xC0: 2, 0xD0: 8}
    code = data[offset]
    if code not in headers:
        raise DecodeError(f"a list is wanted, not the constructor 0x{code:02x}")
    start = offset + 1 + headers[code]
    count = 0 if code == 0x45 else int.from_bytes(data[start - headers[code] // 2 : start], "big")
    return decode(data, start)[0] if count else None


def _slice(data: bytes, offset: int, length: int) -> bytes:
    part = data[offset : offset + length]
    if len(part) != length:
        raise DecodeError("a value ends before its last byte")
    return part


def _constant(value: AmqpValue) -> _Decoder:
    return lambda _data, offset, _depth: (value, offset)


def _number(layout: str, kind: Callable[[AmqpValue], AmqpValue]) -> _Decoder:
    unpacker = struct.Struct(layout)
    width, unpack = unpacker.size, unpacker.unpack_from
    return lambda data, offset, _depth: (kind(unpack(data, offset)[0]), offset + width)


def _raw(width: int, kind: Callable[[bytes], AmqpValue]) -> _Decoder:
    return lambda data, offset, _depth: (kind(_slice(data, offset, width)), offset + width)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DecodeError("a string is not UTF-8") from error


def _symbol(content: bytes) -> Symbol:
    try:
        return Symbol(content.decode("ascii"))
    except UnicodeDecodeError as error:
        raise DecodeError("a symbol is not ASCII") from error


def _character(content: bytes) -> Char:
    try:
        return Char(chr(int.from_bytes(content, "big")))
    except (ValueError, OverflowError) as error:
        raise DecodeError("a char is no Unicode character") from error


def _variable(width: int, kind: Callable[[bytes], AmqpValue]) -> _Decoder:
    def decoder(data: bytes, offset: int, _depth: int) -> _Decoded:
        length = int.from_bytes(_slice(data, offset, width), "big")
        start = offset + width
        return kind(_slice(data, start, length)), start + length

    return decoder


def _header(data: bytes, offset: int, width: int) -> tuple[int, int, int]:
    """Number of items, offset of the first, offset after the last."""
    size = int.from_bytes(_slice(data, offset, width), "big")
    count = int.from_bytes(_slice(data, offset + width, width), "big")
    end = offset + width + size
    if end > len(data) or count > size:
        raise DecodeError("a list, map or array is larger than the bytes that hold it")
    return count, offset + 2 * width, end


def _list(width: int) -> _Decoder:
    def decoder(data: bytes, offset: int, depth: int) -> _Decoded:
        count, position, end = _header(data, offset, width)
        items = []
        for _ in range(count):
            item, position = decode(data, position, depth)
            items.append(item)
        return items, _exact(position, end)

    return decoder


def _map(width: int) -> _Decoder:
    def decoder(data: bytes, offset: int, depth: int) -> _Decoded:
        count, position, end = _header(data, offset, width)
        if count % 2:
            raise DecodeError("a map has a key without a value")
        entries: dict[AmqpValue, AmqpValue] = {}
        for _ in range(count // 2):
            key, position = decode(data, position, depth)
            value, position = decode(data, position, depth)
            try:
                entries[key] = value
            except TypeError as error:
                raise DecodeError("a map has a compound key") from error
        return entries, _exact(position, end)

    return decoder


def _array(width: int) -> _Decoder:
    def decoder(data: bytes, offset: int, depth: int) -> _Decoded:
        count, position, end = _header(data, offset, width)
        code = data[position]
        element = _DECODERS.get(code)
        if element is None or code == 0 or depth > MAX_DEPTH:
            raise DecodeError(f"no array of the constructor 0x{code:02x} is read here")
        position += 1
        items = []
        for _ in range(count):
            item, position = element(data, position, depth + 1)
            items.append(item)
        return Array(code, tuple(items)), _exact(position, end)

    return decoder


def _exact(position: int, end: int) -> int:
    if position != end:
        raise DecodeError("a list, map or array is not as long as it says")
    return end


def _described(data: bytes, offset: int, depth: int) -> _Decoded:
    descriptor, offset = decode(data, offset, depth)
    value, offset = decode(data, offset, depth)
    return Described(descriptor, value), offset


_DECODERS: dict[int, _Decoder] = {
    0x00: _described,
    0x40: _constant(None),
    0x41: _constant(True),
    0x42: _constant(False),
    0x43: _constant(UInt(0)),
    0x44: _constant(ULong(0)),
    0x45: lambda _data, offset, _depth: ([], offset),
    0x50: _number(">B", UByte),
    0x51: _number(">b", Byte),
    0x52: _number(">B", UInt),
    0x53: _number(">B", ULong),
    0x54: _number(">b", Int),
    0x55: _number(">b", int),
    0x56: _number(">B", bool),
    0x60: _number(">H", UShort),
    0x61: _number(">h", Short),
    0x70: _number(">I", UInt),
    0x71: _number(">i", Int),
    0x72: _number(">f", Float),
    0x73: _raw(4, _character),
    0x74: _raw(4, Decimal),
    0x80: _number(">Q", ULong),
    0x81: _number(">q", int),
    0x82: _number(">d", float),
    0x83: _number(">q", Timestamp),
    0x84: _raw(8, Decimal),
    0x94: _raw(16, Decimal),
    0x98: _raw(16, lambda content: uuid.UUID(bytes=content)),
    0xA0: _variable(1, bytes),
    0xA1: _variable(1, _text),
    0xA3: _variable(1, _symbol),
    0xB0: _variable(4, bytes),
    0xB1: _variable(4, _text),
    0xB3: _variable(4, _symbol),
    0xC0: _list(1),
    0xC1: _map(1),
    0xD0: _list(4),
    0xD1: _map(4),
    0xE0: _array(1),
    0xF0: _array(4),
}
