"""Privacy requests and the technical workflow."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.campaign.conftest import Client, Opener, StoppedClock

TOOL = "privacy/privacyTool"
REQUEST = {
    "name": "REQ-1", "namespaceName": "d365ExternalId", "reconciliationValue": "c-1",
    "regulation": "gdpr", "label": "Delete contact", "type": "delete",
}  # fmt: skip


async def _status(client: Client, name: str = "REQ-1") -> str:
    (item,) = [one for one in (await client.call("GET", TOOL)).body["content"] if one["name"] == name]
    assert (await client.call("GET", item["href"])).body == item
    return str(item["status"])


async def test_a_request_is_answered_in_full(client: Client) -> None:
    answer = await client.call("POST", TOOL, REQUEST)
    assert answer.status == 201
    assert {name: answer.body[name] for name in REQUEST} == REQUEST
    assert answer.body["status"] == "new"
    assert answer.body["created"] == "2026-03-02 08:10:00.123Z"
    assert answer.body["title"] == "Delete contact (REQ-1)"


async def test_deletion_waits_for_a_person_by_default(client: Client, clock: StoppedClock) -> None:
    await client.create(externalId="c-1")
    await client.create(externalId="c-2")
    await client.call("POST", TOOL, REQUEST)
    assert await client.control("POST", "privacy/run", {"stages": 1}) == {"REQ-1": "processing"}
    assert await _status(client) == "processing"
    clock.advance(hours=1)
    assert await client.control("POST", "privacy/run") == {"REQ-1": "deletePending"}
    assert len(await client.stored("c-1")) == 1
    assert await client.control("POST", "privacy/confirm", {"name": "another"}) == {}
    assert await client.control("POST", "privacy/confirm", {"name": "REQ-1"}) == {"REQ-1": "complete"}
    assert await _status(client) == "complete"
    assert await client.stored("c-1") == []
    assert len(await client.stored("c-2")) == 1


async def test_one_step_deletion_runs_through(open_campaign: Opener) -> None:
    client = await open_campaign(two_step=False)
    await client.create(externalId="c-1")
    await client.call("POST", TOOL, REQUEST)
    assert await client.control("POST", "privacy/run") == {"REQ-1": "complete"}
    assert await client.stored("c-1") == []
    assert await client.control("POST", "privacy/run") == {}


async def test_an_unknown_person_is_data_not_found(client: Client) -> None:
    await client.call("POST", TOOL, REQUEST)
    await client.control("POST", "privacy/run")
    assert await _status(client) == "errorDataNotFound"


async def test_an_access_request_removes_nothing(client: Client) -> None:
    await client.create(externalId="c-1")
    await client.call("POST", TOOL, REQUEST | {"type": "access"})
    assert await client.control("POST", "privacy/run") == {"REQ-1": "complete"}
    assert len(await client.stored("c-1")) == 1


async def test_the_timer_moves_one_stage_at_a_time(open_campaign: Opener, clock: StoppedClock) -> None:
    client = await open_campaign(two_step=False, privacy_every_s=60)
    await client.create(externalId="c-1")
    await client.call("POST", TOOL, REQUEST)
    for status in ("processing", "complete"):
        await clock.awaited()
        clock.advance(seconds=60)
        assert await _status(client) == status
    assert await client.stored("c-1") == []


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({}, 500, "PGS-220000"),
        ({"name": "REQ-2", "regulation": ""}, 500, "'@regulation' field is mandatory"),
        ({"name": "REQ-2", "regulation": "none"}, 500, "The value 'none' is not valid"),
        ({"name": "REQ-2", "type": "forget"}, 500, "The value 'forget' is not valid"),
        ({"name": "REQ-2", "namespaceName": "nowhere"}, 404, "path 'Namespace' from key 'nowhere'"),
        ({"name": "REQ-2", "namespace": "d365ExternalId"}, 500, "'namespace' property is not valid"),
    ],
)
async def test_bad_requests(client: Client, change: dict[str, Any], status: int, text: str) -> None:
    assert (await client.call("POST", TOOL, REQUEST)).status == 201
    answer = await client.call("POST", TOOL, REQUEST | change)
    assert (answer.status, text in answer.body) == (status, True)
    assert len((await client.call("GET", TOOL)).body["content"]) == 1


async def test_the_list_is_paged(client: Client) -> None:
    for number in range(26):
        await client.call("POST", TOOL, REQUEST | {"name": f"REQ-{number}"})
    page = (await client.call("GET", TOOL)).body
    assert len(page["content"]) == 25
    assert [one["name"] for one in (await client.call("GET", page["next"]["href"])).body["content"]] == ["REQ-25"]
    assert (await client.call("GET", page["count"]["href"])).body == {"count": 26}


async def test_access_files_are_out_of_scope(client: Client) -> None:
    href = (await client.call("POST", TOOL, REQUEST)).body["gdprRequestData"]["href"]
    assert (await client.call("POST", href, {"name": "REQ-1"})).status == 501
