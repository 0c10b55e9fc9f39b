"""The codec gives back what it was given, type included, and refuses what is no AMQP."""

from __future__ import annotations

import math
import struct
import uuid
from typing import Any

import pytest
from azure.servicebus._pyamqp._decode import _DECODE_BY_CONSTRUCTOR
from hypothesis import given
from hypothesis import strategies as st

from sandbox.service_bus.amqp.decoding import decode, skip
from sandbox.service_bus.amqp.encoding import encode
from sandbox.service_bus.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal,
    DecodeError,
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

text = st.text(st.characters(codec="utf-8"))
symbols = st.text(st.characters(max_codepoint=127), max_size=300).map(Symbol)
longs = st.integers(-(2**63), 2**63 - 1)
numbers = st.one_of(
    st.integers(0, 2**8 - 1).map(UByte),
    st.integers(0, 2**16 - 1).map(UShort),
    st.integers(0, 2**32 - 1).map(UInt),
    st.integers(0, 2**64 - 1).map(ULong),
    st.integers(-(2**7), 2**7 - 1).map(Byte),
    st.integers(-(2**15), 2**15 - 1).map(Short),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    longs,
    longs.map(Timestamp),
    st.floats(allow_nan=False),
    st.floats(width=32, allow_nan=False).map(Float),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    text,
    symbols,
    st.characters(codec="utf-8").map(Char),
    st.binary(max_size=300),
    st.uuids(),
    st.sampled_from((4, 8, 16)).flatmap(lambda size: st.binary(min_size=size, max_size=size)).map(Decimal),
    st.lists(longs).map(lambda items: Array(0x81, tuple(items))),
    st.lists(st.uuids()).map(lambda items: Array(0x98, tuple(items))),
    st.lists(symbols).map(lambda items: Array(0xB3, tuple(items))),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=8),
        st.dictionaries(text, inner, max_size=8),
        st.tuples(st.integers(0, 255).map(ULong), inner).map(lambda pair: Described(*pair)),
    ),
    max_leaves=20,
)


def with_types(value: Any) -> Any:
    """Equality in Python ignores the AMQP type: compare types as well."""
    if isinstance(value, Described):
        return Described, with_types(value.descriptor), with_types(value.value)
    if isinstance(value, Array):
        return Array, value.code, [with_types(item) for item in value.items]
    if isinstance(value, list):
        return [with_types(item) for item in value]
    if isinstance(value, dict):
        return [(with_types(key), with_types(item)) for key, item in value.items()]
    return type(value), value


@given(values)
def test_a_value_survives_the_round_trip_with_its_type(value: Any) -> None:
    encoded = encode(value)
    result, end = decode(encoded)
    assert with_types(result) == with_types(value)
    assert end == len(encoded)


@given(values, st.binary(max_size=8))
def test_skip_ends_where_decode_ends(value: Any, rest: bytes) -> None:
    encoded = encode(value) + rest
    assert skip(encoded, 0) == decode(encoded)[1]


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_a_value_that_can_be_written_again_or_a_decode_error(data: bytes) -> None:
    try:
        value, end = decode(data)
    except DecodeError:
        return
    assert with_types(decode(encode(value))[0]) == with_types(value)
    assert skip(data, 0) == end


@given(values)
def test_a_cut_value_is_a_decode_error(value: Any) -> None:
    encoded = encode(value)
    with pytest.raises(DecodeError):
        decode(encoded[:-1])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (UInt(0), "43"),
        (UInt(255), "52ff"),
        (UInt(256), "7000000100"),
        (ULong(0), "44"),
        (5, "5505"),
        (128, "810000000000000080"),
        (True, "41"),
        ([], "45"),
        ("é", "a102c3a9"),
        (Symbol("a:b"), "a303613a62"),
        (uuid.UUID(int=1), "98" + "00" * 15 + "01"),
        (Timestamp(1), "830000000000000001"),
        ({"a": None}, "c10502a1016140"),
    ],
)
def test_encodings_of_the_standard(value: Any, expected: str) -> None:
    assert encode(value).hex() == expected


@given(st.dictionaries(text, st.one_of(st.none(), st.booleans(), longs, text, st.binary(), st.uuids()), max_size=6))
def test_the_sdk_reads_the_same_values(value: dict[str, Any]) -> None:
    encoded = memoryview(encode(value))
    _, read = _DECODE_BY_CONSTRUCTOR[encoded[0]](encoded[1:])
    assert read == {key.encode(): item.encode() if isinstance(item, str) else item for key, item in value.items()}


def test_deep_nesting_is_refused_before_the_stack_overflows() -> None:
    with pytest.raises(DecodeError, match="nested"):
        decode(b"\x00" * 5000)
    with pytest.raises(DecodeError, match="nested"):
        skip(b"\x00" * 5000, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1\x03\x01\x55\x01",  # a key without a value
        b"\xc0\x02\x01\x55\x01",  # a list longer than it says
        b"\xf0\xff\xff\xff\xff\xff\xff\xff\xff\x40",  # four billion nulls
        b"\xa1\x01\xff",  # not UTF-8
        b"\xa3\x01\xff",  # not ASCII
        b"\x73\xff\xff\xff\xff",  # no character
        b"\xc1\x05\x02\x45\x55\x01",  # a list as a key
        b"\x01",
    ],
)
def test_malformed_values_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


@pytest.mark.parametrize("value", [UByte(256), 2**63, Symbol("é"), object(), Array(0x01, (1,))])
def test_values_without_an_encoding_are_refused(value: Any) -> None:
    with pytest.raises(EncodeError):
        encode(value)


def test_special_floats_keep_their_bits() -> None:
    result, _ = decode(encode(math.nan))
    assert math.isnan(result)
    assert decode(b"\x82" + struct.pack(">d", -0.0))[0].hex() == "-0x0.0p+0"
