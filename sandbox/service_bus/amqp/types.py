"""The AMQP 1.0 primitive types that Python's own types cannot tell apart.

`None`, `bool`, `int` (an AMQP long), `float` (a double), `str`, `bytes`, `uuid.UUID`, `list` and `dict` stand for
themselves. Every other primitive has a class here, so that a decoded value encodes back to the type it came with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

#: Any of the types that this module's docstring lists.
AmqpValue: TypeAlias = Any


class Symbol(str):
    """An ASCII name such as an error condition."""

    __slots__ = ()


class Char(str):
    """One Unicode character."""

    __slots__ = ()


class UByte(int):
    """An unsigned 8-bit number."""


class UShort(int):
    """An unsigned 16-bit number."""


class UInt(int):
    """An unsigned 32-bit number."""


class ULong(int):
    """An unsigned 64-bit number."""


class Byte(int):
    """A signed 8-bit number."""


class Short(int):
    """A signed 16-bit number."""


class Int(int):
    """A signed 32-bit number."""


class Timestamp(int):
    """Milliseconds since 1970-01-01 UTC."""


class Float(float):
    """A 32-bit binary floating point number."""


@dataclass(frozen=True, slots=True)
class Decimal:
    """A decimal floating point number, kept as its 4, 8 or 16 bytes: nothing here calculates with it."""

    raw: bytes


class Described(NamedTuple):
    """A value with a descriptor: a performative, a message section, an outcome, a filter."""

    descriptor: AmqpValue
    value: AmqpValue


@dataclass(frozen=True, slots=True)
class Array:
    """Values of one type; `code` is the constructor that all of them share."""

    code: int
    items: tuple[AmqpValue, ...]


class DecodeError(ValueError):
    """Bytes that are not AMQP 1.0."""


class EncodeError(ValueError):
    """A value that AMQP 1.0 cannot carry."""
