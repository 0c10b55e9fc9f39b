"""No value of a person, and no secret, in any log line, in any lane but as ids, or in a parked letter's marks."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from shared.clients.dynamics.context import parse
from shared.domain.change import Lane, Why
from shared.domain.ledger import Absent, LedgerRow
from shared.domain.mapping import FieldRow, FromColumn, OptOutPair
from shared.domain.optout_file import FilePolicy
from shared.engine.intake import Doorkeeper
from shared.engine.timers import Timers
from shared.engine.webhook import Webhook
from shared.errors import Halt, Park, Reason, Retry, RetryAsVerify
from tests.unit import contexts
from tests.unit.engine.fakes import Known, delivery
from tests.unit.examples import ID, KEY, MAPPING, after, chunk, contact, fact, hint, profile

CANARIES = ("Ada", "Lovelace", "ada@example.org", "London", "+44 20", "secret-key", "offered-key")
COLUMNS = replace(
    MAPPING,
    field_rows=(*MAPPING.field_rows, FieldRow("x", FromColumn("firstname"))),
    opt_outs=(OptOutPair("no_mail", "blackListEmail"),),
)


def told(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


async def webhook(world: Known) -> None:
    door = Webhook(world.ports, Doorkeeper(["secret-key"]), parse)
    for body in (contexts.CREATED, contexts.UPDATED, contexts.DELETED, contexts.CREATED[:-5], contexts.wire(["Ada"])):
        for key in ("secret-key", "offered-key", None):
            answer = await door.answer(key, body)
            assert not told(answer.body)


async def records(world: Known) -> None:
    failures = [
        None,
        Retry(Reason.CAMPAIGN_BUSY),
        RetryAsVerify(Reason.OUTCOME_UNKNOWN),
        Halt(Reason.CAMPAIGN_CREDENTIALS),
        Park(Reason.REFUSED_VALUE, "firstName"),
    ]
    for failure in failures:
        for there in (None, profile(), profile(fields={"firstName": "Augusta"})):
            world.ledger.rows.clear()
            world.campaign.failure, world.campaign.there = failure, there
            await world.engine.record(delivery(hint(), Lane.CONTACT_UPSERT))
            world.clock.pass_(200)


async def deletions(world: Known) -> None:
    world.dynamics.row, world.campaign.there = None, profile(blackListEmail=True)
    await world.engine.record(delivery(hint(Why.DELETE), Lane.CONTACT_DELETE))
    await world.engine.opt_out(delivery(hint(Why.OPTOUT), Lane.OPTOUT))


async def opt_outs(world: Known) -> None:
    world.dynamics.row = contact(no_mail=True)
    world.campaign.there = profile(after(-5))
    await world.engine.opt_out(delivery(hint(Why.OPTOUT), Lane.OPTOUT))


async def malformed(world: Known) -> None:
    bodies = (
        b"Ada Lovelace",
        b'{"kind": "hint", "why": "Ada", "id": ["ada@example.org"]}',
        b'{"kind": "Ada Lovelace"}',
    )
    for body in bodies:
        await world.engine.record(delivery(body, Lane.CONTACT_UPSERT))
        await world.engine.opt_out(delivery(body, Lane.OPTOUT))
        await world.engine.timeline(delivery(body, Lane.TIMELINE))


async def files(world: Known) -> None:
    header = "externalId;email;blackListEmail"
    world.folder.write("a.csv", "Ada;Lovelace;ada@example.org")
    rows = [f"{ID};ada@example.org;true", f"{ID};ada@example.org;Lovelace", f"{ID};Ada;Lovelace;x"]
    world.folder.write("b.csv", header, *rows)
    await Timers(world.ports, files=FilePolicy(settle_s=1), seals=world.seals, event_limit=1).optout_file()


async def timeline(world: Known) -> None:
    event = fact(1, url="https://example.org/?mail=ada@example.org")
    await world.engine.timeline(delivery(chunk(event), Lane.TIMELINE))


async def checks(world: Known) -> None:
    await world.ledger.put(LedgerRow(KEY, Absent(), flags=frozenset({"blackListEmail"}), check_at=world.clock.now()))
    await Timers(world.ports, files=FilePolicy(), seals=world.seals, event_limit=1).ledger_checks()


@pytest.mark.parametrize("story", [webhook, records, deletions, opt_outs, malformed, files, timeline, checks])
async def test_no_value_of_a_person_is_told(story: object, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = Known(COLUMNS)
    world.dynamics.row = replace(contact(), columns={**dict.fromkeys(COLUMNS.columns), **contact().columns})
    await story(world)  # type: ignore[operator]
    logged = [record.getMessage() + str(record.args) for record in caplog.records]
    assert [record for record in caplog.records if record.name == "bridge"]
    assert not told("\n".join(logged))
    for lane, message in world.everything_sent():
        assert not told(f"{message.message_id} {dict(message.properties)}")
        if lane is not Lane.PARKED:  # a parked letter keeps its bytes, whoever wrote them
            assert not told(message.body.decode())
    assert not told(repr(world.ledger.rows) + repr(world.watermarks.values))


def test_the_canaries_are_in_what_the_stories_read() -> None:
    """Otherwise the tests above would find nothing for the wrong reason."""
    assert "Ada" in repr(contact())
    assert "London" in repr(profile())
    assert told(contexts.CREATED.decode())
