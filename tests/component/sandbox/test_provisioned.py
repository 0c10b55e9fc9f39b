"""The sandbox was provisioned by the operator's command: a second look finds nothing to do; the secret is exchanged."""

from __future__ import annotations

import json

import pytest

from sandbox.people import People
from sandbox.provisioning import administer, provision
from sandbox.world import World
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(240),
]


async def test_a_second_look_finds_nothing_to_do(sandbox: World) -> None:
    steps = json.loads(await provision(sandbox, "--dry-run", "--json"))
    assert {step["deed"] for step in steps} == {"nothing"}
    assert len(steps) > 20


async def test_the_webhooks_secret_is_exchanged_and_announcements_still_arrive(sandbox: World, people: People) -> None:
    (endpoint,) = await people.rows("serviceendpoints", filter="name eq 'Dynamics-Campaign bridge'")
    new, old = sandbox.settings["WEBHOOK_SECRETS"].split(",")
    header = f'<settings><setting name="x-bridge-key" value="{old}"/></settings>'
    await people.correct(f"serviceendpoints({endpoint['serviceendpointid']})", authvalue=header)
    assert new not in await administer(sandbox, "rotate-webhook-secret")
    stored = sandbox.dataverse.org.store.get(
        sandbox.dataverse.org.schema.tables["serviceendpoint"], endpoint["serviceendpointid"]
    )
    assert stored is not None
    assert new in stored["authvalue"]
    made = await people.create("contacts", {"firstname": "Rotated", "lastname": "Canary"})
    assert await eventually(lambda: _there(people, made))
    assert await at_rest(sandbox)


async def _there(people: People, contact_id: str) -> bool:
    return contact_id in await people.profiles()
