"""The rules on the wire that SDKs depend on, byte for byte, against a peer that is no SDK."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from sandbox.service_bus import Broker, Condition
from sandbox.service_bus.amqp.frames import AMQP_HEADER, SASL_HEADER
from sandbox.service_bus.amqp.performatives import (
    ACCEPTED,
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Open,
    SaslMechanisms,
    Transfer,
    outcome,
)
from sandbox.service_bus.amqp.types import Array, Described, Int, Symbol, UInt, ULong
from tests.contract.service_bus.building import decoded, raw_message
from tests.contract.service_bus.raw_peer import (
    URL,
    RawPeer,
    attach,
    flow,
    receiver,
    refusal,
    request,
    sender,
    token_for,
)


async def test_offers_the_mechanisms_of_every_sdk(broker: Broker) -> None:
    peer = await RawPeer.connect(broker.port)
    peer.write(SASL_HEADER)
    offered = (await peer.expect(SaslMechanisms)).performative
    assert isinstance(offered, SaslMechanisms)
    assert {"ANONYMOUS", "MSSBCBS", "PLAIN", "EXTERNAL"} <= set(offered.mechanisms.items)
    await peer.close()


async def test_answers_another_protocol_with_its_own_header_and_hangs_up(broker: Broker) -> None:
    peer = await RawPeer.connect(broker.port)
    peer.write(b"AMQP\x00\x00\x09\x01")
    assert await peer.everything() == AMQP_HEADER
    await peer.close()


async def test_garbage_is_a_framing_error(broker: Broker) -> None:
    peer = await RawPeer.connect(broker.port)
    peer.write(b"GET / HTTP/1.1\r\n\r\n")
    closed = (await peer.expect(Close)).performative
    assert isinstance(closed, Close)
    assert closed.error is not None
    assert closed.error.value[0] == Condition.FRAMING_ERROR
    assert await peer.everything()
    await peer.close()


async def test_no_performative_leaves_out_trailing_fields(peer: RawPeer) -> None:
    await sender(peer)
    await receiver(peer, 1)
    peer.transfer(1, 0, raw_message())
    delivered = (await peer.expect(Transfer)).performative
    assert isinstance(delivered, Transfer)
    peer.send(Disposition(True, UInt(delivered.delivery_id or 0), None, False, outcome(ACCEPTED)))
    peer.send(Detach(UInt(2), True))
    await peer.expect(Detach)
    peer.send(End())
    await peer.expect(End)
    peer.send(Close(), channel=0)
    await peer.expect(Close)
    counts = {0x10: 10, 0x11: 8, 0x12: 14, 0x13: 11, 0x14: 11, 0x15: 6, 0x16: 3, 0x17: 1, 0x18: 1}
    assert peer.field_counts() == counts | {0x40: 1, 0x44: 2}


async def test_source_target_and_settle_modes_come_back_as_they_went(peer: RawPeer) -> None:
    asked = attach(2, source=URL + "Q1/$DeadLetterQueue", target="me", receiver=True)
    source = Described(ULong(0x28), [URL + "Q1", UInt(0), None, None, None, None, None, {Symbol("f"): "x"}])
    peer.send(asked._replace(source=source))
    answer = (await peer.expect(Attach, lambda answer: answer.handle == 2)).performative
    assert isinstance(answer, Attach)
    assert (answer.source, answer.target) == (source, asked.target)
    assert (answer.snd_settle_mode, answer.rcv_settle_mode) == (0, 1)
    assert answer.role is False
    assert answer.max_message_size == 256 * 1024


@pytest.mark.parametrize(
    ("path", "receives", "condition"),
    [
        ("nowhere", True, Condition.NOT_FOUND),
        ("nowhere/$management", False, Condition.NOT_FOUND),
        ("t1/Subscriptions/s1", True, Condition.NOT_IMPLEMENTED),
        ("q1/$Transfer/$DeadLetterQueue", True, Condition.NOT_IMPLEMENTED),
        ("q1/$DeadLetterQueue", False, Condition.NOT_ALLOWED),
    ],
)
async def test_a_refused_link_says_why_in_three_fields(
    peer: RawPeer, path: str, receives: bool, condition: Condition
) -> None:
    node, own = (URL + path, "me") if receives else ("me", URL + path)
    peer.send(attach(7, source=node, target=own, receiver=receives))
    answer, error = await refusal(peer, 7)
    assert (answer.source, answer.target) == (None, None)
    assert error[0] == condition
    assert isinstance(error[1], str)
    assert error[2] == {}
    assert len(error) == 3


async def test_a_session_receiver_and_a_transaction_are_refused(peer: RawPeer) -> None:
    filters = {Symbol("com.microsoft:session-filter"): None}
    source = Described(ULong(0x28), [URL + "q1", *[None] * 6, filters])
    peer.send(attach(7, source="", target="me", receiver=True)._replace(source=source))
    assert (await refusal(peer, 7))[1][0] == Condition.NOT_ALLOWED
    coordinator = Described(ULong(0x30), [])
    peer.send(attach(8, source="me", target="", receiver=False)._replace(target=coordinator))
    assert (await refusal(peer, 8))[1][0] == Condition.NOT_IMPLEMENTED


async def test_a_queue_opens_only_with_a_token_that_covers_it(broker: Broker) -> None:
    peer = await RawPeer.opened(broker.port)
    peer.send(attach(1, source="me", target=URL + "q1", receiver=False))
    assert (await refusal(peer, 1))[1][0] == Condition.UNAUTHORIZED
    await peer.authorize("TINY")
    peer.send(attach(1, source="me", target=URL + "q1", receiver=False))
    assert (await refusal(peer, 1))[1][0] == Condition.UNAUTHORIZED
    assert (await sender(peer, "tiny")).target is not None
    await peer.close()


@pytest.mark.parametrize(
    "token",
    [
        token_for("q1", key="wrong"),
        token_for("q1", key_name="Nobody"),
        token_for("q1", expires_s=1),
        "SharedAccessSignature sr=x",
        "eyJhbGciOi.an-entra-token",
    ],
)
async def test_a_bad_token_is_answered_with_401_under_the_typed_id_of_the_request(broker: Broker, token: str) -> None:
    peer = await RawPeer.opened(broker.port)
    peer.send(attach(1, source="cbs", target="$cbs", receiver=False))
    peer.send(attach(2, source="$cbs", target="cbs", receiver=True))
    flow(peer, 2, 0, 10)
    message_id = uuid.uuid4()
    peer.transfer(1, 0, request("put-token", token, message_id=message_id))
    answer = await peer.expect(Transfer)
    assert isinstance(answer.performative, Transfer)
    assert answer.performative.settled is True
    response = decoded(answer.payload)
    assert response[0x73][5] == message_id
    assert response[0x74]["status-code"] == 401
    assert type(response[0x74]["status-code"]) is Int
    await peer.close()


async def test_management_answers_pre_settled_under_the_typed_id_and_on_the_named_link(peer: RawPeer) -> None:
    peer.send(attach(1, source="me", target="q1/$management", receiver=False))
    peer.send(attach(2, source="q1/$management", target="my-replies", receiver=True))
    flow(peer, 2, 0, 10)
    for number, message_id in enumerate((uuid.uuid4(), "text", ULong(9))):
        content = request("com.microsoft:peek-message", {"from-sequence-number": 1, "message-count": Int(1)})
        asked = request("x", {}, message_id=message_id, reply_to="my-replies")
        peer.transfer(1, number, asked if number == 2 else _with_id(content, message_id))
        answer = await peer.expect(Transfer, lambda transfer: transfer.handle == 2)
        assert isinstance(answer.performative, Transfer)
        assert answer.performative.settled is True
        response = decoded(answer.payload)
        assert (response[0x73][5], type(response[0x73][5])) == (message_id, type(message_id))
        assert response[0x74]["statusCode"] == (501 if number == 2 else 204)
    assert response[0x74]["errorCondition"] == Condition.NOT_IMPLEMENTED


def _with_id(content: bytes, message_id: Any) -> bytes:
    sections = decoded(content)
    return request(sections[0x74]["operation"], sections[0x77], message_id=message_id)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("text", "not a map"),
        ({"lock-tokens": Array(0x98, (uuid.uuid4(),))}, "lock"),
        ({"lock-tokens": ["no uuid"]}, "array of UUID"),
    ],
)
async def test_a_bad_management_request_is_an_answer_not_a_hang_up(peer: RawPeer, body: Any, expected: str) -> None:
    peer.send(attach(1, source="me", target="q1/$management", receiver=False))
    peer.send(attach(2, source="q1/$management", target="me", receiver=True))
    flow(peer, 2, 0, 10)
    peer.transfer(1, 0, request("com.microsoft:renew-lock", body))
    response = decoded((await peer.expect(Transfer, lambda transfer: transfer.handle == 2)).payload)
    assert response[0x74]["statusCode"] in (400, 410)
    assert expected in response[0x74]["statusDescription"]


async def test_late_frames_on_an_ended_session_are_ignored(peer: RawPeer) -> None:
    await sender(peer)
    peer.send(End())
    await peer.expect(End)
    peer.send(Detach(UInt(1), True))
    peer.send(Begin(None, UInt(0), UInt(10), UInt(10)), channel=2)
    assert (await peer.expect(Begin)).channel == 2


async def test_a_handle_without_a_link_ends_the_session_only(peer: RawPeer) -> None:
    peer.transfer(77, 0, raw_message())
    ended = (await peer.expect(End)).performative
    assert isinstance(ended, End)
    assert ended.error is not None
    assert ended.error.value[0] == Condition.UNATTACHED_HANDLE
    peer.send(Begin(None, UInt(0), UInt(10), UInt(10)), channel=2)
    assert (await peer.expect(Begin)).channel == 2


async def test_a_peer_that_limits_silence_gets_signs_of_life(broker: Broker) -> None:
    peer = await RawPeer.connect(broker.port)
    peer.write(AMQP_HEADER)
    peer.send(Open("test", None, None, None, UInt(20)), channel=0)
    await peer.expect(Open)
    await broker_silence(peer)
    await peer.close()


async def broker_silence(peer: RawPeer) -> None:
    """Waits for two empty frames."""
    received = b""
    while received.count(b"\x00\x00\x00\x08\x02\x00\x00\x00") < 2:
        received += await peer.read()


async def test_dropped_connections_and_refused_new_ones_until_accept(broker: Broker) -> None:
    peer = await RawPeer.opened(broker.port)
    broker.drop()
    with pytest.raises(ConnectionError):
        await peer.expect(Close)
    with pytest.raises(ConnectionError):
        await RawPeer.opened(broker.port)
    broker.accept()
    again = await RawPeer.opened(broker.port)
    await again.close()
    await peer.close()


async def test_stopping_says_why(broker: Broker) -> None:
    peer = await RawPeer.opened(broker.port)
    await broker.stop()
    closed = (await peer.expect(Close)).performative
    assert isinstance(closed, Close)
    assert closed.error is not None
    assert closed.error.value[0] == Condition.CONNECTION_FORCED
    await peer.close()
