"""What the broker reads from a message and writes onto it, with the bare message untouched."""

from __future__ import annotations

import uuid

import pytest
from azure.servicebus._pyamqp._decode import decode_payload

from sandbox.service_bus.amqp.encoding import encode, encode_composite
from sandbox.service_bus.amqp.messages import (
    Stamp,
    encode_response,
    parse,
    parse_batch,
    parse_request,
    stamped,
    with_properties,
)
from sandbox.service_bus.amqp.types import DecodeError, Int, Symbol, Timestamp, UInt, ULong
from tests.contract.service_bus.building import body_of, decoded, message, raw_message


def test_reads_only_what_a_broker_needs() -> None:
    read = message(message_id="m-1", ttl_ms=500, scheduled_ms=99)
    assert (read.message_id, read.ttl_ms, read.scheduled_ms) == (encode("m-1"), 500, 99)


@pytest.mark.parametrize("identifier", ["text", uuid.uuid4(), ULong(7), b"bytes"])
def test_a_message_id_keeps_its_type(identifier: object) -> None:
    assert message(message_id=identifier).message_id == encode(identifier)


def test_the_stamp_carries_numbers_times_and_an_explicit_delivery_count() -> None:
    raw = raw_message(message_id="m-1", properties={"a": 1})
    out = stamped(parse(raw), Stamp(0, 7, 1000, 5, locked_until_ms=2000, state=2))
    assert decoded(out)[0x70] == [None, None, None, None, UInt(0)]
    assert decoded(out)[0x72] == {
        "x-opt-sequence-number": 7,
        "x-opt-enqueued-time": Timestamp(1000),
        "x-opt-enqueue-sequence-number": 5,
        "x-opt-locked-until": Timestamp(2000),
        "x-opt-message-state": Int(2),
    }
    assert out.endswith(raw)


def test_the_sdk_reads_a_stamped_message() -> None:
    out = stamped(message("text", scheduled_ms=3), Stamp(2, 7, 1000, 7, locked_until_ms=2000))
    read = decode_payload(memoryview(out))
    assert read.header is not None
    assert read.message_annotations is not None
    assert read.header.delivery_count == 2
    assert read.message_annotations[b"x-opt-sequence-number"] == 7
    assert read.message_annotations[b"x-opt-scheduled-enqueue-time"] == 3
    assert read.data == [b"text"]


def test_a_stamp_of_the_sender_is_replaced() -> None:
    raw = b"\x00\x53\x72" + encode({Symbol("x-opt-sequence-number"): 1, Symbol("mine"): "kept"}) + raw_message()
    out = decoded(stamped(parse(raw), Stamp(0, 9, 0, 9)))
    assert out[0x72]["x-opt-sequence-number"] == 9
    assert out[0x72]["mine"] == "kept"


def test_properties_are_merged_and_everything_else_stays() -> None:
    changed = with_properties(message("b", message_id="m", properties={"a": Int(1), "b": "old"}), {"b": "new"})
    assert decoded(changed.raw)[0x74] == {"a": 1, "b": "new"}
    assert isinstance(decoded(changed.raw)[0x74]["a"], Int)
    assert changed.message_id == encode("m")
    assert body_of(changed.raw) == "b"


def test_properties_are_added_between_properties_and_body() -> None:
    assert list(decoded(with_properties(message(message_id="m"), {"a": 1}).raw)) == [0x73, 0x74, 0x75]
    assert list(decoded(with_properties(message(ttl_ms=1), {"a": 1}).raw)) == [0x70, 0x74, 0x75]


def test_a_batch_is_its_data_sections_whatever_the_envelope_says() -> None:
    envelope = encode_composite(0x73, ["first"]) + b"\x00\x53\x74" + encode({"x": 1})
    parts = b"".join(b"\x00\x53\x75" + encode(raw_message(text, message_id=text)) for text in ("a", "b"))
    assert [body_of(one.raw) for one in parse_batch(envelope + parts)] == ["a", "b"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\x53\x73\x45",
        b"\x00\x53\x10\x45",
        b"\x53\x75\xa0\x00",
        raw_message() + encode_composite(0x70, []),
        b"\x00\x53\x70\x40" + raw_message(),
        encode_composite(0x70, [None, None, "soon"]) + raw_message(),
    ],
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        parse(raw)


def test_a_batch_without_messages_is_refused() -> None:
    with pytest.raises(DecodeError):
        parse_batch(b"\x00\x53\x77\x40")


def test_a_response_repeats_the_message_id_with_its_type() -> None:
    asked = encode_composite(0x73, [uuid.UUID(int=5), None, None, None, "reply"]) + b"\x00\x53\x77" + encode("body")
    request = parse_request(asked)
    assert (request.message_id, request.reply_to, request.body) == (uuid.UUID(int=5), "reply", "body")
    answer = decoded(encode_response(request.message_id, {"statusCode": Int(200)}, {}))
    assert answer[0x73][5] == uuid.UUID(int=5)
    assert type(answer[0x74]["statusCode"]) is Int
