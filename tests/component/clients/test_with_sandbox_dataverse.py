"""The Dynamics client against the Dataverse stand-in, over TLS and with MSAL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest

import sandbox.dataverse as stand_in
from sandbox.tls import Tls, ensure_tls
from shared.clients.calls import CallRecord, Request, Response
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.http import Http
from shared.domain.change import RecordKey
from shared.domain.effects import FollowUpTask, RecordActivity
from shared.domain.fact import EmailEvent, Fact
from shared.domain.mapping import FieldRow, FromColumn, Lookup, Mapping, Mappings, OptOutPair, Privacy
from shared.errors import Halt, Reason, Retry, Uncertain
from shared.ports import Recorded

NAMESPACE = UUID(int=11)
COLUMNS = ("firstname", "birthdate", "gendercode", "creditlimit", "fax")
MAPPING = Mapping(
    "1",
    "contact",
    (
        *(FieldRow(column, FromColumn(column)) for column in COLUMNS),
        FieldRow("company", FromColumn("parentcustomerid", lookup=Lookup.NAME)),
    ),
    (OptOutPair("donotemail", "blackListEmail"),),
    Privacy("gdpr", "ns"),
)


def now() -> datetime:
    return datetime.now(UTC)


def contact_id(number: int) -> str:
    return str(uuid5(NAMESPACE, str(number)))


@dataclass
class World:
    """A running stand-in with the bridge's client; `call` is a plain authorised request."""

    server: stand_in.Dataverse
    http: Http
    config: DynamicsConfig
    tokens: MsalTokens
    dynamics: DynamicsClient
    calls: list[CallRecord]

    async def call(self, method: str, path: str, document: object = None) -> Response:
        headers = {"Authorization": f"Bearer {await self.tokens.token()}", "Content-Type": "application/json"}
        body = None if document is None else json.dumps(document).encode()
        answer = await self.http.send(Request("test", "x", method, f"{self.server.url}{path}", headers, body), 5)
        assert answer.status < 300, answer.body
        return answer

    async def add_contact(self, number: int, **columns: Any) -> str:
        await self.call("POST", "/api/data/v9.2/contacts", {"contactid": contact_id(number), **columns})
        return contact_id(number)


@pytest.fixture(scope="module")
def tls(tmp_path_factory) -> Tls:
    return ensure_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def world(tls, monkeypatch) -> AsyncIterator[World]:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
    server = await stand_in.start(stand_in.DataverseConfig(tls=tls))
    user = stand_in.INTEGRATION
    authority = f"{server.url}/{server.org.config.tenant_id}"
    config = DynamicsConfig(server.url, authority, user.client_id, user.secret, timeout_s=5)
    calls: list[CallRecord] = []
    http, tokens = Http(calls.append), MsalTokens(config)
    yield World(
        server, http, config, tokens, DynamicsClient(config, http, tokens, lambda: Mappings(MAPPING), now), calls
    )
    await tokens.close()
    await http.close()
    await server.stop()


async def test_a_contact_as_it_is_now(world):
    one = await world.add_contact(
        1, firstname="Zoë", birthdate="1980-10-24", gendercode=2, creditlimit=10.5, donotemail=True
    )
    contact = await world.dynamics.read(RecordKey("contact", one.upper()))
    assert contact.id == one
    assert contact.columns == {
        "firstname": "Zoë",
        "birthdate": "1980-10-24",
        "gendercode": 2,
        "creditlimit": 10.5,
        "parentcustomerid": None,
        "fax": None,
        "donotemail": True,
    }
    assert (contact.labels["gendercode"], contact.labels["donotemail"]) == ("Female", "Do Not Allow")
    assert contact.modified_on.microsecond == 0
    assert abs((now() - contact.modified_on).total_seconds()) < 10
    assert await world.dynamics.read(RecordKey("contact", contact_id(2))) is None


async def test_a_lookup_is_read_as_id_and_name(world):
    account = contact_id(900)
    await world.call("POST", "/api/data/v9.2/accounts", {"accountid": account, "name": "Contoso"})
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    contact = await world.dynamics.read(RecordKey("contact", await world.add_contact(5, firstname="Ada", **bind)))
    assert (contact.columns["parentcustomerid"], contact.labels["parentcustomerid"]) == (account, "Contoso")
    assert MAPPING.desired(contact).fields["company"] == "Contoso"


