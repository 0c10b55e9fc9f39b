"""The webhook's answers, and what is in the lanes by then."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from shared.clients.dynamics.context import parse
from shared.domain.change import Lane, Source, Why
from shared.domain.mapping import FieldRow, FromColumn, OptOutPair
from shared.engine.intake import Doorkeeper
from shared.engine.webhook import Webhook
from shared.wire import decode_hint
from tests.unit import contexts
from tests.unit.contexts import execution_context, wire
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known
from tests.unit.examples import MAPPING, NOW

COLUMNS = replace(
    MAPPING,
    field_rows=(FieldRow("firstName", FromColumn("firstname")), FieldRow("phone", FromColumn("telephone1"))),
    opt_outs=(OptOutPair("donotbulkemail", "blackListEmail"),),
)


@pytest.fixture
def world() -> Known:
    return Known(COLUMNS)


def webhook(world: Known, *keys: str) -> Webhook:
    return Webhook(world.ports, Doorkeeper(keys or ("new", "old")), parse)


def hinted(world: Known) -> list[tuple[Lane, Why]]:
    return [(lane, decode_hint(message.body).why) for lane, message in world.everything_sent()]


@pytest.mark.parametrize("key", ["new", "old"])
async def test_during_a_rotation_both_keys_open(world: Known, key: str) -> None:
    answer = await webhook(world).answer(key, contexts.UPDATED)
    assert (answer.status, json.loads(answer.body)) == (202, {"hints": 2})


@pytest.mark.parametrize("key", [None, "", "wrong", "new,old", "new ", "NEW", "n\u00e9w"])
async def test_any_other_key_is_refused_before_the_body_is_looked_at(
    world: Known, key: str | None, lines: Lines
) -> None:
    answer = await webhook(world).answer(key, b"nonsense")
    assert (answer.status, json.loads(answer.body)) == (401, {"error": "wrong or missing x-bridge-key"})
    assert world.everything_sent() == []
    assert [line["status"] for line in lines("counted")] == [401]


async def test_without_a_key_nobody_enters(world: Known) -> None:
    door = Webhook(world.ports, Doorkeeper(()), parse)
    assert [(await door.answer(key, contexts.UPDATED)).status for key in (None, "", "x")] == [401, 401, 401]


async def test_what_cannot_be_read_is_refused_with_the_place(world: Known) -> None:
    answer = await webhook(world).answer("new", wire(execution_context("Update", PrimaryEntityId="Ada")))
    assert (answer.status, json.loads(answer.body)) == (400, {"error": "PrimaryEntityId: not a GUID"})


async def test_a_queue_that_does_not_take_the_hints_makes_dataverse_try_again(world: Known) -> None:
    world.bus.refusing = True
    answer = await webhook(world).answer("new", contexts.UPDATED)
    assert answer.status == 503
    assert "try again" in json.loads(answer.body)["error"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(contexts.CREATED, [(Lane.CONTACT_UPSERT, Why.UPSERT)], id="create"),
        pytest.param(
            contexts.UPDATED, [(Lane.CONTACT_UPSERT, Why.UPSERT), (Lane.OPTOUT, Why.OPTOUT)], id="update of both"
        ),
        pytest.param(contexts.DELETED, [(Lane.CONTACT_DELETE, Why.DELETE)], id="delete"),
        pytest.param(
            contexts.OVERSIZED, [(Lane.CONTACT_UPSERT, Why.UPSERT), (Lane.OPTOUT, Why.OPTOUT)], id="cut for its size"
        ),
    ],
)
async def test_an_announcement_becomes_hints(world: Known, body: bytes, expected: object) -> None:
    await webhook(world).answer("new", body)
    assert hinted(world) == expected
    for _, message in world.everything_sent():
        hint = decode_hint(message.body)
        assert (hint.source, hint.first_seen, hint.by, hint.attempt) == (Source.WEBHOOK, NOW, contexts.USER, 0)


async def test_dataverses_second_try_is_a_duplicate(world: Known) -> None:
    door = webhook(world)
    for _ in range(2):
        assert (await door.answer("new", contexts.UPDATED)).status == 202
    assert len(world.everything_sent()) == 2


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (execution_context("Assign"), "message not used"),
        (execution_context("Delete", PrimaryEntityName="account", InputParameters=None), "table not mapped"),
        (
            execution_context("Update", InputParameters=[{"key": "Target", "value": {"Attributes": []}}]),
            "no mapped column changed",
        ),
    ],
)
async def test_what_concerns_nobody_is_taken_and_noted(
    world: Known, context: contexts.JSON, reason: str, lines: Lines
) -> None:
    """2xx: a refusal would show as a failed system job in Dataverse."""
    answer = await webhook(world).answer("new", wire(context))
    assert (answer.status, json.loads(answer.body)) == (202, {"hints": 0, "reason": reason})
    assert world.everything_sent() == []
    assert lines("counted") == [{"what": "webhook_ignored", "reason": reason}]
