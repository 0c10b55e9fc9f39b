"""Announcements from the queue: the webhook's hints, durable before the message is completed; nothing is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from shared.clients.dynamics.context import parse
from shared.domain.change import Lane, Source, Why
from shared.domain.mapping import FieldRow, FromColumn, OptOutPair
from shared.engine.deliver import Delivery
from shared.engine.inbox import Inbox
from shared.errors import Reason, Retry
from shared.ports import BusUnavailableError
from shared.wire import decode_hint
from tests.unit import contexts
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known
from tests.unit.examples import MAPPING, after

COLUMNS = replace(
    MAPPING,
    field_rows=(FieldRow("firstName", FromColumn("firstname")), FieldRow("phone", FromColumn("telephone1"))),
    opt_outs=(OptOutPair("donotbulkemail", "blackListEmail"),),
)


@pytest.fixture
def world() -> Known:
    return Known(COLUMNS)


async def take(world: Known, body: bytes, **more: Any) -> None:
    ports = replace(world.ports, **more)
    await Inbox(ports, world.telemetry, parse).take(Delivery(Lane.INBOX, body, "m1", 1))


async def test_it_gives_the_webhooks_hints_by_another_name(world: Known, lines: Lines) -> None:
    await take(world, contexts.UPDATED)
    hints = [decode_hint(message.body) for _, message in world.everything_sent()]
    assert sorted((hint.why, hint.source) for hint in hints) == [
        (Why.OPTOUT, Source.INBOX),
        (Why.UPSERT, Source.INBOX),
    ]
    (decision,) = lines("decision")
    assert (decision["lane"], decision["reason"]) == ("dataverse-inbox", "admitted")


async def test_the_same_message_twice_is_one(world: Known) -> None:
    for _ in range(2):
        await take(world, contexts.UPDATED)
    assert len(world.everything_sent()) == 2


@pytest.mark.parametrize("body", [b"", b"<xml/>", b"\x06\x40 binary", b"[]", b'{"MessageName": "Update"}'])
async def test_what_cannot_be_read_is_parked_as_it_is(world: Known, body: bytes, lines: Lines) -> None:
    await take(world, body)
    ((lane, letter),) = world.everything_sent()
    assert (lane, letter.body) == (Lane.PARKED, body)
    assert letter.properties["reason"] == "malformed"
    assert letter.properties["lane"] == "dataverse-inbox"
    assert lines("decision")[0]["parked"] is True


async def test_a_broker_that_takes_nothing_gets_the_message_again(world: Known) -> None:
    world.bus.refusing = True
    with pytest.raises(BusUnavailableError):
        await take(world, contexts.UPDATED)


async def test_while_the_mapping_is_not_known_the_message_waits_in_its_queue(world: Known, lines: Lines) -> None:
    async def unknown() -> None:
        raise Retry(Reason.LEDGER_UNREACHABLE)

    await take(world, contexts.UPDATED, refresh_mapping=unknown)
    (queued,) = world.bus.contents()[Lane.INBOX]
    assert (queued.message.body, queued.visible_at) == (contexts.UPDATED, after(60))
    assert lines("decision")[0]["again_in_s"] == 60


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"MessageName": "Assign"}, "not_used"),
        ({"PrimaryEntityName": "lead"}, "not_mapped"),
    ],
)
async def test_what_nobody_needs_is_done(world: Known, change: dict[str, Any], reason: str, lines: Lines) -> None:
    await take(world, json.dumps(json.loads(contexts.UPDATED) | change).encode())
    assert world.everything_sent() == []
    assert lines("decision")[0]["reason"] == reason