async def test_reads_of_one_moment_are_one_request_here_too(world):
    ids = [await world.add_contact(number, firstname=str(number)) for number in range(5)]
    world.calls.clear()
    contacts = await asyncio.gather(*(world.dynamics.read(RecordKey("contact", one)) for one in [*ids, contact_id(99)]))
    assert [contact and contact.columns["firstname"] for contact in contacts] == ["0", "1", "2", "3", "4", None]
    assert [call.kind for call in world.calls] == ["contacts"]
    many = await world.dynamics.read_many("contact", [*ids, *(contact_id(number) for number in range(100, 230))])
    assert set(many) == set(ids)


async def test_opt_outs_are_written_against_the_version_that_was_read(world):
    one = await world.add_contact(1, donotemail=False)
    seen = await world.dynamics.read(RecordKey("contact", one))
    assert await world.dynamics.write_opt_outs(one, {"donotemail": True}, seen.version) is True
    assert await world.dynamics.write_opt_outs(one, {"donotemail": False}, seen.version) is False
    assert (await world.dynamics.read(RecordKey("contact", one))).columns["donotemail"] is True
    await world.call("DELETE", f"/api/data/v9.2/contacts({one})")
    assert await world.dynamics.write_opt_outs(one, {"donotemail": False}, seen.version) is False


def order(number: int, event: EmailEvent, contact: str, **changes: Any) -> RecordActivity:
    at = datetime(2026, 2, 28, 12, 0, number, tzinfo=UTC)
    values: dict[str, Any] = {"tracking_url": "https://x.test/a" if event is EmailEvent.CLICK else None, **changes}
    fact = Fact(str(number), event, contact, "Spring", "DM190", at, mirror_page_url="https://x.test/m", **values)
    return RecordActivity(fact, str(uuid5(NAMESPACE, f"activity {number}")))


async def test_events_become_completed_activities_once(world):
    one = await world.add_contact(1)
    orders = [order(number, event, one) for number, event in enumerate(EmailEvent)]
    for _ in range(2):
        assert await world.dynamics.record_activities(orders) == [Recorded.DONE] * 4
    found = (
        await world.call("GET", f"/api/data/v9.2/activitypointers?$filter=_regardingobjectid_value%20eq%20{one}")
    ).json()["value"]
    assert {row["activityid"] for row in found} == {one_order.activity_id for one_order in orders}
    assert {(row["statecode"], row["subject"]) for row in found} == {(1, "Campaign Name: Spring; Delivery Name: DM190")}
    click = (await world.call("GET", f"/api/data/v9.2/adobe_emailurlclicks({orders[2].activity_id})")).json()
    assert (click["adobe_trackingurl"], click["adobe_clickedon"]) == ("https://x.test/a", "2026-02-28T12:00:02Z")
    assert (click["adobe_mirrorpageurl"], click["statuscode"]) == ("https://x.test/m", 2)


async def test_one_bad_event_spoils_no_other(world):
    one = await world.add_contact(1)
    orders = [
        order(1, EmailEvent.SEND, one),
        order(2, EmailEvent.SEND, contact_id(404)),
        order(3, EmailEvent.CLICK, one, tracking_url="https://x.test/" + "a" * 2000),
        order(4, EmailEvent.OPEN, one),
    ]
    expected = [Recorded.DONE, Recorded.NO_CONTACT, Recorded.REFUSED, Recorded.DONE]
    assert await world.dynamics.record_activities(orders) == expected
    again = (await world.call("GET", "/api/data/v9.2/adobe_emailsends")).json()["value"]
    assert [row["activityid"] for row in again] == [orders[0].activity_id]


