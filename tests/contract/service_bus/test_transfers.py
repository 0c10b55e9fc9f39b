"""Messages in and out: settlement, credit, windows and parts, against a peer that is no SDK."""

from __future__ import annotations

import uuid

import pytest

from sandbox.service_bus import Broker, Condition
from sandbox.service_bus.amqp.frames import Frame
from sandbox.service_bus.amqp.performatives import (
    Disposition,
    Flow,
    Transfer,
    outcome,
)
from sandbox.service_bus.amqp.types import Array, Described, Symbol, UInt, ULong
from tests.contract.service_bus.building import body_of, decoded, raw_message
from tests.contract.service_bus.raw_peer import URL, RawPeer, attach, flow, receiver, request, sender, settlement

ACCEPTED, REJECTED, RELEASED, MODIFIED = 0x24, 0x25, 0x26, 0x27


async def test_a_send_is_settled_by_the_broker_and_a_settled_send_is_not_answered(peer: RawPeer) -> None:
    await sender(peer)
    peer.transfer(1, 0, raw_message("a"), settled=True)
    peer.transfer(1, 1, raw_message("b"))
    answer = await settlement(peer, 1)
    assert answer.role is True
    assert answer.settled is True
    assert answer.state == Described(ULong(ACCEPTED), [])


async def test_a_rejected_send_has_an_error_of_three_fields(peer: RawPeer, broker: Broker) -> None:
    await sender(peer, "tiny")
    peer.transfer(1, 0, raw_message("x" * 100))
    peer.transfer(1, 1, b"\x00\x53\x10\x45")
    broker.refuse("TINY")
    peer.transfer(1, 2, raw_message())
    for number, condition in enumerate((Condition.MESSAGE_TOO_LARGE, Condition.DECODE_ERROR, Condition.SERVER_BUSY)):
        state = (await settlement(peer, number)).state
        assert state is not None
        assert state.descriptor == REJECTED
        assert state.value[0].descriptor == 0x1D
        assert state.value[0].value[0] == condition
        assert len(state.value[0].value) == 3
    broker.accept()
    peer.transfer(1, 3, raw_message())
    assert (await settlement(peer, 3)).state == Described(ULong(ACCEPTED), [])


@pytest.mark.parametrize(
    ("state", "state_of_queue"),
    [
        (outcome(ACCEPTED), {}),
        (outcome(RELEASED), {"active": 1}),
        (outcome(MODIFIED, True, False), {"active": 1}),
        (outcome(MODIFIED, True, True), {"deferred": 1}),
        (outcome(REJECTED, Described(ULong(0x1D), [Symbol("com.microsoft:dead-letter"), None, {}])), {"dead": 1}),
    ],
)
async def test_settling_takes_two_steps_and_confirms_the_same_outcome_without_an_error(
    peer: RawPeer, broker: Broker, state: Described, state_of_queue: dict[str, int]
) -> None:
    await sender(peer)
    await receiver(peer, 1)
    peer.transfer(1, 0, raw_message())
    delivery = (await peer.expect(Transfer, lambda transfer: transfer.handle == 2)).performative
    assert isinstance(delivery, Transfer)
    assert delivery.settled is False
    number = UInt(delivery.delivery_id or 0)
    assert broker.counts()["q1"]["locked"] == 1
    peer.send(Disposition(True, number, number, False, state))
    answer = await settlement(peer, number, of_receipt=True)
    assert answer.settled is True
    assert answer.state is not None
    assert answer.state.descriptor == state.descriptor
    if state.descriptor == REJECTED:
        assert answer.state.value == []
    nothing = {"active": 0, "scheduled": 0, "deferred": 0, "locked": 0, "dead": 0}
    assert broker.counts()["q1"] == nothing | state_of_queue


async def test_a_settled_disposition_of_a_range_is_applied_and_not_answered(peer: RawPeer, broker: Broker) -> None:
    await sender(peer)
    await receiver(peer, 3)
    for number in range(3):
        peer.transfer(1, number, raw_message())
    numbers = [(await peer.expect(Transfer, lambda one: one.handle == 2)).performative for _ in range(3)]
    first = min(one.delivery_id or 0 for one in numbers if isinstance(one, Transfer))
    peer.send(Disposition(True, UInt(first), UInt(2**32 - 1), True, outcome(ACCEPTED)))
    peer.send(Flow(UInt(0), UInt(5000), UInt(0), UInt(5000), UInt(2), UInt(3), UInt(0), echo=True))
    await peer.expect(Flow, lambda flow: flow.handle == 2)
    assert broker.counts()["q1"]["locked"] == 0


