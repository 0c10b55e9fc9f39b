"""All profiles and all privacy statuses, read from the Campaign stand-in and from a server that stumbles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

import sandbox.campaign as stand_in
from shared.clients.calls import Request
from shared.clients.campaign.auth import ImsTokens
from shared.clients.campaign.client import CampaignClient
from shared.clients.campaign.config import CampaignConfig
from shared.clients.http import Http
from shared.domain.mapping import Privacy
from shared.errors import Retry
from tests.component.clients.scripted_server import ScriptedServer, reply

PRIVACY = Privacy("gdpr", "d365ExternalId")
IDS = [f"1b2c3d4e-0000-4000-8000-00000000000{number}" for number in range(7)]


def client(http: Http, url: str, organization: str = "acme") -> CampaignClient:
    known = stand_in.CampaignConfig().clients[0]
    config = CampaignConfig(
        url=f"{url}/{organization}/campaign",
        token_url=f"{url}/ims/token/v3",
        client_id=known.client_id,
        client_secret=known.client_secret,
        scopes="openid,campaign_sdk",
        organization_id="A1B2C3D4@AdobeOrg",
        events_url=f"{url}/events",
        timeout_s=2,
    )
    return CampaignClient(config, http, ImsTokens(config, http, _now), _now)


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def marketing() -> AsyncIterator[stand_in.Campaign]:
    """A table of more than three rows is a big one, whose lists end early unless pagination is forced."""
    server = await stand_in.start(stand_in.CampaignConfig(page_size=2, big_table_threshold=3))
    yield server
    await server.stop()


async def test_every_profile_comes_once_page_by_page(marketing: stand_in.Campaign, http: Http):
    campaign = client(http, marketing.url)
    for contact_id in IDS:
        assert await campaign.create_profile(contact_id, {"firstName": "Ann"}, frozenset())
    before = campaign.engine_calls
    pages = [page async for page in campaign.profiles(3)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [external_id for page in pages for external_id, _ in page] == IDS
    assert pages[0][0][1] == await campaign.profile(IDS[0])
    assert campaign.engine_calls - before == 4


async def test_profiles_are_counted_however_many_there_are(marketing: stand_in.Campaign, http: Http):
    campaign = client(http, marketing.url)
    assert await campaign.profile_count() == 0
    for contact_id in IDS:
        await campaign.create_profile(contact_id, {}, frozenset())
    assert await campaign.profile_count() == len(IDS)


async def test_engine_calls_are_counted_as_campaign_counts_them(marketing: stand_in.Campaign, http: Http):
    campaign = client(http, marketing.url)
    await campaign.create_profile(IDS[0], {}, frozenset())
    await campaign.profile_count()
    assert [page async for page in campaign.profiles(10)] != []
    answer = await http.send(Request("control", "x", "GET", f"{marketing.url}/_sandbox/counters"), 5)
    kinds = answer.json()["keys"]["sandbox-bridge-key"]
    assert sum(kinds.values()) == campaign.engine_calls == 4


async def test_all_statuses_come_with_one_pass(marketing: stand_in.Campaign, http: Http):
    campaign = client(http, marketing.url)
    assert await campaign.privacy_statuses() == {}
    await campaign.create_profile(IDS[0], {}, frozenset())
    await campaign.request_privacy_delete(IDS[0], "there", PRIVACY)
    await campaign.request_privacy_delete(IDS[1], "nobody", PRIVACY)
    assert await campaign.privacy_statuses() == {"there": "new", "nobody": "new"}
    await http.send(Request("control", "x", "POST", f"{marketing.url}/_sandbox/privacy/run", body=b"{}"), 5)
    before = campaign.engine_calls
    assert await campaign.privacy_statuses() == {"there": "deletePending", "nobody": "errorDataNotFound"}
    assert campaign.engine_calls - before == 1


async def test_a_page_that_fails_can_be_asked_for_again(server: ScriptedServer, http: Http):
    campaign = client(http, server.url)
    row = {"PKey": "@p", "externalId": IDS[0]}
    following = {"href": f"{server.url}/acme/campaign/profileAndServicesExt/profile?_lineStart=@2"}
    server.will(
        reply(200, {"access_token": "t", "expires_in": 3600}),
        reply(200, {"content": [row], "next": following}),
        reply(503),
        reply(200, {"content": [row]}),
    )
    listing = campaign.profiles(1)
    assert len(await anext(listing)) == 1
    with pytest.raises(Retry):
        await anext(listing)
    assert len(await anext(listing)) == 1
    assert await anext(listing, None) is None
    assert [asked.path.rpartition("?")[2] for asked in server.asked[2:]] == ["_lineStart=@2", "_lineStart=@2"]


async def test_where_no_count_is_offered_there_is_none(server: ScriptedServer, http: Http):
    campaign = client(http, server.url)
    server.will(reply(200, {"access_token": "t", "expires_in": 3600}), reply(200, {"content": []}))
    assert await campaign.profile_count() is None
