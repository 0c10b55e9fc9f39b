"""The Dynamics client against a scripted server: shared reads, versions, batches, MSAL."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping as MappingOf
from datetime import UTC, datetime
from urllib.parse import unquote
from uuid import UUID, uuid5

import pytest
from aiohttp import web

from sandbox.tls import ensure_tls
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.config import DynamicsConfig
from shared.domain.change import RecordKey
from shared.domain.effects import RecordActivity
from shared.domain.fact import EmailEvent, Fact
from shared.domain.mapping import FieldRow, FromColumn, Mapping, Mappings, OptOutPair, Privacy
from shared.errors import Halt, Outcome, Reason, Retry, Uncertain
from shared.ports import Recorded
from shared.timeline_file import ADOBE_TABLES
from tests.component.clients.scripted_server import Act, ScriptedServer, hang_up, hold, reply

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMESPACE = UUID(int=7)


def contact_id(number: int) -> str:
    return str(uuid5(NAMESPACE, str(number)))


def key(number: int) -> RecordKey:
    return RecordKey("contact", contact_id(number))


def mapping(*columns: str) -> Mappings:
    rows = tuple(FieldRow(column, FromColumn(column)) for column in columns)
    opt_outs = (OptOutPair("donotemail", "blackListEmail"),)
    return Mappings(Mapping("1", "contact", rows, opt_outs, Privacy("gdpr", "ns")))


class FixedToken:
    async def token(self) -> str:
        return "t"

    async def renew(self, refused: str) -> str:
        return f"{refused}+"


class Rows:
    """Answers contact reads from a dictionary."""

    def __init__(self, rows: MappingOf[str, str]) -> None:
        self.rows = rows

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        ids = re.findall(r"'([0-9a-f-]{36})'", unquote(request.query_string))
        value = [
            {
                "@odata.etag": 'W/"1"',
                "contactid": one,
                "modifiedon": "2026-01-01T00:00:00Z",
                "firstname": self.rows[one],
            }
            for one in ids
            if one in self.rows
        ]
        return await reply(200, {"value": value})(request)


@pytest.fixture
def config(server):
    return DynamicsConfig(server.url, f"{server.url}/tenant", "client", "s3cret", timeout_s=0.5)


@pytest.fixture
def dynamics(config, http):
    return DynamicsClient(config, http, FixedToken(), lambda: mapping("firstname"), lambda: NOW, window_s=0.02)


async def test_reads_of_one_moment_are_one_request(dynamics, server):
    server.always = Rows({contact_id(n): f"name {n}" for n in range(30)})
    contacts = await asyncio.gather(*(dynamics.read(key(n)) for n in range(31)))
    assert [contact and contact.columns["firstname"] for contact in contacts] == [f"name {n}" for n in range(30)] + [
        None
    ]
    assert len(server.asked) == 1


async def test_two_hundred_rows_fill_a_request(dynamics, server):
    server.always = Rows({contact_id(n): str(n) for n in range(450)})
    assert len(await dynamics.read_many("contact", [contact_id(n) for n in range(450)])) == 450
    assert len(server.asked) == 3
    await asyncio.gather(*(dynamics.read(key(n)) for n in range(201)))
    assert len(server.asked) == 5


async def test_the_columns_are_those_of_the_mapping_in_force(config, http, server):
    current = mapping("firstname")
    dynamics = DynamicsClient(config, http, FixedToken(), lambda: current, lambda: NOW, window_s=0)
    server.always = Rows({})
    await dynamics.read(key(1))
    current = mapping("lastname")
    await dynamics.read(key(1))
    selects = [re.findall(r"\$select=([^&]*)", asked.path)[0] for asked in server.asked]
    always = "contactid,modifiedon,_modifiedby_value"
    assert selects == [f"donotemail,firstname,{always}", f"donotemail,lastname,{always}"]


async def test_one_bad_id_does_not_spoil_the_batch(dynamics, server):
    server.always = Rows({contact_id(1): "one"})
    good = asyncio.ensure_future(dynamics.read(key(1)))
    with pytest.raises(ValueError, match="not a GUID"):
        await dynamics.read(RecordKey("contact", "x"))
    assert (await good).columns["firstname"] == "one"


@pytest.mark.parametrize("act", [hold, hang_up, reply(500)])
async def test_a_failed_read_fails_all_that_share_it_and_may_be_repeated(config, http, server, act):
    impatient = DynamicsConfig(config.url, config.authority, "client", "s3cret", timeout_s=0.2)
    dynamics = DynamicsClient(impatient, http, FixedToken(), lambda: mapping("firstname"), lambda: NOW)
    server.always = act
    results = await asyncio.gather(*(dynamics.read(key(n)) for n in range(3)), return_exceptions=True)
    assert [type(one) for one in results] == [Retry] * 3
    assert all(str(one).startswith(Reason.DYNAMICS_UNREACHABLE.slug) for one in results)


async def test_a_waiter_that_is_cancelled_leaves_the_others_alone(dynamics, server):
    server.always = Rows({contact_id(n): str(n) for n in range(3)})
    reads = [asyncio.ensure_future(dynamics.read(key(n))) for n in range(3)]
    await asyncio.sleep(0)
    reads[0].cancel()
    rest = await asyncio.gather(*reads[1:])
    assert [contact.columns["firstname"] for contact in rest] == ["1", "2"]


async def test_opt_outs_are_written_if_the_version_still_holds(dynamics, server):
    server.will(reply(204), reply(412), reply(404))
    written = [await dynamics.write_opt_outs(contact_id(1), {"donotemail": True}, 'W/"7"') for _ in range(3)]
    assert written == [True, False, False]
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("PATCH", f"/api/data/v9.2/contacts({contact_id(1)})?tag=campaign-bridge")
    assert (asked.headers["If-Match"], asked.json()) == ('W/"7"', {"donotemail": True})


@pytest.mark.parametrize("act", [hold, hang_up, reply(500)])
async def test_opt_outs_without_an_answer_are_uncertain(dynamics, server, act):
    server.will(act)
    with pytest.raises(Uncertain):
        await dynamics.write_opt_outs(contact_id(1), {"donotemail": True}, 'W/"7"')


def order(number: int) -> RecordActivity:
    fact = Fact(str(number), EmailEvent.SEND, contact_id(number), "c", "d", NOW)
    return RecordActivity(fact, str(uuid5(NAMESPACE, f"activity {number}")))


DESCRIBED = {
    "EntitySetName": "adobe_emailsends",
    "IsActivity": True,
    "Attributes": [{"LogicalName": name} for name in ADOBE_TABLES.columns(EmailEvent.SEND)],
    "ManyToOneRelationships": [
        {
            "ReferencingAttribute": "regardingobjectid",
            "ReferencedEntity": "contact",
            "ReferencingEntityNavigationPropertyName": "regardingobjectid_contact_adobe_emailsend",
        }
    ],
}


async def all_created(request: web.Request) -> web.StreamResponse:
    """The table's description, and a success for every part of a batch."""
    if request.method == "GET":
        return await reply(200, DESCRIBED)(request)
    parts = (await request.read()).count(b"Content-Type: application/http")
    piece = "--r\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n"
    return await reply(200, text=piece * parts + "--r--", Content_Type="multipart/mixed; boundary=r")(request)


