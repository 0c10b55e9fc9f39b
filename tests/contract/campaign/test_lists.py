"""Lists: pages, order, filters, counts, single columns, metadata and history."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.campaign.conftest import Client, Opener

EXT, PLAIN = "profileAndServicesExt/profile", "profileAndServices/profile"


async def _fill(client: Client, count: int) -> None:
    for number in range(count):
        await client.create(
            externalId=f"c-{number:03}", email=f"p{number % 7}.{number}@example.com", fax=str(number % 3)
        )


async def _walk(client: Client, path: str) -> tuple[list[Any], int]:
    items: list[Any] = []
    pages = 0
    while path:
        body = (await client.call("GET", path)).body
        items += body["content"]
        pages += 1
        path = body.get("next", {}).get("href", "")
    return items, pages


async def test_pages_hold_25_and_next_leads_through_all(client: Client) -> None:
    await _fill(client, 60)
    items, pages = await _walk(client, EXT)
    assert pages == 3
    assert [item["externalId"] for item in items] == [f"c-{number:03}" for number in range(60)]


@pytest.mark.parametrize("direction", ["", "%20desc"])
async def test_order_holds_across_pages_with_equal_values(client: Client, direction: str) -> None:
    await _fill(client, 20)
    items, pages = await _walk(client, f"{EXT}?_order=fax{direction}&_lineCount=3")
    faxes = [item["fax"] for item in items]
    assert pages == 7
    assert faxes == sorted(faxes, reverse=bool(direction))
    assert len({item["PKey"] for item in items}) == 20


async def test_big_tables_silently_give_no_next(open_campaign: Opener) -> None:
    client = await open_campaign(big_table_threshold=30)
    await _fill(client, 30)
    assert "next" in (await client.call("GET", EXT)).body
    await client.create(externalId="one-more")
    assert "next" not in (await client.call("GET", EXT)).body
    items, pages = await _walk(client, f"{EXT}?_forcePagination=true")
    assert (len(items), pages) == (31, 2)


async def test_count_href_counts_what_the_filter_finds(client: Client) -> None:
    await _fill(client, 10)
    page = (await client.call("GET", f"{PLAIN}/byText?text=p1.&_lineCount=1")).body
    assert len(page["content"]) == 1
    assert (await client.call("GET", page["count"]["href"])).body == {"count": 2}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{PLAIN}/byEmail?email=p1.1@example.com", ["c-001"]),
        (f"{PLAIN}/byEmail?email=P1.1@example.com", []),
        (f"{PLAIN}/byText?text=p2.", ["c-002", "c-009"]),
        (f"{PLAIN}/byText?text=P2.", []),
        (f"{PLAIN}/byText?text=p2.&filterType=lastName", []),
        (f"{EXT}/byExternalId?externalId_parameter=c-004", ["c-004"]),
        (f"{EXT}/byExternalId?externalId_parameter=C-004", []),
        (f"{EXT}/byExternalId/byText?externalId_parameter=c-004&text=p4", ["c-004"]),
        (f"{EXT}/byExternalId/byText?externalId_parameter=c-004&text=p5", []),
    ],
)
async def test_filters(client: Client, path: str, expected: list[str]) -> None:
    await _fill(client, 10)
    answer = await client.call("GET", path)
    assert [item["externalId"] for item in answer.body["content"]] == expected


async def test_a_custom_filter_is_unknown_at_the_built_in_endpoint(client: Client) -> None:
    answer = await client.call("GET", f"{PLAIN}/byExternalId?externalId_parameter=c-004")
    assert answer.status == 404


async def test_a_single_column_is_a_list_of_values(client: Client) -> None:
    await _fill(client, 3)
    answer = await client.call("GET", f"{PLAIN}/email?_lineCount=2")
    assert answer.body["content"] == ["p0.0@example.com", "p1.1@example.com"]
    assert (await client.call("GET", answer.body["next"]["href"])).body["content"] == ["p2.2@example.com"]


@pytest.mark.parametrize(
    "query",
    ["_lineStart=@made-up", "_lineCount=none", "_lineCount=0", "_order=nothing", "_order=" + quote("email%20desc")],
)
async def test_bad_list_parameters_are_500(client: Client, query: str) -> None:
    answer = await client.call("GET", f"{PLAIN}?{query}")
    assert (answer.status, "XTK-170036" in answer.body) == (500, True)


async def test_a_filter_needs_its_parameter(client: Client) -> None:
    answer = await client.call("GET", f"{EXT}/byExternalId")
    assert (answer.status, "externalId_parameter" in answer.body) == (500, True)


async def test_metadata_describes_fields(client: Client) -> None:
    body = (await client.call("GET", "profileAndServices/resourceType/profile")).body
    assert (body["schema"], body["data"]) == ("nms:recipient", "/profileAndServices/profile/")
    assert body["content"]["firstName"]["length"] == 30
    assert body["content"]["age"]["readOnly"] is True
    assert list(body["content"]["gender"]["values"]) == ["unknown", "male", "female"]
    assert body["content"]["lastName"]["dataPolicy"] == "smartCase"
    assert body["content"]["subscriptions"]["resTarget"] == "subscriptions"
    assert "cusTier" not in body["content"]
    service = (await client.call("GET", "profileAndServices/resourceType/service")).body
    assert service["name"] == "service"
    extended = (await client.call("GET", "profileAndServicesExt/")).body["profile"]
    assert extended["content"]["cusTier"]["type"] == "enumeration"
    assert extended["data"] == "/profileAndServicesExt/profile/"


async def test_services_are_listed_and_read(client: Client) -> None:
    listed = (await client.call("GET", "profileAndServices/service")).body["content"]
    assert [one["name"] for one in listed] == ["SVC1"]
    assert (await client.call("GET", listed[0]["href"])).body["name"] == "SVC1"
    missing = await client.call("GET", "profileAndServices/service/@x")
    assert (missing.status, "path 'Service'" in missing.body) == (404, True)


async def test_history_lists_what_was_sent(client: Client) -> None:
    record = await client.create(externalId="c-1")
    await client.control("POST", "events", {"kind": "send", "externalId": "c-1", "delivery": "DM7"})
    await client.control("POST", "events", {"kind": "open", "externalId": "c-1"})
    history = (await client.call("GET", f"profileAndServices/history/{record['PKey']}")).body
    assert history["countBroadLogEvents"] == 1
    (event,) = (await client.call("GET", history["events"]["href"])).body["content"]
    assert (event["label"], event["category"], event["date"]) == ("DM7", "email", "2026-03-02 08:10:00.123Z")
