"""Canaries: whatever goes wrong, no value, address or secret shows in an exception or a log line."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime

import pytest

from shared.clients.campaign.auth import ImsTokens
from shared.clients.campaign.client import CampaignClient
from shared.clients.campaign.config import CampaignConfig
from shared.clients.campaign.events import JournalEvents
from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.wire_tables import Found
from shared.clients.http import Http
from shared.domain.change import RecordKey
from shared.domain.effects import RecordActivity
from shared.domain.fact import EmailEvent, Fact
from shared.domain.mapping import FieldRow, FromColumn, Mapping, Mappings, Privacy
from shared.errors import Outcome
from shared.timeline_file import ADOBE_TABLES
from tests.component.clients.scripted_server import ScriptedServer, hang_up, hold, reply, stop_half_way

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ID = "1b2c3d4e-0000-4000-8000-000000000001"
VALUE = "canaryvalue"
SECRET = "canarysecret"
TOKEN = "canarytoken"
GENERIC = "RST-360011 An error has occurred."
TEXTS = [
    f"{GENERIC} The value '{VALUE}' is not valid for the 'x' enumeration of the '@firstName' field.",
    f"{GENERIC} A 'Profile' with the same key '{VALUE}' already exists. PGS-220000 PostgreSQL error",
    f"XTK-170049 '{VALUE}@example.org' is refused",
    f"'{VALUE}' property is not valid for the 'profile' resource.",
    f"something else about {VALUE} and {TOKEN}",
]
ACTS = [
    *(reply(status, text=text) for text in TEXTS for status in (400, 404, 500)),
    reply(403, {"error_code": VALUE, "message": TOKEN}),
    reply(400, {"error": {"code": VALUE, "message": VALUE}}),
    reply(429, text=VALUE),
    reply(200, text=VALUE),
    reply(200, {"value": [VALUE], "content": VALUE, "events": VALUE, "PKey": 7, "externalId": ID}),
    reply(401, {"message": TOKEN}),
    hang_up,
    stop_half_way,
    hold,
]


class FixedToken:
    async def token(self) -> str:
        return TOKEN

    async def renew(self, refused: str) -> str:
        return refused


def campaign_calls(server: ScriptedServer, http: Http) -> Iterator[Awaitable[object]]:
    config = CampaignConfig(
        url=f"{server.url}/acme/campaign",
        token_url=f"{server.url}/ims",
        client_id="api-key",
        client_secret=SECRET,
        scopes="openid",
        organization_id="A1@AdobeOrg",
        events_url=f"{server.url}/events?x={VALUE}",
        timeout_s=0.2,
    )
    client = CampaignClient(config, http, FixedToken(), lambda: NOW)
    fields = {"firstName": VALUE, "location.city": VALUE}
    yield client.profile(ID)
    yield client.create_profile(ID, fields, frozenset())
    yield client.update_profile(ID, f"@{VALUE}", fields)
    yield client.write_flags(f"@{VALUE}", {"blackListEmail": True})
    yield client.request_privacy_delete(ID, "D-1", Privacy("gdpr", VALUE))
    yield client.privacy_progress("D-1")
    yield client.ping()
    yield JournalEvents(config, http, FixedToken(), lambda: NOW).page(VALUE)
    yield ImsTokens(config, http, lambda: NOW).token()


def dynamics_calls(server: ScriptedServer, http: Http) -> Iterator[Awaitable[object]]:
    config = DynamicsConfig(server.url, f"{server.url}/tenant", "client", SECRET, timeout_s=0.2)
    mapping = Mapping("1", "contact", (FieldRow("firstName", FromColumn("firstname")),), (), Privacy("gdpr", "ns"))
    client = DynamicsClient(config, http, FixedToken(), lambda: Mappings(mapping), lambda: NOW)
    click = ADOBE_TABLES.tables[EmailEvent.CLICK]
    client._activities._found[EmailEvent.CLICK] = Found(click.name, f"{click.name}s", "regarding")
    fact = Fact("1", EmailEvent.CLICK, ID, VALUE, VALUE, NOW, f"https://x.test/{VALUE}", f"https://x.test/{VALUE}")
    yield client.read(RecordKey("contact", ID))
    yield client.read_many("contact", [ID])
    yield client.write_opt_outs(ID, {"donotemail": True}, f'W/"{VALUE}"')
    yield client.record_activities([RecordActivity(fact, ID)])
    yield client.whoami()


@pytest.mark.parametrize("act", ACTS)
async def test_nothing_leaks(server, http, caplog, act):
    caplog.set_level(logging.DEBUG)
    server.always = act
    results = await asyncio.gather(*campaign_calls(server, http), *dynamics_calls(server, http), return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    assert failures
    assert all(isinstance(failure, Outcome) for failure in failures)
    shown = "\n".join(
        [repr(failure) + "".join(traceback.format_exception(failure)) for failure in failures]
        + [logging.Formatter().format(record) for record in caplog.records]
    )
    assert not [word for word in (VALUE, SECRET, TOKEN) if word in shown]


def test_settings_do_not_show_their_secret():
    dynamics = DynamicsConfig("https://x.test", "https://y.test", "client", SECRET)
    campaign = CampaignConfig("https://x.test", "https://y.test", "key", SECRET, "openid", "A1", "https://z.test")
    assert SECRET not in repr(dynamics) + repr(campaign)
