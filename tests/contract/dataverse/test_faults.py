"""Faults on demand, service protection, counters and reset."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from sandbox.dataverse import DataverseConfig, Limits
from tests.contract.dataverse.conftest import Client, Clock, Receiver, until
from tests.contract.dataverse.test_webhook_delivery import ADA, jobs, settled
from tests.contract.dataverse.webhooks import Hook, register, target


@pytest.mark.parametrize(
    ("reason", "code"),
    [("requests", "0x80072322"), ("time", "0x80072321"), ("concurrency", "0x80072326")],
)
async def test_throttle_the_next_calls(admin: Client, reason: str, code: str):
    await admin.fault("api", "throttle", count=2, reason=reason, retry_after=7)
    for _ in range(2):
        answer = await admin.post("contacts", ADA)
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, code, "7")
    assert (await admin.post("contacts", ADA)).status == 204


async def test_unavailable_until_cleared_and_only_where_asked(admin: Client):
    await admin.fault("api", "unavailable", method="POST", path="/contacts")
    for _ in range(3):
        assert (await admin.post("contacts", ADA)).status == 503
    assert (await admin.post("accounts", {"name": "x"})).status == 204
    await admin.delete("/_sandbox/faults")
    assert (await admin.post("contacts", ADA)).status == 204


async def test_an_answer_can_be_lost_after_the_work_was_done(admin: Client):
    await admin.fault("api", "drop", count=1, stage="after")
    with pytest.raises(aiohttp.ClientError):
        await admin.post("contacts", ADA)
    assert (await admin.get("contacts/$count")).text == "1"


async def test_slow(admin: Client):
    await admin.fault("api", "slow", count=1, seconds=0.2)
    began = asyncio.get_running_loop().time()
    assert (await admin.get("WhoAmI")).status == 200
    assert asyncio.get_running_loop().time() - began >= 0.2


async def test_lost_and_repeated_events(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create"))
    await admin.fault("webhook", "lose", count=1, table="contact")
    await admin.fault("webhook", "repeat", count=1)
    await admin.create("contacts", {"firstname": "lost"})
    await admin.create("contacts", {"firstname": "twice"})
    await admin.create("contacts", {"firstname": "once"})
    await until(lambda: len(receiver.calls) == 3)
    assert sorted(target(body)["firstname"] for body in receiver.bodies) == ["once", "twice", "twice"]
    await until(lambda: settled(admin))
    assert sorted(state for state, _ in await jobs(admin)) == ["lost", "succeeded", "succeeded"]


async def test_reordered_events(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create"))
    await admin.fault("webhook", "reorder", count=1, seconds=3600)
    for name in "ab":
        await admin.create("contacts", {"firstname": name})
    await until(lambda: len(receiver.calls) == 2)
    assert [target(body)["firstname"] for body in receiver.bodies] == ["b", "a"]


async def test_delayed_events_wait_for_the_clock(admin: Client, receiver: Receiver, clock: Clock):
    await register(admin, receiver, Hook("Create"))
    await admin.fault("webhook", "delay", count=1, seconds=30)
    await admin.create("contacts", {"firstname": "late"})
    await admin.create("contacts", {"firstname": "soon"})
    await until(lambda: len(receiver.calls) == 1)
    clock.forward(31)
    await until(lambda: len(receiver.calls) == 2)
    assert [target(body)["firstname"] for body in receiver.bodies] == ["soon", "late"]


async def test_oversize_on_demand(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create"))
    await admin.fault("webhook", "oversize", count=1)
    await admin.create("contacts", ADA)
    await until(lambda: len(receiver.calls) == 1)
    assert receiver.calls[0][0]["x-ms-dynamics-msg-size-exceeded"] == "true"
    assert "InputParameters" not in receiver.bodies[0]


async def test_a_seed_makes_chance_repeatable(admin: Client):
    patterns = []
    for _ in range(2):
        await admin.fault("api", "unavailable", probability=0.5, seed=4)
        patterns.append([(await admin.get("WhoAmI")).status for _ in range(12)])
        await admin.delete("/_sandbox/faults")
    assert patterns[0] == patterns[1]
    assert set(patterns[0]) == {200, 503}


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"target": "api", "effect": "lose"},
        {"target": "api", "effect": "slow", "count": "2"},
        {"target": "api", "effect": "slow", "colour": 1},
    ],
)
async def test_unknown_faults_are_refused(admin: Client, order: dict[str, Any]):
    assert (await admin.post("/_sandbox/faults", order)).status == 400


class TestServiceProtection:
    @pytest.fixture
    def config(self, tls) -> DataverseConfig:
        return DataverseConfig(tls=tls, limits=Limits(requests=3, busy_s=1200, at_once=2, window_s=300))

    async def test_requests_in_a_sliding_window_per_user(self, admin: Client, integration: Client, clock: Clock):
        for left in ("2", "1", "0"):
            answer = await admin.get("WhoAmI")
            assert answer.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == left
        refused = await admin.get("WhoAmI")
        assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "0x80072322", "300")
        assert (await integration.get("WhoAmI")).status == 200
        clock.forward(300)
        assert (await admin.get("WhoAmI")).status == 200

    async def test_calls_at_once(self, admin: Client, dataverse):
        user = (await admin.get("WhoAmI")).json["UserId"]
        dataverse.protection.enter(user)
        dataverse.protection.enter(user)
        refused = await admin.get("WhoAmI")
        assert (refused.status, refused.code) == (429, "0x80072326")

    async def test_execution_time(self, admin: Client, dataverse):
        user = (await admin.get("WhoAmI")).json["UserId"]
        dataverse.protection.enter(user)
        dataverse.protection.leave(user, 1201)
        refused = await admin.get("WhoAmI")
        assert (refused.status, refused.code) == (429, "0x80072321")

    async def test_limits_by_control(self, admin: Client):
        assert (await admin.call("PUT", "/_sandbox/limits", {"requests": 1})).status == 200
        assert [(await admin.get("WhoAmI")).status for _ in range(2)] == [200, 429]
        await admin.delete("/_sandbox/limits")
        assert (await admin.get("WhoAmI")).status == 200
        assert (await admin.call("PUT", "/_sandbox/limits", {"requests": -1})).status == 400


async def test_counters(admin: Client):
    await admin.delete("/_sandbox/counters")
    row_id = await admin.create("contacts", ADA)
    await admin.get(f"contacts({row_id})")
    await admin.get("contacts?$select=fullname")
    await admin.patch(f"contacts({row_id})", {"statecode": 1, "firstname": "x"})
    counts = (await admin.get("/_sandbox/counters")).json
    assert counts["http"] == counts["operations"] == {"POST contacts": 1, "GET contacts": 2, "PATCH contacts": 1}
    assert counts["rows"] == {"created contact": 1, "read contact": 2, "updated contact": 1}
    assert (counts["batches"], counts["batched"], counts["tokens"]) == (0, 0, 0)


async def test_reset(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create"))
    await admin.create("contacts", ADA)
    await admin.fault("api", "unavailable")
    assert (await admin.post("/_sandbox/reset", None)).status == 200
    assert (await admin.get("contacts/$count")).text == "0"
    assert (await admin.get("sdkmessageprocessingsteps/$count")).text == "0"
    assert (await admin.get("WhoAmI")).status == 200
    assert await jobs(admin) == []
    await admin.create("contacts", ADA)
    assert await jobs(admin) == []


async def test_the_control_endpoints_list_themselves(admin: Client):
    listed = (await admin.get("/_sandbox/")).json
    assert "POST /_sandbox/reset" in listed["endpoints"]
    assert listed["faults"]["webhook"].keys() == {"lose", "repeat", "reorder", "delay", "oversize"}
    assert (await admin.get("/_sandbox/nothing")).status == 404
