"""Change tracking: delta links, deletions, pages, expiry, and what it does not offer."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from sandbox.dataverse import DataverseConfig
from sandbox.tls import Tls
from tests.contract.dataverse import vehicles
from tests.contract.dataverse.conftest import Answer, Client, Clock

TRACK = "odata.track-changes"
DAY_S = 24 * 3600
ORGANIZATIONS = "organizations(7c0b8f52-41d5-4c0e-9a5b-3f0c6d2a9e10)"


async def track(client: Client, path: str, page_size: int | None = None) -> tuple[list[dict[str, Any]], str]:
    """Every item over all pages, and the delta link."""
    prefer = TRACK if page_size is None else f"{TRACK},odata.maxpagesize={page_size}"
    items: list[dict[str, Any]] = []
    for _ in range(100):
        answer = await client.get(path, Prefer=prefer)
        assert answer.status == 200, answer.text
        items += answer.json["value"]
        assert page_size is None or len(answer.json["value"]) <= page_size
        if "@odata.deltaLink" in answer.json:
            assert "@odata.nextLink" not in answer.json
            return items, answer.json["@odata.deltaLink"]
        path = answer.json["@odata.nextLink"]
    raise AssertionError("the pages never end")


def deleted(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items if item.get("reason") == "deleted"]


async def test_the_first_read_shows_all_rows_and_ends_in_a_delta_link(admin: Client):
    van = await vehicles.vehicle(admin, new_modelyear=2020)
    gone = await vehicles.vehicle(admin)
    await admin.delete(f"new_vehicles({gone})")
    answer = await admin.get("new_vehicles?$select=new_name,new_modelyear", Prefer=TRACK)
    assert answer.headers["Preference-Applied"] == TRACK
    assert answer.json["@odata.context"].endswith("$metadata#new_vehicles(new_name,new_modelyear)")
    (row,) = answer.json["value"]
    assert set(row) == {"@odata.etag", "new_vehicleid", "new_name", "new_modelyear"}
    assert (row["new_vehicleid"], row["new_modelyear"]) == (van, 2020)
    link = answer.json["@odata.deltaLink"]
    assert link.startswith(f"{admin.url}/api/data/v9.2/new_vehicles?$select=new_name,new_modelyear&$deltatoken=")
    assert unquote(link).endswith("!01/02/2025 03:04:05")


async def test_a_delta_shows_what_changed_and_then_what_has_gone(admin: Client):
    kept, changed, gone = [await vehicles.vehicle(admin, new_name=name) for name in "abc"]
    _, link = await track(admin, "new_vehicles?$select=new_name")
    await admin.delete(f"new_vehicles({gone})")
    await admin.patch(f"new_vehicles({changed})", {"new_name": "b2"})
    added = await vehicles.vehicle(admin, new_name="d")
    brief = await vehicles.vehicle(admin)
    await admin.delete(f"new_vehicles({brief})")

    answer = await admin.get(link)
    assert answer.json["@odata.context"].endswith("#new_vehicles(new_name)/$delta")
    items = answer.json["value"]
    assert [item.get("new_vehicleid") for item in items] == [changed, added, None, None]
    assert [item.get("new_name") for item in items[:2]] == ["b2", "d"]
    assert items[2] == {
        "@odata.context": f"{admin.url}/api/data/v9.2/$metadata#new_vehicles/$deletedEntity",
        "id": gone,
        "reason": "deleted",
    }
    assert items[3]["id"] == brief, "created and deleted in between: still told as deleted"
    assert kept not in str(items)
    assert (await admin.get(answer.json["@odata.deltaLink"])).json["value"] == []


async def test_a_row_that_came_back_under_its_id_is_not_deleted(admin: Client):
    van = await vehicles.vehicle(admin)
    _, link = await track(admin, "new_vehicles")
    await admin.delete(f"new_vehicles({van})")
    await admin.create("new_vehicles", {"new_vehicleid": van, "new_name": "again"})
    (item,), _ = await track(admin, link)
    assert (item["new_vehicleid"], item["new_name"]) == (van, "again")


async def test_the_token_stays_good_for_several_reads(admin: Client):
    _, link = await track(admin, "new_vehicles")
    van = await vehicles.vehicle(admin)
    for _ in range(2):
        assert [item["new_vehicleid"] for item in (await track(admin, link))[0]] == [van]


@pytest.mark.parametrize("page_size", [1, 2, 3, 5, 50])
async def test_pages_of_rows_and_of_deletions(admin: Client, page_size: int):
    first = [await vehicles.vehicle(admin, new_modelyear=2000 + n) for n in range(5)]
    items, link = await track(admin, "new_vehicles?$select=new_modelyear", page_size)
    assert [item["new_vehicleid"] for item in items] == first
    for row_id in first[:3]:
        await admin.delete(f"new_vehicles({row_id})")
    added = [await vehicles.vehicle(admin) for _ in range(2)]
    items, _ = await track(admin, link, page_size)
    assert [item["new_vehicleid"] for item in items[:2]] == added
    assert deleted(items[2:]) == first[:3]


async def test_what_is_written_between_two_pages_is_never_missed(admin: Client):
    first, second, third = [await vehicles.vehicle(admin, new_name=name) for name in "abc"]
    page = (await admin.get("new_vehicles", Prefer=f"{TRACK},odata.maxpagesize=2")).json
    await admin.patch(f"new_vehicles({first})", {"new_name": "a2"})
    await admin.delete(f"new_vehicles({second})")
    rest, link = await track(admin, page["@odata.nextLink"], 2)
    assert [item["new_vehicleid"] for item in rest] == [third, first]
    delta, _ = await track(admin, link)
    assert (delta[0]["new_name"], deleted(delta)) == ("a2", [second])


async def test_children_that_go_with_their_parent_are_tracked(admin: Client):
    owner, van, seen, used = await vehicles.family(admin)
    links = {name: (await track(admin, name))[1] for name in ("new_vehicles", "new_servicevisits", "new_serviceparts")}
    await admin.delete(f"contacts({owner})")
    told = [deleted((await track(admin, link))[0]) for link in links.values()]
    assert told == [[van], [seen], [used]]


async def test_the_number_of_changes(admin: Client):
    van = await vehicles.vehicle(admin)
    _, link = await track(admin, "new_vehicles")
    await vehicles.vehicle(admin)
    await admin.delete(f"new_vehicles({van})")
    token = link.partition("$deltatoken=")[2]
    assert (await admin.get(f"new_vehicles/$count?$deltatoken={token}")).text == "2"


class TestExpiry:
    @pytest.fixture
    def config(self, tls: Tls) -> DataverseConfig:
        return DataverseConfig(tls=tls, token_lifetime_s=90 * DAY_S)

    async def test_a_token_expires_with_the_organizations_memory(self, admin: Client, clock: Clock):
        _, link = await track(admin, "contacts")
        clock.forward(7 * DAY_S - 1)
        assert (await admin.get(link)).status == 200
        clock.forward(2)
        expired = await admin.get(link)
        assert (expired.status, expired.code) == (400, "0x80044352")
        assert expired.message == "Version stamp associated with the client has expired. Please perform a full sync."
        assert (await admin.patch(ORGANIZATIONS, {"expirechangetrackingindays": 30})).status == 204
        assert (await admin.get(link)).status == 200


async def test_a_reset_expires_every_token(admin: Client):
    await vehicles.vehicle(admin)
    _, link = await track(admin, "new_vehicles")
    await admin.post("/_sandbox/reset", {})
    assert (await admin.get(link)).code == "0x80044352"


async def test_untracked_tables_are_refused(admin: Client):
    for name in ("new_dealers", "serviceendpoints", "activitypointers"):
        answer = await admin.get(name, Prefer=TRACK)
        assert (answer.status, answer.code) == (400, "0x80072491")
        assert "isn't enabled for change tracking" in answer.message


@pytest.mark.parametrize("option", ["$filter=new_name eq 'a'", "$orderby=new_name", "$expand=new_ContactId", "$top=3"])
async def test_options_that_tracking_does_not_know(admin: Client, option: str):
    answer = await admin.get(f"new_vehicles?{option}", Prefer=TRACK)
    name = option.partition("=")[0]
    assert answer.status == 400
    assert answer.message == f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'


@pytest.mark.parametrize(
    "query",
    [
        "$deltatoken=1",
        "$deltatoken=5%2113%2f40%2f2025%2000%3a00%3a00",
        "$deltatoken=999999999999%2101%2f02%2f2025%2003%3a04%3a05",
        "$skiptoken=%3Ccookie pagenumber=\"2\" pagingcookie=\"e30=\" istracking=\"True\" /%3E",
        "$skiptoken=istracking=\"True\"",
        "$count=true",
        "$select=shoesize",
    ],
)  # fmt: skip
async def test_links_of_ones_own_making_are_refused(admin: Client, query: str):
    answer: Answer = await admin.get(f"new_vehicles?{query}", Prefer=TRACK)
    assert answer.status in (400, 501)
    assert answer.message
