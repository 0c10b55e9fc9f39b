"""The Campaign client against a scripted server: tokens, calls, pages, events."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.clients.campaign.auth import ImsTokens
from shared.clients.campaign.client import CampaignClient
from shared.clients.campaign.config import CampaignConfig
from shared.clients.campaign.events import JournalEvents
from shared.domain.ledger import Progress
from shared.domain.mapping import Privacy
from shared.errors import Halt, Reason, Retry, Uncertain
from tests.component.clients.scripted_server import Act, hang_up, hold, reply

ID = "1b2c3d4e-0000-4000-8000-000000000001"
START = datetime(2026, 3, 1, tzinfo=UTC)
UNKNOWN = "RST-360011 An error has occurred. Unable to find document with path 'Profile' from key 'x'."


class Clock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock():
    return Clock()


def granted(number: int, life_s: int = 86_399) -> Act:
    return reply(200, {"access_token": f"t{number}", "expires_in": life_s})


@pytest.fixture
def config(server):
    return CampaignConfig(
        url=f"{server.url}/acme/campaign",
        token_url=f"{server.url}/ims/token/v3",
        client_id="api-key",
        client_secret="s3cret",
        scopes="openid",
        organization_id="A1@AdobeOrg",
        events_url=f"{server.url}/events/1",
        timeout_s=0.5,
    )


@pytest.fixture
def tokens(config, http, clock):
    return ImsTokens(config, http, clock)


@pytest.fixture
def campaign(config, http, tokens, clock):
    return CampaignClient(config, http, tokens, clock)


async def test_one_token_request_serves_many_waiters_and_lasts(campaign, server, tokens, clock):
    server.will(granted(1))
    assert await asyncio.gather(*(tokens.token() for _ in range(20))) == ["t1"] * 20
    clock.time += timedelta(seconds=86_399 - 601)
    assert await tokens.token() == "t1"
    assert len(server.asked) == 1
    clock.time += timedelta(seconds=2)
    server.will(granted(2))
    assert await tokens.token() == "t2"


async def test_many_refusals_of_one_token_ask_for_one_new_one(server, tokens):
    server.will(granted(1), granted(2))
    await tokens.token()
    assert await asyncio.gather(*(tokens.renew("t1") for _ in range(5))) == ["t2"] * 5
    assert await tokens.renew("t1") == "t2"
    assert len(server.asked) == 2


@pytest.mark.parametrize("act", [hang_up, reply(500)])
async def test_a_write_without_a_token_was_not_sent(campaign, server, act):
    server.will(act)
    with pytest.raises(Retry) as caught:
        await campaign.create_profile(ID, {}, frozenset())
    assert (type(caught.value), caught.value.reason) == (Retry, Reason.CAMPAIGN_UNREACHABLE)
    assert [asked.path for asked in server.asked] == ["/ims/token/v3"]


async def test_wrong_credentials_halt(campaign, server):
    server.will(reply(401, {"error": "invalid_client"}))
    with pytest.raises(Halt) as caught:
        await campaign.profile(ID)
    assert caught.value.reason is Reason.CAMPAIGN_CREDENTIALS


async def test_a_revoked_token_is_renewed_once(campaign, server):
    server.will(granted(1), reply(401, {"error_code": "401013"}), granted(2), reply(404, text=UNKNOWN))
    assert await campaign.profile(ID) is None
    assert [asked.headers.get("Authorization") for asked in server.asked] == [None, "Bearer t1", None, "Bearer t2"]


async def test_the_calls_of_the_port(campaign, server):
    server.will(granted(1), reply(200, {"PKey": "@p", "externalId": ID}))
    profile = await campaign.profile(ID)
    assert profile is not None
    server.will(reply(201, {}), reply(200, {}), reply(200, {}), reply(404, text=UNKNOWN), reply(201, {}))
    assert await campaign.create_profile(ID, {"firstName": "Ann"}, frozenset({"blackListEmail"})) is True
    assert await campaign.update_profile(ID, profile.handle, {"firstName": "Bea"}) is True
    assert await campaign.update_profile(ID, None, {"firstName": "Bea"}) is True
    assert await campaign.write_flags("@p", {"ccpaOptOut": True}) is False
    await campaign.request_privacy_delete(ID, "D-1", Privacy("gdpr", "ns"))
    assert [(asked.method, asked.path) for asked in server.asked[1:]] == [
        ("GET", f"/acme/campaign/profileAndServicesExt/profile/{ID}"),
        ("POST", "/acme/campaign/profileAndServicesExt/profile"),
        ("PATCH", "/acme/campaign/profileAndServicesExt/profile/%40p"),
        ("PATCH", f"/acme/campaign/profileAndServicesExt/profile/{ID}"),
        ("PATCH", "/acme/campaign/profileAndServicesExt/profile/%40p"),
        ("POST", "/acme/campaign/privacy/privacyTool"),
    ]
    assert server.asked[2].json() == {"firstName": "Ann", "blackListEmail": True, "externalId": ID}


@pytest.mark.parametrize("act", [hold, hang_up, reply(500, text="odd"), reply(502, {"code": 502, "message": "Oops."})])
async def test_a_write_without_a_clear_answer_is_uncertain_and_a_read_is_not(campaign, server, act):
    server.will(granted(1), act, act)
    with pytest.raises(Uncertain):
        await campaign.update_profile(ID, None, {})
    with pytest.raises(Retry) as caught:
        await campaign.profile(ID)
    assert (type(caught.value), caught.value.reason) == (Retry, Reason.CAMPAIGN_UNREACHABLE)


async def test_the_privacy_list_is_read_until_the_name_appears(campaign, config, server):
    following = {"href": f"{config.url}/privacy/privacyTool?_lineStart=@2"}
    server.will(
        granted(1),
        reply(200, {"content": [{"name": "other", "status": "complete"}], "next": following}),
        reply(200, {"content": [{"name": "D-1", "status": "processing"}], "next": {"href": f"{config.url}/never"}}),
    )
    assert await campaign.privacy_progress("D-1") is Progress.RUNNING
    assert server.asked[-1].path == "/acme/campaign/privacy/privacyTool?_lineStart=@2"


async def test_a_name_on_no_page_is_not_found(campaign, config, server):
    following = {"href": f"{config.url}/privacy/privacyTool?_lineStart=@2"}
    server.will(granted(1), reply(200, {"content": [], "next": following}), reply(200, {"content": []}))
    assert await campaign.privacy_progress("D-1") is Progress.NOT_FOUND


async def test_a_list_that_leads_back_to_itself_ends(campaign, config, server):
    page = reply(200, {"content": [], "next": {"href": f"{config.url}/privacy/privacyTool?_lineStart=@2"}})
    server.will(granted(1), page, page)
    with pytest.raises(Retry, match="already read"):
        await campaign.privacy_progress("D-1")


async def test_ping(campaign, server):
    server.will(granted(1), reply(200, {"content": {}}), reply(403, {"error_code": "403023"}))
    await campaign.ping()
    assert server.asked[1].path == "/acme/campaign/profileAndServices/resourceType/profile"
    with pytest.raises(Halt) as caught:
        await campaign.ping()
    assert caught.value.reason is Reason.CAMPAIGN_MISCONFIGURED


async def test_events_go_on_where_the_page_says(config, http, tokens, clock, server):
    events = JournalEvents(config, http, tokens, clock, limit=2)
    server.will(
        granted(1),
        reply(200, {"events": []}, Link='</events/1?since=a%3A1&limit=2>; rel="next"'),
        reply(204, retry_after="7"),
    )
    first = await events.page(None)
    assert (first.facts, first.position) == ((), "a%3A1")
    last = await events.page(first.position)
    assert (last.position, last.wait_s) == (None, 7)
    assert [asked.path for asked in server.asked[1:]] == ["/events/1?limit=2", "/events/1?limit=2&since=a%3A1"]
    assert server.asked[1].headers["x-ims-org-id"] == "A1@AdobeOrg"


async def test_an_expired_position_goes_on_with_the_oldest_kept_and_says_so(config, http, tokens, clock, server):
    events = JournalEvents(config, http, tokens, clock)
    server.will(granted(1), reply(410), reply(204))
    page = await events.page("gone")
    assert (page.position, page.gap) == (None, True)
    assert [asked.path for asked in server.asked[1:]] == ["/events/1?limit=500&since=gone", "/events/1?limit=500"]
