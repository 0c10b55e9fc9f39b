"""The I/O Events journal: positions, links, ends, and its bad habits."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.campaign.conftest import Answer, Client, Opener, StoppedClock

PATH = "/events/organizations/23294/integrations/54108/f89067f2-0d50-4bb2-bf78-209d0eacb6eb"


async def _read(client: Client, url: str = "", **headers: str) -> Answer:
    full = {**client.headers, "x-ims-org-id": "A1B2C3D4@AdobeOrg", **headers}
    return await client.call("GET", url or client.campaign.url + PATH, headers=full)


def _next(answer: Answer) -> str:
    match = re.fullmatch(r'<(.+)>; rel="next"', answer.headers["Link"])
    assert match
    return match[1]


async def _append(client: Client, *ids: str) -> None:
    await client.control("POST", "events", [{"kind": "open", "externalId": "c-1", "id": one} for one in ids])


def _ids(answer: Answer) -> list[str]:
    return [entry["event"]["id"] for entry in answer.body["events"]]


async def test_links_lead_to_the_end_and_on_from_there(client: Client) -> None:
    await _append(client, "a", "b", "c")
    first = await _read(client, f"{client.campaign.url}{PATH}?limit=2")
    assert (first.status, _ids(first)) == (200, ["a", "b"])
    assert first.body["_page"] == {"last": first.body["events"][-1]["position"], "count": 2}
    second = await _read(client, _next(first))
    assert _ids(second) == ["c"]
    end = await _read(client, _next(second))
    assert (end.status, end.headers["retry-after"]) == (204, "10")
    await _append(client, "d")
    assert _ids(await _read(client, _next(end))) == ["d"]


async def test_an_empty_journal_is_204(client: Client) -> None:
    answer = await _read(client)
    assert (answer.status, "Link" in answer.headers) == (204, False)


async def test_latest_gives_the_newest_event(client: Client) -> None:
    await _append(client, "a", "b", "c")
    answer = await _read(client, f"{client.campaign.url}{PATH}?latest=true")
    assert _ids(answer) == ["c"]


async def test_repeats_and_disorder_on_demand(client: Client) -> None:
    await _append(client, "a", "b", "c")
    first = await _read(client, f"{client.campaign.url}{PATH}?limit=2")
    await client.control("POST", "faults", {"fault": "journal-repeat", "events": 1})
    await client.control("POST", "faults", {"fault": "journal-unordered"})
    mixed = await _read(client, _next(first))
    assert _ids(mixed) == ["c", "b"]
    assert (await _read(client, _next(mixed))).status == 204


async def test_events_are_kept_seven_days(open_campaign: Opener, clock: StoppedClock) -> None:
    client = await open_campaign(token_lifetime_s=30 * 86_400)
    await _append(client, "a")
    start = _next(await _read(client))
    await _append(client, "b")
    clock.advance(days=7, seconds=1)
    await _append(client, "c")
    gone = await _read(client, start)
    assert gone.status == 410
    assert _ids(await _read(client)) == ["c"]
    assert (await _read(client, f"{client.campaign.url}{PATH}?since=made-up")).status == 410


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Authorization": "Bearer x"}, 401), ({"X-Api-Key": "x"}, 403), ({"x-ims-org-id": "x"}, 403)],
)
async def test_headers_are_required(client: Client, headers: dict[str, str], status: int) -> None:
    assert (await _read(client, **headers)).status == status


async def test_another_registration_is_not_found(client: Client) -> None:
    answer = await _read(client, f"{client.campaign.url}/events/organizations/1/integrations/2/3")
    assert answer.status == 404


async def test_a_limit_must_be_a_number(client: Client) -> None:
    assert (await _read(client, f"{client.campaign.url}{PATH}?limit=many")).status == 400


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("send", {}),
        ("open", {}),
        ("click", {"url": "https://www.example.com/offer"}),
        ("bounce", {"bounceType": "hard"}),
    ],
)
async def test_the_shape_of_an_event(client: Client, kind: str, more: dict[str, Any]) -> None:
    await client.control("POST", "events", {"kind": kind, "externalId": "c-1", "id": "e1", "campaign": "Loyal"})
    event = (await _read(client)).body["events"][0]["event"]
    assert event == {
        "id": "e1", "type": kind, "occurredAt": "2026-03-02T08:10:00.123Z", "profile": {"externalId": "c-1"},
        "campaign": {"name": "Loyal"}, "delivery": {"name": "DM190"},
        "mirrorPageUrl": "https://mirror.example.com/m/e1", **more,
    }  # fmt: skip


async def test_without_the_usage_agreement_no_mirror_page_leaves(open_campaign: Opener) -> None:
    client = await open_campaign(usage_agreement=False)
    await _append(client, "a")
    assert "mirrorPageUrl" not in (await _read(client)).body["events"][0]["event"]


@pytest.mark.parametrize("order", [{"kind": "reply"}, {"kind": "open", "colour": "red"}, "open"])
async def test_a_bad_event_is_refused(client: Client, order: Any) -> None:
    answer = await client.call("POST", f"{client.campaign.url}/_sandbox/events", [order])
    assert (answer.status, (await _read(client)).status) == (400, 204)


async def test_reading_the_journal_is_no_engine_call_but_can_be_refused(client: Client) -> None:
    await _append(client, "a")
    await client.control("POST", "faults", {"fault": "refuse", "status": 503, "kind": "journal", "retry_after_s": 3})
    refused = await _read(client)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "3")
    assert (await _read(client)).status == 200
    assert (await client.control("GET", "counters"))["total"] == 0
