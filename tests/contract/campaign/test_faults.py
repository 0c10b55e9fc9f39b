"""Faults on demand, writes that land late, and the counting of engine calls."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.contract.campaign.conftest import Client, StoppedClock, connect, eventually

EXT = "profileAndServicesExt/profile"


async def _fault(client: Client, **order: Any) -> None:
    await client.control("POST", "faults", order)


async def _landed(client: Client) -> None:
    async def none_is_late() -> bool:
        return not (await client.control("GET", "faults"))["late_writes"]

    await eventually(none_is_late)


@pytest.mark.parametrize(
    ("status", "code"), [(503, "503001"), (429, "429050"), (401, "401013"), (403, "403023"), (500, None), (502, None)]
)
async def test_refusals_apply_nothing_and_end_by_themselves(client: Client, status: int, code: str | None) -> None:
    await _fault(client, fault="refuse", status=status, times=2, retry_after_s=7)
    for _ in range(2):
        answer = await client.call("POST", EXT, {"externalId": "c-1"})
        assert (answer.status, answer.headers["Retry-After"]) == (status, "7")
        assert answer.body.get("error_code") == code
        assert code or answer.body["message"].startswith("Oops.")
    assert await client.stored("c-1") == []
    assert (await client.call("POST", EXT, {"externalId": "c-1"})).status == 201


async def test_a_fault_may_meet_one_kind_until_it_is_cleared(client: Client) -> None:
    await _fault(client, fault="refuse", kind="profile PATCH", times=None)
    await client.create(externalId="c-1")
    for _ in range(3):
        assert (await client.call("PATCH", f"{EXT}/c-1", {"fax": "1"})).status == 503
    assert (await client.call("GET", f"{EXT}/c-1")).status == 200
    active = (await client.control("GET", "faults"))["active"]
    (number,) = active
    assert active[number]["kind"] == "profile PATCH"
    await client.control("DELETE", f"faults/{number}")
    assert (await client.call("PATCH", f"{EXT}/c-1", {"fax": "1"})).status == 200


async def test_a_fault_may_meet_one_method(client: Client) -> None:
    await _fault(client, fault="refuse", method="GET", times=None)
    await client.create(externalId="c-1")
    assert (await client.call("GET", f"{EXT}/c-1")).status == 503


async def test_the_token_endpoint_fails_only_when_named(client: Client) -> None:
    await _fault(client, fault="refuse", status=503)
    other = await connect(client.campaign)
    await other.session.close()
    await _fault(client, fault="refuse", status=502, kind="ims")
    async with client.session.post(f"{client.campaign.url}/ims/token/v3") as response:
        assert response.status == 502


async def _give_up(client: Client, clock: StoppedClock, method: str, path: str, body: Any) -> None:
    """Send a request and hang up while the server sits on it."""
    request = asyncio.create_task(client.call(method, path, body))
    await clock.awaited()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


async def test_a_slow_write_is_applied_although_the_client_left(client: Client, clock: StoppedClock) -> None:
    await _fault(client, fault="slow", seconds=40)
    await _give_up(client, clock, "POST", EXT, {"externalId": "c-1"})
    assert await client.stored("c-1") == []
    clock.advance(seconds=40)
    await _landed(client)
    assert len(await client.stored("c-1")) == 1


async def test_a_slow_answer_comes(client: Client, clock: StoppedClock) -> None:
    await _fault(client, fault="slow", seconds=40, method="GET")
    await client.create(externalId="c-1")
    request = asyncio.create_task(client.call("GET", f"{EXT}/c-1"))
    await clock.awaited()
    clock.advance(seconds=40)
    assert (await request).body["externalId"] == "c-1"


async def test_a_timed_out_write_lands_later(client: Client, clock: StoppedClock) -> None:
    await client.create(externalId="c-1", firstName="Old")
    await _fault(client, fault="time-out", apply_after_s=80)
    await _give_up(client, clock, "PATCH", f"{EXT}/c-1", {"firstName": "Late"})
    assert (await client.call("PATCH", f"{EXT}/c-1", {"firstName": "New"})).status == 200
    clock.advance(seconds=79)
    assert (await client.stored("c-1"))[0]["firstName"] == "New"
    clock.advance(seconds=1)
    await _landed(client)
    assert (await client.stored("c-1"))[0]["firstName"] == "Late"


async def test_a_late_post_makes_a_ghost_of_a_deleted_person(client: Client, clock: StoppedClock) -> None:
    await _fault(client, fault="time-out", apply_after_s=60)
    await _give_up(client, clock, "POST", EXT, {"externalId": "c-1"})
    assert (await client.call("DELETE", f"{EXT}/c-1")).status == 404
    clock.advance(seconds=60)
    await _landed(client)
    assert len(await client.stored("c-1")) == 1


async def test_a_timed_out_write_may_be_lost_and_its_connection_held_for_so_long(
    client: Client, clock: StoppedClock
) -> None:
    await _fault(client, fault="time-out", hold_s=60, apply_after_s=None)
    request = asyncio.create_task(client.call("POST", EXT, {"externalId": "c-1"}))
    await clock.awaited()
    assert not request.done()
    clock.advance(seconds=60)
    with pytest.raises(aiohttp.ClientError):
        await request
    assert await client.stored("c-1") == []


@pytest.mark.parametrize("applied", [True, False])
async def test_the_connection_breaks_after_or_before_the_write(client: Client, applied: bool) -> None:
    await _fault(client, fault="break-connection", applied=applied)
    assert (await client.call("GET", EXT)).status == 200
    with pytest.raises(aiohttp.ClientError):
        await client.call("POST", EXT, {"externalId": "c-1"})
    assert len(await client.stored("c-1")) == int(applied)


async def test_a_client_that_leaves_in_mid_write_changes_nothing(client: Client) -> None:
    await client.create(externalId="c-1", firstName="Ada")
    _, writer = await asyncio.open_connection("127.0.0.1", client.campaign.port)
    head = f"PATCH /acme/campaign/{EXT}/c-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in client.headers.items())
    writer.write(f'{head}\r\n{{"firstName": "Bea"'.encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    assert (await client.call("GET", f"{EXT}/c-1")).body["firstName"] == "Ada"
    assert "profile PATCH" not in (await client.control("GET", "counters"))["kinds"]


async def test_engine_calls_are_counted_by_kind_and_key(client: Client) -> None:
    person = await connect(client.campaign, "sandbox-person-key", "sandbox-person-secret")
    record = await client.create(externalId="c-1")
    await client.call("GET", EXT)
    await client.call("GET", f"{EXT}/_count")
    await client.call("GET", f"{EXT}/byExternalId?externalId_parameter=c-1")
    await client.call("GET", f"{EXT}/c-1")
    await client.call("GET", f"{EXT}/nobody")
    await client.call("GET", "privacy/privacyTool")
    await client.call("GET", "profileAndServices/resourceType/profile")
    await person.call("PATCH", f"{EXT}/{record['PKey']}", {"fax": "1"})
    await person.call("DELETE", f"{EXT}/c-1")
    await person.session.close()
    await client.call("GET", EXT, headers={})
    assert await client.control("GET", "counters") == {
        "total": 10,
        "kinds": {
            "metadata GET": 1, "privacy GET": 1, "profile DELETE": 1, "profile GET": 2, "profile GET count": 1,
            "profile GET list": 2, "profile PATCH": 1, "profile POST": 1,
        },
        "keys": {
            "sandbox-bridge-key": {
                "metadata GET": 1, "privacy GET": 1, "profile GET": 2, "profile GET count": 1,
                "profile GET list": 2, "profile POST": 1,
            },
            "sandbox-person-key": {"profile DELETE": 1, "profile PATCH": 1},
        },
        "refused": {"profile GET list": 1},
        "hidden": {"writes": {}, "made": {}},
    }  # fmt: skip
    assert (await client.control("POST", "counters/reset"))["total"] == 0


async def test_control_calls_and_refusals_are_no_engine_calls(client: Client) -> None:
    await _fault(client, fault="refuse")
    await client.call("GET", EXT)
    await client.control("POST", "person/profile", {"externalId": "c-1"})
    counters = await client.control("GET", "counters")
    assert (counters["total"], counters["refused"]) == (0, {"profile GET list": 1})


@pytest.mark.parametrize(
    "order",
    [{}, {"fault": "meteor"}, {"fault": "slow", "second": 1}, {"fault": "refuse", "times": 0}, []],
)
async def test_a_bad_fault_is_refused_with_a_reason(client: Client, order: Any) -> None:
    answer = await client.call("POST", f"{client.campaign.url}/_sandbox/faults", order)
    assert (answer.status, bool(answer.body["error"])) == (400, True)


async def test_the_person_in_campaign(client: Client) -> None:
    await client.control("POST", "person/profile", {"externalId": "p-1", "cusTier": "gold"})
    changed = await client.control("POST", "person/optout", {"externalId": "p-1", "flag": "blackListEmail"})
    assert (changed["blackListEmail"], changed["blackListEmailLastModified"]) == (True, "2026-03-02 08:10:00.123Z")
    await client.control("POST", "person/delete", {"externalId": "p-1"})
    assert await client.control("GET", "profiles") == []
    control = f"{client.campaign.url}/_sandbox"
    gone = {"externalId": "p-1", "flag": "blackListEmail", "value": False}
    assert (await client.call("POST", f"{control}/person/optout", gone)).status == 404
    assert (await client.call("POST", f"{control}/person/optout", gone | {"flag": "email"})).status == 400
    assert (await client.call("POST", f"{control}/person/optout", {"flag": "blackList"})).status == 400
    assert (await client.call("POST", f"{control}/person/profile", {"gender": "x"})).status == 500
    assert (await client.call("POST", f"{control}/nothing", {})).status == 404


async def test_reset_empties_everything_but_tokens(client: Client) -> None:
    first = await client.create(externalId="c-1")
    await _fault(client, fault="refuse", times=None)
    await client.control("POST", "reset")
    assert await client.control("GET", "profiles") == []
    second = await client.create(externalId="c-1")
    assert first["PKey"] != second["PKey"]
    assert (await client.control("GET", "counters"))["total"] == 1
