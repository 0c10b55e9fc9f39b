"""Python values to AMQP 1.0 bytes (part 1 of the standard, section 1.6)."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable

from sandbox.service_bus.amqp.types import (
    AmqpValue,
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    EncodeError,
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


def encode(value: AmqpValue) -> bytes:
    """The shortest encoding of a value, constructor included. Raises EncodeError."""
    if isinstance(value, Described):
        return b"\x00" + encode(value.descriptor) + encode(value.value)
    chooser = _CHOOSERS.get(type(value))
    if chooser is None:
        raise EncodeError(f"no AMQP type for {type(value).__name__}")
    code, payload = chooser(value)
    return code.to_bytes(1, "big") + payload


def encode_composite(code: int, fields: Iterable[AmqpValue]) -> bytes:
    """A described list. The descriptor is always a one-byte ulong and no trailing null is left out.

    Peers in the field read both by position: azure-servicebus skips three bytes for the descriptor, and before 7.15
    it indexes the fields without looking at their number.
    """
    return b"\x00\x53" + code.to_bytes(1, "big") + encode(list(fields))


def _packer(layout: str) -> Callable[[AmqpValue], bytes]:
    pack = struct.Struct(layout).pack

    def packed(value: AmqpValue) -> bytes:
        try:
            return pack(value)
        except struct.error as error:
            raise EncodeError(f"{value!r} does not fit its type: {error}") from error

    return packed


def _text(value: str) -> bytes:
    return value.encode("utf-8")


def _ascii(value: str) -> bytes:
    try:
        return value.encode("ascii")
    except UnicodeEncodeError as error:
        raise EncodeError(f"a symbol is ASCII, not {value!r}") from error


def _sized(layout: str, to_bytes: Callable[[AmqpValue], bytes]) -> Callable[[AmqpValue], bytes]:
    size = _packer(layout)

    def packed(value: AmqpValue) -> bytes:
        content = to_bytes(value)
        return size(len(content)) + content

    return packed


def _counted(layout: str, items: Callable[[AmqpValue], list[bytes]]) -> Callable[[AmqpValue], bytes]:
    field = _packer(layout)
    width = len(field(0))

    def packed(value: AmqpValue) -> bytes:
        encoded = items(value)
        content = b"".join(encoded)
        return field(len(content) + width) + field(len(encoded)) + content

    return packed


def _list_items(value: list[AmqpValue]) -> list[bytes]:
    return [encode(item) for item in value]


def _map_items(value: dict[AmqpValue, AmqpValue]) -> list[bytes]:
    return [encode(item) for pair in value.items() for item in pair]


def _array(value: Array) -> bytes:
    try:
        packer = PACKERS[value.code]
    except KeyError as error:
        raise EncodeError(f"no array of constructor 0x{value.code:02x}") from error
    content = value.code.to_bytes(1, "big") + b"".join(packer(item) for item in value.items)
    return struct.pack(">II", len(content) + 4, len(value.items)) + content


#: Constructor code to the function that writes what follows it.
PACKERS: dict[int, Callable[[AmqpValue], bytes]] = {
    0x50: _packer(">B"),
    0x51: _packer(">b"),
    0x52: _packer(">B"),
    0x53: _packer(">B"),
    0x54: _packer(">b"),
    0x55: _packer(">b"),
    0x56: _packer(">?"),
    0x60: _packer(">H"),
    0x61: _packer(">h"),
    0x70: _packer(">I"),
    0x71: _packer(">i"),
    0x72: _packer(">f"),
    0x73: lambda value: struct.pack(">I", ord(value)),
    0x74: lambda value: bytes(value.raw),
    0x80: _packer(">Q"),
    0x81: _packer(">q"),
    0x82: _packer(">d"),
    0x83: _packer(">q"),
    0x84: lambda value: bytes(value.raw),
    0x94: lambda value: bytes(value.raw),
    0x98: lambda value: bytes(value.bytes),
    0xA0: _sized(">B", bytes),
    0xA1: _sized(">B", _text),
    0xA3: _sized(">B", _ascii),
    0xB0: _sized(">I", bytes),
    0xB1: _sized(">I", _text),
    0xB3: _sized(">I", _ascii),
    0xC0: _counted(">B", _list_items),
    0xC1: _counted(">B", _map_items),
    0xD0: _counted(">I", _list_items),
    0xD1: _counted(">I", _map_items),
    0xF0: _array,
}

_Coded = tuple[int, bytes]


def _fixed(code: int) -> Callable[[AmqpValue], _Coded]:
    packer = PACKERS[code]
    return lambda value: (code, packer(value))


def _small_or(zero: int | None, small: int, large: int, low: int, high: int) -> Callable[[int], _Coded]:
    pack_small, pack_large = PACKERS[small], PACKERS[large]

    def chosen(value: int) -> _Coded:
        if zero is not None and value == 0:
            return zero, b""
        return (small, pack_small(value)) if low <= value <= high else (large, pack_large(value))

    return chosen


def _short_or_long(short: int, long: int, to_bytes: Callable[[AmqpValue], bytes]) -> Callable[[AmqpValue], _Coded]:
    def chosen(value: AmqpValue) -> _Coded:
        content = to_bytes(value)
        if len(content) < 256:
            return short, len(content).to_bytes(1, "big") + content
        return long, len(content).to_bytes(4, "big") + content

    return chosen


def _compound(short: int, long: int, items: Callable[[AmqpValue], list[bytes]]) -> Callable[[AmqpValue], _Coded]:
    def chosen(value: AmqpValue) -> _Coded:
        encoded = items(value)
        content = b"".join(encoded)
        if len(content) < 255 and len(encoded) < 256:
            return short, struct.pack(">BB", len(content) + 1, len(encoded)) + content
        return long, struct.pack(">II", len(content) + 4, len(encoded)) + content

    return chosen


_list = _compound(0xC0, 0xD0, _list_items)

_CHOOSERS: dict[type, Callable[[AmqpValue], _Coded]] = {
    type(None): lambda _: (0x40, b""),
    bool: lambda value: (0x41 if value else 0x42, b""),
    UByte: _fixed(0x50),
    Byte: _fixed(0x51),
    UShort: _fixed(0x60),
    Short: _fixed(0x61),
    UInt: _small_or(0x43, 0x52, 0x70, 0, 255),
    ULong: _small_or(0x44, 0x53, 0x80, 0, 255),
    Int: _small_or(None, 0x54, 0x71, -128, 127),
    int: _small_or(None, 0x55, 0x81, -128, 127),
    Float: _fixed(0x72),
    float: _fixed(0x82),
    Char: _fixed(0x73),
    Timestamp: _fixed(0x83),
    uuid.UUID: _fixed(0x98),
    Decimal: lambda value: ({4: 0x74, 8: 0x84, 16: 0x94}[len(value.raw)], value.raw),
    bytes: _short_or_long(0xA0, 0xB0, bytes),
    str: _short_or_long(0xA1, 0xB1, _text),
    Symbol: _short_or_long(0xA3, 0xB3, _ascii),
    list: lambda value: _list(value) if value else (0x45, b""),
    dict: _compound(0xC1, 0xD1, _map_items),
    Array: lambda value: (0xF0, _array(value)),
}
