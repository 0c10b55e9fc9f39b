"""The webhook over real HTTP: what is refused, how, and that nothing of it reaches a queue."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import aiohttp
import pytest

from sandbox.world import World
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [pytest.mark.asyncio(loop_scope="package")]

GOOD: dict[str, Any] = {
    "MessageName": "Update",
    "PrimaryEntityName": "contact",
    "PrimaryEntityId": "a3c5e7f9-1122-4f11-840a-6045bd0e1c99",
    "InitiatingUserId": "2f6a9c11-3c4d-4e11-be6e-0022482f1a01",
    "InputParameters": [{"key": "Target", "value": {"Attributes": [{"key": "firstname", "value": "Canary"}]}}],
}


async def post(world: World, body: bytes, key: str | None = "canary-secret-that-is-new") -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"x-bridge-key": key})
    url = f"{world.host.url}/api/dataverse"
    async with aiohttp.ClientSession() as session, session.post(url, data=io.BytesIO(body), headers=headers) as answer:
        return answer.status, await answer.json()


def changed(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def decided(world: World, message_id: str) -> int:
    """How often a message was settled."""
    return sum(said.get("message") == message_id for said in world.host.heard.last)


BAD = {
    "empty": b"",
    "not JSON": b"{",
    "not text": b"\xff\xfe\x00",
    "a list": b"[]",
    "a number": b"7",
    "nested too deeply": b"[" * 200_000,
    "oversized": b'{"a": "' + b"x" * 1_100_000 + b'"}',
    "no table": changed(PrimaryEntityName=None),
    "a table's name that is none": changed(PrimaryEntityName="contact; drop"),
    "no id": changed(PrimaryEntityId=None),
    "an id that is no GUID": changed(PrimaryEntityId="7"),
    "an id of the wrong type": changed(PrimaryEntityId=7),
    "a message name of the wrong type": changed(MessageName=["Update"]),
    "parameters of the wrong type": changed(InputParameters={"Target": {}}),
    "parameters without keys": changed(InputParameters=[{"value": 1}]),
    "a target of the wrong type": changed(InputParameters=[{"key": "Target", "value": 7}]),
    "attributes of the wrong type": changed(InputParameters=[{"key": "Target", "value": {"Attributes": {"a": 1}}}]),
}
IGNORED = {
    "an unknown table": (changed(PrimaryEntityName="acme_unknown"), "table not mapped"),
    "a message that no step is registered for": (changed(MessageName="Merge"), "message not used"),
    "no mapped column": (
        changed(InputParameters=[{"key": "Target", "value": {"Attributes": [{"key": "jobtitle", "value": "x"}]}}]),
        "no mapped column changed",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_is_refused_with_a_reason(sandbox: World, name: str) -> None:
    status, answer = await post(sandbox, BAD[name])
    assert status == 400
    assert answer["error"], "the answer says what is wrong"
    assert sandbox.broker.counts()["contact-upsert"]["active"] == 0


@pytest.mark.parametrize("name", IGNORED)
async def test_what_is_not_for_us_is_taken_and_counted(sandbox: World, name: str) -> None:
    body, reason = IGNORED[name]
    before = sandbox.host.heard.counted["webhook_ignored"]
    status, answer = await post(sandbox, body)
    assert (status, answer) == (202, {"hints": 0, "reason": reason})
    assert sandbox.host.heard.counted["webhook_ignored"] == before + 1


@pytest.mark.parametrize(
    "key", [None, "", "wrong", "canary-secret-that-is-ne", "canary-secret-that-is-new,canary-secret-that-is-old"]
)
async def test_a_wrong_secret_is_refused(sandbox: World, key: str | None) -> None:
    status, _ = await post(sandbox, changed(), key)
    assert status == 401


@pytest.mark.parametrize("key", ["canary-secret-that-is-new", "canary-secret-that-is-old"])
async def test_both_live_secrets_open(sandbox: World, key: str) -> None:
    status, answer = await post(sandbox, changed(OperationId=key), key)
    assert (status, answer) == (202, {"hints": 1})


async def test_the_same_body_twice_is_one_message(sandbox: World) -> None:
    body = changed(OperationId="the same")
    for _ in range(3):
        assert (await post(sandbox, body))[0] == 202
    message_id = f"{hashlib.sha256(body).hexdigest()[:32]}/upsert"
    assert await eventually(lambda: decided(sandbox, message_id) > 0)
    assert await at_rest(sandbox)
    assert decided(sandbox, message_id) == 1
