"""Microsoft's own Python client works against the stand-in, so the stand-in is not only right about itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.upsert import UpsertItem

from sandbox.dataverse import Dataverse
from sandbox.tls import Tls
from tests.contract.dataverse.conftest import Client


class FixedToken:
    """A credential as azure-identity would be."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_more: Any) -> AccessToken:
        return AccessToken(self._token, 2_000_000_000)


Run = Callable[[Callable[[DataverseClient], Any]], Any]


@pytest.fixture
def microsoft(dataverse: Dataverse, admin: Client, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs work with the blocking client in a thread, so that the server can answer meanwhile."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))

    async def run(work: Callable[[DataverseClient], Any]) -> Any:
        def blocking() -> Any:
            with DataverseClient(dataverse.url, FixedToken(admin.token)) as client:
                return work(client)

        return await asyncio.to_thread(blocking)

    return run


async def test_one_row(microsoft: Run, admin: Client):
    def work(client: DataverseClient) -> tuple[str, Any]:
        row_id = client.records.create("contact", {"firstname": "Ada", "lastname": "Example", "gendercode": "Female"})
        client.records.update("contact", row_id, {"donotemail": True})
        return row_id, client.records.retrieve("contact", row_id, select=["fullname", "gendercode", "donotemail"])

    row_id, row = await microsoft(work)
    assert (row["fullname"], row["gendercode"], row["donotemail"]) == ("Ada Example", 2, True)
    await microsoft(lambda client: client.records.delete("contact", row_id))
    assert (await admin.get(f"contacts({row_id})")).status == 404


async def test_many_rows(microsoft: Run, admin: Client):
    def work(client: DataverseClient) -> tuple[list[str], list[int], str | None]:
        ids = client.records.create("contact", [{"firstname": str(n)} for n in range(5)])
        client.records.update("contact", ids, {"jobtitle": "x"})
        sizes = [len(page) for page in client.records.list_pages("contact", filter="jobtitle eq 'x'", page_size=2)]
        return ids, sizes, client.records.delete("contact", ids[:3])

    ids, sizes, job = await microsoft(work)
    assert (len(set(ids)), sizes) == (5, [2, 2, 1])
    assert job is not None
    assert (await admin.get("contacts/$count")).text == "2"
    assert (await admin.get(f"asyncoperations({job})")).json["statuscode"] == 30


async def test_upsert_by_alternate_key(microsoft: Run, admin: Client):
    def item(number: str, name: str) -> UpsertItem:
        return UpsertItem(alternate_key={"acme_customernumber": number}, record={"firstname": name})

    def work(client: DataverseClient) -> None:
        client.records.upsert("contact", [item("N1", "a")])
        client.records.upsert("contact", [item("N1", "b"), item("N2", "c")])

    await microsoft(work)
    assert await admin.names("$select=firstname&$orderby=firstname") == ["b", "c"]


async def test_batch_with_a_change_set(microsoft: Run, admin: Client):
    def work(client: DataverseClient) -> Any:
        batch = client.batch.new()
        with batch.changeset() as changes:
            row = changes.records.create("contact", {"firstname": "Ada"})
            changes.records.update("contact", row, {"lastname": "Example"})
        batch.records.list("contact", select=["fullname"])
        return batch.execute()

    result = await microsoft(work)
    assert [response.status_code for response in result.responses] == [204, 204, 200]
    assert result.responses[2].data["value"][0]["fullname"] == "Ada Example"


async def test_errors_reach_the_caller(microsoft: Run, admin: Client):
    await admin.fault("api", "throttle", count=1, retry_after=9, path="/contacts")
    with pytest.raises(HttpError) as throttled:
        await microsoft(lambda client: client.records.create("contact", {"firstname": "a"}))
    assert (throttled.value.status_code, throttled.value.details["retry_after"]) == (429, 9)
    with pytest.raises(HttpError) as unknown:
        await microsoft(lambda client: client.records.create("contact", {"shoesize": 4}))
    assert unknown.value.status_code == 400


async def test_custom_tables_and_their_links(microsoft: Run, admin: Client):
    """The client finds the navigation properties by itself, in the definitions of the relationships."""

    def work(client: DataverseClient) -> Any:
        links = {link["lookup_attribute"]: link for link in client.query.odata_expands("new_vehicle")}
        contact = client.records.create("contact", {"firstname": "Ada"})
        owner = links["new_contactid"]
        bind = {f"{owner['nav_property']}@odata.bind": f"/{owner['target_entity_set']}({contact})"}
        vehicle = client.records.create("new_vehicle", {"new_vin": "WVW1", "new_color": "Silver", **bind})
        client.records.upsert(
            "new_vehicle", [UpsertItem(alternate_key={"new_vin": "WVW1"}, record={"new_modelyear": 2021})]
        )
        row = client.records.retrieve("new_vehicle", vehicle)
        client.records.delete("contact", contact)
        return owner, contact, row, client.records.retrieve("new_vehicle", vehicle)

    owner, contact, row, gone = await microsoft(work)
    assert (owner["nav_property"], owner["relationship"]) == ("new_ContactId", "new_contact_new_vehicle")
    assert (row["new_color"], row["new_modelyear"], row["_new_contactid_value"]) == (100000003, 2021, contact)
    assert gone is None


async def test_definitions_of_custom_tables(microsoft: Run, admin: Client):
    await admin.post("/_sandbox/tables", {"name": "new_boat", "columns": [{"name": "new_length", "kind": "Double"}]})

    def work(client: DataverseClient) -> Any:
        return (
            client.tables.get("new_boat"),
            client.tables.get_relationship("new_vehicle_new_servicevisit"),
            client.tables.get_alternate_keys("new_vehicle"),
            client.tables.list_columns("new_servicevisit", select=["LogicalName", "AttributeType"]),
            client.tables.list_relationships(filter="ReferencedEntity eq 'new_vehicle'"),
        )

    boat, link, keys, columns, links = await microsoft(work)
    assert (boat["table_logical_name"], boat["entity_set_name"]) == ("new_boat", "new_boats")
    assert (link.referenced_entity, link.referencing_entity) == ("new_vehicle", "new_servicevisit")
    assert [key.key_attributes for key in keys] == [["new_vin"]]
    assert {"new_cost": "Money", "new_vehicleid": "Lookup"}.items() <= {
        column["LogicalName"]: column["AttributeType"] for column in columns
    }.items()
    assert [each["ReferencingEntity"] for each in links] == ["new_servicevisit"]
