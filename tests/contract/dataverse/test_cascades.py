"""Deleting a row with children: parental, referential and restricting relationships, and what is announced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.dataverse import ADMIN, DataverseConfig
from sandbox.dataverse.api import Api
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.operation import Caller, Operation
from sandbox.dataverse.organization import Organization
from sandbox.tls import Tls
from tests.contract.dataverse import vehicles
from tests.contract.dataverse.conftest import Client, Clock, Receiver, until
from tests.contract.dataverse.webhooks import Hook, entries, register, target

NOW = datetime(2025, 1, 2, tzinfo=UTC)
TABLES = ("new_vehicles", "new_servicevisits", "new_serviceparts")


async def test_a_contact_takes_its_vehicles_their_visits_and_their_parts_along(admin: Client):
    owner, *_ = await vehicles.family(admin)
    _, *others = await vehicles.family(admin)
    assert (await admin.delete(f"contacts({owner})")).status == 204
    assert [await vehicles.ids(admin, name) for name in TABLES] == [[other] for other in others]
    counts = (await admin.get("/_sandbox/counters")).json["rows"]
    assert [counts[f"deleted {name.removesuffix('s')}"] for name in TABLES] == [1, 1, 1]


async def test_a_dealer_only_leaves_its_vehicles(admin: Client, clock: Clock):
    dealer = await admin.create("new_dealers", {"new_name": "Acme", "new_city": "Oslo"})
    van = await vehicles.vehicle(admin, dealer_id=dealer)
    before = (await admin.get(f"new_vehicles({van})")).json
    clock.forward(60)
    await admin.delete(f"new_dealers({dealer})")
    after = (await admin.get(f"new_vehicles({van})")).json
    assert (before["_new_dealerid_value"], after["_new_dealerid_value"]) == (dealer, None)
    assert after["versionnumber"] > before["versionnumber"]
    assert after["modifiedon"] == "2025-01-02T03:05:05Z"


async def test_children_announce_their_deletion(admin: Client, receiver: Receiver):
    family = await vehicles.family(admin)
    tables = ("contact", "new_vehicle", "new_servicevisit", "new_servicepart")
    for table in tables:
        await register(admin, receiver, Hook("Delete", table))
    await admin.delete(f"contacts({family[0]})")
    await until(lambda: len(receiver.calls) == 4)
    told = {(body["PrimaryEntityName"], body["PrimaryEntityId"]) for body in receiver.bodies}
    assert told == set(zip(tables, family, strict=True))
    assert {body["MessageName"] for body in receiver.bodies} == {"Delete"}
    assert len({body["RequestId"] for body in receiver.bodies}) == 1


async def test_a_link_that_is_removed_announces_an_update_of_the_lookup(admin: Client, receiver: Receiver):
    dealer = await admin.create("new_dealers", {"new_name": "Acme"})
    van = await vehicles.vehicle(admin, dealer_id=dealer)
    await register(admin, receiver, Hook("Update", "new_vehicle", filtering="new_dealerid"))
    await register(admin, receiver, Hook("Update", "new_vehicle", filtering="new_color,new_contactid"))
    await admin.delete(f"new_dealers({dealer})")
    await until(lambda: len(receiver.calls) == 1)
    (body,) = receiver.bodies
    assert (body["PrimaryEntityId"], target(body)["new_dealerid"]) == (van, None)
    jobs = (await admin.get("/_sandbox/jobs")).json["jobs"]
    assert [(job["table"], job["message"]) for job in jobs] == [("new_vehicle", "Update")]


async def test_a_new_parent_is_an_update_of_the_lookup(admin: Client, receiver: Receiver):
    first, second = await vehicles.contact(admin), await vehicles.contact(admin)
    van = await vehicles.vehicle(admin, first)
    image = (("pre", 0, "new_contactid"),)
    await register(admin, receiver, Hook("Update", "new_vehicle", filtering="new_contactid", images=image))
    await admin.patch(f"new_vehicles({van})", {"new_color": 100000001})
    await admin.patch(f"new_vehicles({van})", {"new_ContactId@odata.bind": f"/contacts({second})"})
    await until(lambda: len(receiver.calls) == 1)
    (body,) = receiver.bodies
    assert (target(body)["new_contactid"]["Id"], target(body)["new_contactid"]["LogicalName"]) == (second, "contact")
    before = entries(entries(body["PreEntityImages"])["pre"]["Attributes"])
    assert before["new_contactid"]["Id"] == first
    await admin.delete(f"contacts({first})")
    assert await vehicles.ids(admin, "new_vehicles") == [van]
    await admin.delete(f"contacts({second})")
    assert await vehicles.ids(admin, "new_vehicles") == []


RESTRICTING = {
    "name": "new_lease",
    "columns": [
        {
            "name": "new_vehicleid",
            "kind": "Lookup",
            "target": "new_vehicle",
            "schema_name": "new_VehicleId",
            "on_delete": "Restrict",
        }
    ],
}


async def test_what_restricts_a_deletion_restricts_the_whole_cascade(admin: Client, receiver: Receiver):
    await admin.post("/_sandbox/tables", RESTRICTING)
    owner, van, seen, used = await vehicles.family(admin)
    lease = await admin.create("new_leases", {"new_VehicleId@odata.bind": f"/new_vehicles({van})"})
    await register(admin, receiver, Hook("Delete", "new_servicepart"))
    refused = await admin.delete(f"contacts({owner})")
    assert (refused.status, refused.code) == (405, "0x80040227")
    assert [await vehicles.ids(admin, name) for name in ("contacts", *TABLES)] == [[owner], [van], [seen], [used]]
    assert (await admin.get("/_sandbox/jobs")).json["jobs"] == []
    await admin.delete(f"new_leases({lease})")
    assert (await admin.delete(f"contacts({owner})")).status == 204


async def test_a_ring_of_parents_goes_as_a_whole(admin: Client):
    first = await vehicles.contact(admin)
    second = await vehicles.contact(admin, **{"parentcustomerid_contact@odata.bind": f"/contacts({first})"})
    await admin.patch(f"contacts({first})", {"parentcustomerid_contact@odata.bind": f"/contacts({second})"})
    await vehicles.vehicle(admin, second)
    await admin.delete(f"contacts({first})")
    assert [await vehicles.ids(admin, name) for name in ("contacts", "new_vehicles")] == [[], []]


class Desk:
    """The API without a network, for many quick operations; `rows` reads straight from the store."""

    def __init__(self, tls: Tls) -> None:
        self.org = Organization(DataverseConfig(tls=tls), "https://localhost", lambda: NOW)
        self.api = Api(self.org)

    def call(self, method: str, path: str, body: Any = None, prefer: str = "") -> ApiResponse:
        resource, _, query = path.partition("?")
        caller = Caller(ADMIN.user_id, ADMIN.user_id)
        operation = Operation(caller, NOW, "11111111-0000-4000-8000-000000000001", "x")
        headers = {"prefer": prefer} if prefer else {}
        data = b"" if body is None else json.dumps(body).encode()
        return self.api.call(ApiRequest(method, resource, query, headers, data, operation))

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        found = self.org.schema.tables[table]
        return {row[found.primary_id]: row for row in self.org.store.find(found, {"statecode": 0})}


LINKS = {
    "new_vehicle": (("new_contactid", "new_ContactId", "contact"), ("new_dealerid", "new_DealerId", "new_dealer")),
    "new_servicevisit": (("new_vehicleid", "new_VehicleId", "new_vehicle"),),
    "new_servicepart": (("new_servicevisitid", "new_ServiceVisitId", "new_servicevisit"),),
    "contact": (),
    "new_dealer": (),
}
NAMES = sorted(LINKS)
NUMBERS = st.integers(0, 3)
STEP = st.tuples(st.sampled_from(["write", "write", "write", "delete"]), st.sampled_from(NAMES), NUMBERS, NUMBERS)


def row_id(table: str, number: int) -> str:
    return f"a3c5e7f9-0000-4000-8000-{NAMES.index(table):06}{number:06}"


def write(desk: Desk, table: str, number: int, parent: int) -> ApiResponse:
    """Make or change a row and put it under other parents, where those exist."""
    bound = [
        (navigation, f"/{to}s({row_id(to, parent)})")
        for _, navigation, to in LINKS[table]
        if row_id(to, parent) in desk.rows(to)
    ]
    links = {f"{navigation}@odata.bind": link for navigation, link in bound}
    return desk.call("PATCH", f"{table}s({row_id(table, number)})", links)


def dangling(desk: Desk) -> Iterator[str]:
    for table, links in LINKS.items():
        for each, row in desk.rows(table).items():
            yield from (f"{table} {each}" for column, _, to in links if row[column] not in (None, *desk.rows(to)))


def followed(desk: Desk, replicas: dict[str, set[str]], tokens: dict[str, str], table: str) -> None:
    """Bring a replica up to date by the delta, or from nothing."""
    token = f"?$deltatoken={tokens[table]}" if table in tokens else ""
    body = desk.call("GET", f"{table}s{token}", prefer="odata.track-changes").body
    assert isinstance(body, dict)
    for item in body["value"]:
        if item.get("reason") == "deleted":
            replicas[table].discard(item["id"])
        else:
            replicas[table].add(item[f"{table}id"])
    tokens[table] = body["@odata.deltaLink"].partition("$deltatoken=")[2]


@pytest.fixture
def desk(tls: Tls) -> Iterator[Desk]:
    opened = Desk(tls)
    yield opened
    opened.org.store.close()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(STEP, max_size=30), looks=st.lists(st.booleans(), min_size=30, max_size=30))
def test_no_row_ever_points_at_a_row_that_has_gone_and_deltas_tell_all(
    desk: Desk, steps: list[tuple[str, str, int, int]], looks: list[bool]
):
    desk.org.reset()
    tracked = ("contact", "new_vehicle", "new_servicevisit", "new_servicepart")
    replicas: dict[str, set[str]] = {table: set() for table in tracked}
    tokens: dict[str, str] = {}
    for (verb, table, number, parent), look in zip(steps, looks, strict=False):
        if verb == "write":
            assert write(desk, table, number, parent).status == 204
        else:
            there = row_id(table, number) in desk.rows(table)
            status = desk.call("DELETE", f"{table}s({row_id(table, number)})").status
            assert status == (204 if there else 404)
        assert not list(dangling(desk))
        if look:
            followed(desk, replicas, tokens, table if table in tracked else "contact")
    for table in tracked:
        followed(desk, replicas, tokens, table)
    assert replicas == {table: set(desk.rows(table)) for table in tracked}