async def test_activities_go_in_one_batch_and_many_in_as_few_as_dataverse_takes(dynamics, server):
    server.always = all_created
    assert await dynamics.record_activities([]) == []
    assert server.asked == []
    assert await dynamics.record_activities([order(1), order(2)]) == [Recorded.DONE] * 2
    assert [asked.method for asked in server.asked] == ["GET", "POST"]
    assert await dynamics.record_activities([order(n) for n in range(501)]) == [Recorded.DONE] * 501
    assert [asked.method for asked in server.asked] == ["GET", "POST", "POST", "POST"]


@pytest.mark.parametrize("act", [hold, hang_up, reply(504)])
async def test_activities_without_an_answer_may_simply_be_sent_again(dynamics, server, act):
    server.will(act)
    with pytest.raises(Retry) as caught:
        await dynamics.record_activities([order(1)])
    assert (type(caught.value), caught.value.reason) == (Retry, Reason.DYNAMICS_UNREACHABLE)


async def test_whoami(dynamics, server):
    server.will(reply(401), reply(200, {"UserId": contact_id(1)}))
    assert await dynamics.whoami() == contact_id(1)
    assert server.asked[1].headers["Authorization"] == "Bearer t+"


@pytest.fixture
async def entra(tmp_path, monkeypatch):
    """A token authority over TLS, which MSAL insists on."""
    tls = ensure_tls(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
    async with ScriptedServer(tls=tls.server_context()) as server:
        yield server


def discovery(server: ScriptedServer) -> Act:
    return reply(
        200,
        {
            "token_endpoint": f"{server.url}/tenant/oauth2/v2.0/token",
            "authorization_endpoint": f"{server.url}/tenant/authorize",
            "issuer": f"{server.url}/tenant/v2.0",
        },
        Content_Type="application/json",
    )


def granted(text: str, expires_in: int = 3599) -> Act:
    document = {"access_token": text, "token_type": "Bearer", "expires_in": expires_in}
    return reply(200, document, Content_Type="application/json")


@pytest.fixture
async def tokens(entra):
    config = DynamicsConfig("https://org.example.test", f"{entra.url}/tenant", "client", "s3cret", timeout_s=2)
    source = MsalTokens(config)
    yield source
    await source.close()


async def test_msal_asks_once_for_many_and_keeps_the_token(tokens, entra):
    entra.will(discovery(entra), granted("t1"))
    assert await asyncio.gather(*(tokens.token() for _ in range(10))) == ["t1"] * 10
    assert await tokens.token() == "t1"
    assert [asked.path for asked in entra.asked] == [
        "/tenant/v2.0/.well-known/openid-configuration",
        "/tenant/oauth2/v2.0/token",
    ]
    form = entra.asked[1].body.decode()
    assert "grant_type=client_credentials" in form
    assert "scope=https%3A%2F%2Forg.example.test%2F.default" in form


async def test_a_token_at_hand_is_used_without_a_thread_as_long_as_it_is_good(tokens, entra, monkeypatch):
    entra.will(discovery(entra), granted("t1", expires_in=0), granted("t2"))
    assert [await tokens.token(), await tokens.token()] == ["t1", "t2"]
    with monkeypatch.context() as without_threads:
        without_threads.setattr(asyncio, "to_thread", None)
        assert await tokens.token() == "t2"


async def test_a_refused_token_is_replaced_once_however_many_were_refused(tokens, entra):
    entra.will(discovery(entra), granted("t1"), granted("t2"))
    await tokens.token()
    assert await asyncio.gather(*(tokens.renew("t1") for _ in range(5))) == ["t2"] * 5
    assert await tokens.renew("t1") == "t2"
    assert len(entra.asked) == 3


@pytest.mark.parametrize(
    ("answer", "kind", "reason", "detail"),
    [
        (
            reply(401, {"error": "invalid_client", "error_description": "s3cret", "error_codes": [7000215]}),
            Halt,
            Reason.DYNAMICS_CREDENTIALS,
            "token service: invalid_client AADSTS7000215",
        ),
        (
            reply(400, {"error": "temporarily_unavailable"}),
            Retry,
            Reason.DYNAMICS_UNREACHABLE,
            "token service: temporarily_unavailable",
        ),
        (reply(503), Retry, Reason.DYNAMICS_UNREACHABLE, "token service: MsalServiceError"),
    ],
)
async def test_a_token_service_that_refuses(tokens, entra, answer, kind, reason, detail):
    entra.will(discovery(entra), answer, answer)
    with pytest.raises(Outcome) as caught:
        await tokens.token()
    assert (type(caught.value), caught.value.reason, caught.value.detail) == (kind, reason, detail)


async def test_an_authority_that_does_not_exist_halts_and_one_that_does_not_answer_does_not(tokens, entra):
    entra.will(reply(400, {"error": "invalid_tenant"}))
    with pytest.raises(Halt):
        await tokens.token()
    entra.will(reply(500))
    with pytest.raises(Retry) as caught:
        await tokens.token()
    assert caught.value.reason is Reason.DYNAMICS_UNREACHABLE
    entra.will(discovery(entra), granted("t1"))
    assert await tokens.token() == "t1"


async def test_neither_secret_nor_token_is_logged(tokens, entra, caplog):
    caplog.set_level(logging.DEBUG)
    refusal = reply(401, {"error": "invalid_client", "error_description": "s3cret"})
    entra.will(discovery(entra), granted("t0ken"), granted("t0ken-2"), refusal)
    await tokens.renew(await tokens.token())
    with pytest.raises(Halt):
        await tokens.renew("t0ken-2")
    assert caplog.records
    shown = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert [word for word in ("s3cret", "t0ken") if word in shown] == []