async def test_a_lost_lock_is_a_rejection_with_its_condition(peer: RawPeer) -> None:
    await sender(peer)
    await receiver(peer, 1)
    peer.transfer(1, 0, raw_message())
    frame = await peer.expect(Transfer, lambda transfer: transfer.handle == 2)
    assert isinstance(frame.performative, Transfer)
    peer.send(attach(3, source="me", target="q1/$management", receiver=False))
    peer.send(attach(4, source="q1/$management", target="me", receiver=True))
    flow(peer, 4, 0, 1)
    token = uuid.UUID(bytes_le=frame.performative.delivery_tag)
    body = {"disposition-status": "completed", "lock-tokens": Array(0x98, (token,))}
    peer.transfer(3, 1, request("com.microsoft:update-disposition", body))
    response = await peer.expect(Transfer, lambda transfer: transfer.handle == 4)
    assert decoded(response.payload)[0x74]["statusCode"] == 200
    number = UInt(frame.performative.delivery_id or 0)
    peer.send(Disposition(True, number, number, False, outcome(ACCEPTED)))
    state = (await settlement(peer, number, of_receipt=True)).state
    assert state is not None
    assert state.value[0].value[0] == Condition.MESSAGE_LOCK_LOST


async def test_receive_and_delete_sends_settled(peer: RawPeer, broker: Broker) -> None:
    await sender(peer)
    await receiver(peer, 1, settle=(1, 0))
    peer.transfer(1, 0, raw_message("gone"))
    frame = await peer.expect(Transfer, lambda transfer: transfer.handle == 2)
    assert isinstance(frame.performative, Transfer)
    assert frame.performative.settled is True
    assert body_of(frame.payload) == "gone"
    assert broker.counts()["q1"]["locked"] == 0


async def test_credit_is_kept_and_a_drain_is_answered(peer: RawPeer, broker: Broker) -> None:
    await sender(peer)
    await receiver(peer, 2)
    for number in range(3):
        peer.transfer(1, number, raw_message(str(number)))
    for _ in range(2):
        await peer.expect(Transfer, lambda transfer: transfer.handle == 2)
    assert broker.counts()["q1"] == {"active": 1, "scheduled": 0, "deferred": 0, "locked": 2, "dead": 0}
    flow(peer, 2, 2, 10, drain=True)
    await peer.expect(Transfer, lambda transfer: transfer.handle == 2)
    answer = (await peer.expect(Flow, lambda flow: flow.handle == 2)).performative
    assert isinstance(answer, Flow)
    assert (answer.delivery_count, answer.link_credit, answer.drain) == (12, 0, True)


async def test_two_receivers_take_turns(peer: RawPeer) -> None:
    await receiver(peer, 10, handle=2)
    await receiver(peer, 10, handle=3)
    await sender(peer)
    for number in range(4):
        peer.transfer(1, number, raw_message())
    handles = []
    for _ in range(4):
        frame = await peer.expect(Transfer)
        assert isinstance(frame.performative, Transfer)
        handles.append(frame.performative.handle)
    assert sorted(handles) == [2, 2, 3, 3]


async def test_a_message_in_parts_both_ways_and_an_aborted_one(broker: Broker) -> None:
    peer = await RawPeer.opened(broker.port, max_frame_size=1024)
    await peer.authorize("q1")
    await sender(peer)
    text = "0123456789" * 1000
    raw = raw_message(text)
    peer.transfer(1, 0, raw[:4000], more=True)
    peer.send(Transfer(UInt(1), aborted=True))
    peer.transfer(1, 1, raw[:4000], more=True)
    peer.send(Transfer(UInt(1), more=True), raw[4000:8000])
    peer.send(Transfer(UInt(1)), raw[8000:])
    assert (await settlement(peer, 1)).state == Described(ULong(ACCEPTED), [])
    await receiver(peer, 1)
    parts: list[Frame] = []
    while not parts or parts[-1].performative.more:  # type: ignore[union-attr]
        parts.append(await peer.expect(Transfer))
        assert len(parts[-1].payload) < 1024
    assert body_of(b"".join(part.payload for part in parts)) == text
    assert broker.counts()["q1"]["locked"] == 1
    await peer.close()


async def test_the_peer_s_window_holds_transfers_back(broker: Broker) -> None:
    peer = await RawPeer.opened(broker.port)
    await peer.authorize("")
    await sender(peer)
    peer.send(attach(2, source=URL + "q1", target="me", receiver=True))
    sent = 1  # the answer to the token
    peer.send(Flow(UInt(sent), UInt(2), UInt(0), UInt(5000), UInt(2), UInt(0), UInt(10)))
    for number in range(4):
        peer.transfer(1, number, raw_message())
        await settlement(peer, number)
    assert broker.counts()["q1"] == {"active": 2, "scheduled": 0, "deferred": 0, "locked": 2, "dead": 0}
    peer.send(Flow(UInt(sent + 2), UInt(2), UInt(0), UInt(5000)))
    for _ in range(4):
        await peer.expect(Transfer, lambda transfer: transfer.handle == 2)
    await peer.close()
