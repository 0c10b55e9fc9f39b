"""The Campaign client against the Campaign stand-in: two readings of the same facts must agree."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

import sandbox.campaign as stand_in
from shared.clients.calls import Request
from shared.clients.campaign import changes
from shared.clients.campaign.auth import ImsTokens
from shared.clients.campaign.client import CampaignClient
from shared.clients.campaign.config import CampaignConfig
from shared.clients.campaign.events import JournalEvents
from shared.clients.http import Http
from shared.domain.contact import OLDEST
from shared.domain.fact import EmailEvent
from shared.domain.ledger import Progress
from shared.domain.mapping import Privacy
from shared.errors import Halt, Park, Reason, Retry, Uncertain

ID = "1b2c3d4e-0000-4000-8000-000000000001"
OTHER = "1b2c3d4e-0000-4000-8000-000000000002"
PRIVACY = Privacy("gdpr", "d365ExternalId")


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class World:
    """A running stand-in with the bridge's clients; `order` plays a person or breaks something."""

    url: str
    http: Http
    config: CampaignConfig
    campaign: CampaignClient
    events: JournalEvents

    async def order(self, path: str, **document: Any) -> Any:
        request = Request("control", "x", "POST", f"{self.url}/_sandbox{path}", body=json.dumps(document).encode())
        answer = await self.http.send(request, 5)
        assert answer.status == 200, answer.body
        return answer.json()


@pytest.fixture
async def world(http: Http) -> AsyncIterator[World]:
    server = await stand_in.start(stand_in.CampaignConfig(page_size=2, big_table_threshold=3, two_step=True))
    journal = server.config.journal
    client = server.config.clients[0]
    config = CampaignConfig(
        url=f"{server.url}/{server.config.org}/campaign",
        token_url=f"{server.url}/ims/token/v3",
        client_id=client.client_id,
        client_secret=client.client_secret,
        scopes="openid,campaign_sdk",
        organization_id=server.config.ims_org,
        events_url=(
            f"{server.url}/events/organizations/{journal.consumer_org}/integrations/{journal.integration}"
            f"/{journal.registration}"
        ),
        timeout_s=2,
    )
    tokens = ImsTokens(config, http, now)
    yield World(
        server.url,
        http,
        config,
        CampaignClient(config, http, tokens, now),
        JournalEvents(config, http, tokens, now, limit=2),
    )
    await server.stop()


async def test_a_profile_lives(world):
    campaign = world.campaign
    await campaign.ping()
    assert await campaign.profile(ID) is None
    assert await campaign.update_profile(ID, None, {"firstName": "Ann"}) is False
    fields = {"firstName": "Ann", "location.city": "Berlin", "birthDate": None, "gender": "female"}
    assert await campaign.create_profile(ID, fields, frozenset({"blackListEmail"})) is True
    assert await campaign.create_profile(ID, fields, frozenset()) is False
    profile = await campaign.profile(ID)
    assert fields.items() <= profile.fields.items()
    assert profile.opted_out["blackListEmail"].value is True
    assert profile.opted_out["blackListEmail"].changed_at > OLDEST
    assert (profile.opted_out["blackListFax"].value, profile.opted_out["blackListFax"].changed_at) == (False, OLDEST)
    assert len(profile.opted_out) == 8
    assert await campaign.update_profile(ID, profile.handle, {"firstName": "Bea", "location.city": None}) is True
    assert await campaign.write_flags(profile.handle, {"ccpaOptOut": True, "blackListPushnotification": True}) is True
    changed = await campaign.profile(ID)
    assert (changed.fields["firstName"], changed.fields["location.city"]) == ("Bea", None)
    assert {name for name, flag in changed.opted_out.items() if flag.value} == {
        "blackListEmail",
        "ccpaOptOut",
        "blackListPushnotification",
    }
    await world.order("/person/delete", externalId=ID)
    assert await campaign.update_profile(ID, profile.handle, {"firstName": "Ann"}) is False
    assert await campaign.write_flags(profile.handle, {"ccpaOptOut": True}) is False


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"gender": "divers"}, Reason.REFUSED_VALUE, "gender"),
        ({"firstName": "x" * 31}, Reason.REFUSED_VALUE, "firstName"),
        ({"birthDate": "yesterday"}, Reason.REFUSED_VALUE, "birthDate"),
        ({"age": 7}, Reason.REFUSED_FIELD, "age"),
        ({"cusUnknown": "x"}, Reason.REFUSED_FIELD, "cusUnknown"),
        ({"location.planet": "x"}, Reason.REFUSED_FIELD, "location.planet"),
        ({"email": "not an address"}, Reason.REFUSED_EMAIL, "email"),
    ],
)
async def test_data_errors_are_parked(world, fields, reason, field):
    with pytest.raises(Park) as caught:
        await world.campaign.create_profile(ID, fields, frozenset())
    assert caught.value.reason is reason
    assert caught.value.detail.endswith(f"field {field}")


async def test_privacy_requests_are_found_on_later_pages_of_a_big_table(world):
    campaign = world.campaign
    await campaign.create_profile(ID, {}, frozenset())
    for number in range(4):
        await campaign.request_privacy_delete(OTHER, f"D-{number}", PRIVACY)
    assert await campaign.privacy_progress("D-9") is Progress.NOT_FOUND
    await campaign.request_privacy_delete(ID, "D-9", PRIVACY)
    await campaign.request_privacy_delete(ID, "D-9", PRIVACY)
    assert await campaign.privacy_progress("D-9") is Progress.RUNNING
    await world.order("/privacy/run")
    assert await campaign.privacy_progress("D-9") is Progress.RUNNING
    assert await campaign.privacy_progress("D-0") is Progress.ENDED
    await world.order("/privacy/confirm")
    assert await campaign.privacy_progress("D-9") is Progress.ENDED
    assert await campaign.profile(ID) is None


