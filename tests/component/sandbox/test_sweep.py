"""Announcements that never come: the sweep finds what changed, through the real host, queues and change tracking."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.people import People
from sandbox.world import World
from tests.component.sandbox.invariants import broken
from tests.component.sandbox.test_parked import bridge
from tests.component.sandbox.waiting import at_rest, eventually, sweep

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(240),
]
LOSE = {"target": "webhook", "effect": "lose", "count": 99}


async def contact_drift(sandbox: World) -> dict[str, Any]:
    (found,) = [table for table in await bridge(sandbox, "drift", "--full") if table["table"] == "contact"]
    return dict(found)


async def test_lost_announcements_are_repaired_by_the_sweep(sandbox: World, people: People) -> None:
    ids = [await people.create("contacts", {"firstname": f"Sweep{n}", "lastname": "Canary"}) for n in range(4)]
    changed, gone, opted_out, alone = ids
    assert await eventually(lambda: _have(people, ids))
    assert await at_rest(sandbox)
    await sweep(sandbox)
    await people.dynamics_fault(LOSE)
    new = await people.create("contacts", {"firstname": "Unheard", "lastname": "Canary"})
    await people.change(changed, firstname="Swept")
    await people.change(opted_out, donotbulkemail=True)
    await people.delete(gone)
    await people.end_faults()
    await sweep(sandbox)

    async def repaired() -> bool:
        profiles = await people.profiles()
        return (
            profiles.get(new, {}).get("firstName") == "Unheard"
            and profiles[changed]["firstName"] == "Swept"
            and profiles[opted_out]["blackListEmail"] is True
        )

    assert await eventually(repaired, 60)
    assert await at_rest(sandbox)
    await people.marketing("privacy/run")
    await people.marketing("privacy/confirm")
    assert not await _has(people, gone)
    await sandbox.host.fire("ledger_checks")
    assert await at_rest(sandbox)
    assert await broken(sandbox, people) == []
    assert alone in await people.profiles()
    found = await contact_drift(sandbox)
    assert (found["out_of_line"], found["phase"], found["stale"]) == (0, "follow", False)
    assert found["repaired"] >= 4


async def test_a_second_sweep_over_what_is_in_line_asks_campaign_nothing(sandbox: World, people: People) -> None:
    made = await people.create("contacts", {"firstname": "Settled", "lastname": "Canary"})
    assert await eventually(lambda: _has(people, made))
    assert await at_rest(sandbox)
    await sweep(sandbox)
    assert await at_rest(sandbox)
    calls = await people.engine_calls()
    await sweep(sandbox)
    assert await at_rest(sandbox)
    assert await people.engine_calls() == calls


async def test_failed_system_jobs_are_told(sandbox: World, people: People) -> None:
    """The key is a wrong one for a moment: 401, which Dynamics does not try again."""
    (endpoint,) = await people.rows("serviceendpoints", select="serviceendpointid,name")
    wrong = '<settings><setting name="x-bridge-key" value="wrong"/></settings>'
    (secret, _) = sandbox.settings["WEBHOOK_SECRETS"].split(",")
    key = f'<settings><setting name="x-bridge-key" value="{secret}"/></settings>'
    await sweep(sandbox)  # what changed before a first one would be no change
    await people.update("serviceendpoints", endpoint["serviceendpointid"], {"authvalue": wrong})
    made = await people.create("contacts", {"firstname": "Refused", "lastname": "Canary"})

    async def gave_up() -> bool:
        return bool(await people.rows("asyncoperations", filter="statuscode eq 31"))

    assert await eventually(gave_up)
    await people.update("serviceendpoints", endpoint["serviceendpointid"], {"authvalue": key})
    told = sandbox.host.heard.counted["failed_job"]
    await sweep(sandbox)
    assert await eventually(lambda: sandbox.host.heard.counted["failed_job"] > told)
    assert await eventually(lambda: _has(people, made))
    assert await at_rest(sandbox)
    assert (await contact_drift(sandbox))["failed_jobs"] >= 1


async def _has(people: People, contact_id: str) -> bool:
    return await _have(people, [contact_id])


async def _have(people: People, ids: list[str]) -> bool:
    return set(ids) <= (await people.profiles()).keys()