async def test_a_whole_chunk_is_one_request_and_a_bad_event_in_it_one_more(world):
    one = await world.add_contact(1)
    kinds = list(EmailEvent)
    orders = [order(number % 60, kinds[number % 4], one) for number in range(200)]
    orders = [replace(each, activity_id=str(uuid5(NAMESPACE, f"many {n}"))) for n, each in enumerate(orders)]
    world.calls.clear()
    assert set(await world.dynamics.record_activities(orders)) == {Recorded.DONE}
    assert [call.kind for call in world.calls] == ["metadata"] * 4 + ["activities"]
    strangers = [order(1, EmailEvent.OPEN, contact_id(404)), order(2, EmailEvent.CLICK, one)]
    world.calls.clear()
    results = await world.dynamics.record_activities([*orders, *strangers])
    assert results == [Recorded.DONE] * 200 + [Recorded.NO_CONTACT, Recorded.DONE]
    assert [call.kind for call in world.calls] == ["activities", "activities"]


async def test_tasks_go_to_the_contacts_owner_once_for_each_contact_and_delivery(world):
    owner = stand_in.ADMIN.user_id
    one = await world.add_contact(1, **{"ownerid@odata.bind": f"/systemusers({owner})"})
    task = FollowUpTask(str(uuid5(NAMESPACE, "task")), "Call", "Now", now(), "contact_owner")
    orders = [replace(order(number, EmailEvent.CLICK, one), task=task) for number in (1, 2)]
    world.calls.clear()
    for _ in range(2):
        assert await world.dynamics.record_activities(orders) == [Recorded.DONE] * 2
    first, again = ["metadata", "contacts", "activities"], ["contacts", "activities", "activities"]
    assert [call.kind for call in world.calls] == [*first, *again]
    (made,) = (await world.call("GET", "/api/data/v9.2/tasks")).json()["value"]
    assert (made["subject"], made["_ownerid_value"], made["statecode"]) == ("Call", owner, 0)
    assert made["_regardingobjectid_value"] == one


async def test_a_task_that_cannot_be_made_parks_its_event_alone(world):
    one = await world.add_contact(1)
    task = FollowUpTask(str(uuid5(NAMESPACE, "task")), "Call", "", now(), contact_id(404))
    orders = [replace(order(1, EmailEvent.CLICK, one), task=task), order(2, EmailEvent.CLICK, one)]
    assert await world.dynamics.record_activities(orders) == [Recorded.REFUSED, Recorded.DONE]


async def test_whoami(world):
    assert await world.dynamics.whoami() == stand_in.INTEGRATION.user_id


async def test_a_wrong_secret_halts_without_showing_it(world):
    config = replace(world.config, client_secret="wr0ng")
    tokens = MsalTokens(config)
    dynamics = DynamicsClient(config, world.http, tokens, lambda: Mappings(MAPPING), now)
    with pytest.raises(Halt) as caught:
        await dynamics.whoami()
    await tokens.close()
    assert caught.value.reason is Reason.DYNAMICS_CREDENTIALS
    assert "invalid_client" in caught.value.detail
    assert "wr0ng" not in str(caught.value)


async def test_an_unknown_column_in_the_mapping_halts(world):
    wrong = replace(MAPPING, field_rows=(FieldRow("x", FromColumn("new_unknown")),))
    dynamics = DynamicsClient(world.config, world.http, world.tokens, lambda: Mappings(wrong), now)
    with pytest.raises(Halt) as caught:
        await dynamics.read(RecordKey("contact", contact_id(1)))
    assert caught.value.reason is Reason.DYNAMICS_MISCONFIGURED


async def test_throttling_and_broken_connections(world):
    one = await world.add_contact(1)
    version = (await world.dynamics.read(RecordKey("contact", one))).version
    await world.call("POST", "/_sandbox/faults", {"target": "api", "effect": "throttle", "count": 1, "retry_after": 9})
    with pytest.raises(Retry) as caught:
        await world.dynamics.read(RecordKey("contact", one))
    assert (caught.value.reason, caught.value.after_s) == (Reason.DYNAMICS_BUSY, 9)
    await world.call("POST", "/_sandbox/faults", {"target": "api", "effect": "drop", "count": 1, "stage": "after"})
    with pytest.raises(Uncertain):
        await world.dynamics.write_opt_outs(one, {"donotemail": True}, version)
    assert (await world.dynamics.read(RecordKey("contact", one))).columns["donotemail"] is True