async def test_an_unknown_namespace_or_regulation(world):
    with pytest.raises(Halt):
        await world.campaign.request_privacy_delete(ID, "D-1", Privacy("gdpr", "nowhere"))
    with pytest.raises(Park):
        await world.campaign.request_privacy_delete(ID, "D-1", Privacy("gdbr", "d365ExternalId"))


async def test_a_revoked_token_is_replaced_without_notice(world):
    await world.campaign.ping()
    await world.order("/tokens/revoke")
    assert await world.campaign.profile(ID) is None


@pytest.mark.parametrize("changes", [{"client_secret": "wrong"}, {"url": "{url}/elsewhere/campaign"}])
async def test_what_every_message_would_meet_halts(world, changes):
    values = {name: value.format(url=world.url) for name, value in changes.items()}
    config = CampaignConfig(**{**vars(world.config), **values})
    campaign = CampaignClient(config, world.http, ImsTokens(config, world.http, now), now)
    with pytest.raises(Halt):
        await campaign.profile(ID)


async def test_patience_and_hiccups_by_name(world):
    await world.order("/faults", fault="refuse", times=1, status=503, retry_after_s=7)
    with pytest.raises(Retry) as caught:
        await world.campaign.create_profile(ID, {}, frozenset())
    assert (type(caught.value), caught.value.reason, caught.value.after_s) == (Retry, Reason.CAMPAIGN_BUSY, 7)
    await world.order("/faults", fault="refuse", times=2, status=500)
    with pytest.raises(Uncertain):
        await world.campaign.create_profile(ID, {}, frozenset())
    with pytest.raises(Retry) as caught:
        await world.campaign.profile(ID)
    assert caught.value.reason is Reason.CAMPAIGN_UNREACHABLE


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "break-connection", "applied": True},
        {"fault": "time-out", "hold_s": 30, "apply_after_s": 0.05},
    ],
)
async def test_a_write_that_got_no_answer_may_have_been_applied(world, fault):
    impatient = CampaignConfig(**{**vars(world.config), "timeout_s": 1})
    campaign = CampaignClient(impatient, world.http, ImsTokens(impatient, world.http, now), now)
    await campaign.ping()
    await world.order("/faults", times=1, **fault)
    with pytest.raises(Uncertain):
        await campaign.create_profile(ID, {"firstName": "Ann"}, frozenset())
    await asyncio.sleep(0.1)
    assert (await world.campaign.profile(ID)).fields["firstName"] == "Ann"


async def test_the_journal_is_read_to_its_end(world):
    for kind, more in (
        ("send", {}),
        ("click", {"url": "https://www.example.com/a", "id": "e2", "occurredAt": "2026-02-28T23:00:00.250Z"}),
        ("bounce", {"bounceType": "soft"}),
        ("bounce", {"bounceType": "hard"}),
        ("open", {}),
    ):
        await world.order("/events", kind=kind, externalId=ID.upper(), **more)
    await world.order("/events", kind="open", externalId="CRM-7")
    facts, position = [], None
    for _ in range(3):
        page = await world.events.page(position)
        facts += page.facts
        position = page.position
        assert page.unreadable == ()
    assert [fact.event for fact in facts] == [EmailEvent.SEND, EmailEvent.CLICK, EmailEvent.BOUNCE, EmailEvent.OPEN]
    assert {fact.contact_id for fact in facts} == {ID}
    click = facts[1]
    assert (click.id, click.tracking_url, click.at) == (
        "e2",
        "https://www.example.com/a",
        datetime(2026, 2, 28, 23, 0, 0, 250_000, UTC),
    )
    end = await world.events.page(position)
    assert (end.facts, end.position, end.wait_s) == ((), None, 10)
    await world.order("/events", kind="send", externalId=ID)
    assert [fact.event for fact in (await world.events.page(position)).facts] == [EmailEvent.SEND]


async def test_changed_profiles_come_newest_first_and_whole_also_from_a_big_table(world):
    """The stand-in drops `next` above three rows unless pagination is forced, and shows two rows a page by default."""
    ids = [f"1b2c3d4e-0000-4000-8000-{number:012}" for number in range(6)]
    for contact_id in ids:
        assert await world.campaign.create_profile(contact_id, {"firstName": "Ann"}, frozenset())
    await world.order("/person/profile", firstName="Of nobody")
    first = await world.campaign.profile(ids[0])
    await world.campaign.write_flags(first.handle, {"blackListEmail": True})
    before = world.campaign.engine_calls
    changes.PAGE_ROWS, usual = 2, changes.PAGE_ROWS
    try:
        pages = [page async for page in world.campaign.changed_since(OLDEST)]
        newest = [one for page in pages for one in page]
        since = [one async for page in world.campaign.changed_since(newest[0].changed_at) for one in page]
    finally:
        changes.PAGE_ROWS = usual
    assert [one.contact_id for one in newest] == [ids[0], *reversed(ids[1:])]
    assert newest[0].opted_out["blackListEmail"].value is True
    assert [one.contact_id for one in since] == [ids[0]]
    assert world.campaign.engine_calls - before <= 4 + 2
