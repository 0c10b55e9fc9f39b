"""What breaks in production, done to the running sandbox: outages, kills, lost answers, repeated announcements."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.people import People
from sandbox.world import World
from tests.component.sandbox.invariants import broken
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(240),
]


async def contact(people: People, name: str) -> str:
    return await people.create(
        "contacts", {"firstname": name, "lastname": "Canary", "emailaddress1": f"{name}@canary.test"}
    )


async def first_name(people: People, contact_id: str) -> object:
    return (await people.profiles()).get(contact_id, {}).get("firstName")


async def test_the_broker_is_down(sandbox: World, people: People) -> None:
    """503 to Dataverse, whose one retry brings the change in once the broker is back."""
    webhooks: int = (await sandbox.host.status())["functions"]["dataverse_webhook"]["invocations"]
    sandbox.broker.drop()
    made = await contact(people, "Broker")

    async def refused_once() -> bool:
        done = (await sandbox.host.status())["functions"]["dataverse_webhook"]
        return int(done["invocations"]) > webhooks + 1

    assert await eventually(refused_once), "the first call was answered and the second came"
    sandbox.broker.accept()
    assert await eventually(lambda: _has(people, made, "Broker"))


async def test_campaign_is_down_for_a_while(sandbox: World, people: People) -> None:
    """Messages come back by schedule, none is dead-lettered, and all arrive when it is back."""
    await people.marketing("faults", {"fault": "refuse", "status": 503, "retry_after_s": 1, "times": None})
    made = [await contact(people, f"Outage{n}") for n in range(5)]
    assert await eventually(lambda: sandbox.broker.counts()["contact-upsert"]["scheduled"] >= 1)
    await asyncio.sleep(3)
    assert not set(made) & (await people.profiles()).keys()
    await people.end_faults()
    assert await eventually(lambda: _all_there(people, made))
    assert sum(lane["dead"] for lane in sandbox.broker.counts().values()) == 0


async def test_campaign_answers_nothing_and_applies_later(sandbox: World, people: People) -> None:
    """The create lands after its client gave up: one profile in the end, verified, no duplicate."""
    await people.marketing(
        "faults",
        {"fault": "time-out", "times": 1, "method": "POST", "kind": "profile", "hold_s": 8, "apply_after_s": 4},
    )
    made = await contact(people, "Late")
    assert await eventually(lambda: _has(people, made, "Late"))
    assert await at_rest(sandbox)
    assert await broken(sandbox, people) == []


async def test_campaign_applies_and_breaks_the_connection(sandbox: World, people: People) -> None:
    await people.marketing("faults", {"fault": "break-connection", "times": 1, "method": "POST", "applied": True})
    made = await contact(people, "Broken")
    assert await eventually(lambda: _has(people, made, "Broken"))
    assert await at_rest(sandbox)
    assert await broken(sandbox, people) == []


async def test_announcements_are_repeated_delayed_and_reordered(sandbox: World, people: People) -> None:
    """Hints say where to look, so their order and number do not matter."""
    for effect in ("repeat", "delay", "reorder"):
        await people.dynamics_fault({"target": "webhook", "effect": effect, "count": 3})
    made = await contact(people, "First")
    for name in ("Second", "Third", "Fourth", "Last"):
        await people.change(made, firstname=name)
    assert await eventually(lambda: _has(people, made, "Last"))
    await asyncio.sleep(3)
    assert await at_rest(sandbox)
    assert await broken(sandbox, people) == []


async def test_dynamics_throttles(sandbox: World, people: People) -> None:
    made = await contact(people, "Throttled")
    assert await eventually(lambda: _has(people, made, "Throttled"))
    await people.dynamics_fault(
        {"target": "api", "effect": "throttle", "count": 4, "retry_after": 1, "method": "GET", "path": "/contacts"}
    )
    await people.change(made, firstname="Patient")
    assert await eventually(lambda: _has(people, made, "Patient"))


async def test_the_host_is_killed_in_mid_work(sandbox: World, people: People) -> None:
    """SIGKILL with messages in flight: same final state, no second activity, no second privacy request."""
    made = [await contact(people, f"Kill{n}") for n in range(8)]
    assert await eventually(lambda: _all_there(people, made))
    assert await at_rest(sandbox)
    posted = await _privacy_posts(people)
    await people.marketing("faults", {"fault": "slow", "seconds": 1, "times": 30})
    await people.events([{"kind": kind, "externalId": made[0]} for kind in ("send", "open", "click", "bounce")])
    for contact_id in made[:5]:
        await people.change(contact_id, middlename="Killed")
    for contact_id in made[5:]:
        await people.delete(contact_id)
    fired = asyncio.create_task(sandbox.host.fire("event_egress"))
    assert await eventually(lambda: sandbox.broker.counts()["contact-upsert"]["locked"] > 0)
    assert await eventually(lambda: _announced(people))
    await sandbox.host.kill()
    await asyncio.gather(fired, return_exceptions=True)
    await sandbox.host.start()
    await sandbox.host.fire("event_egress")

    async def all_changed() -> bool:
        profiles = await people.profiles()
        return all(profiles[contact_id]["middleName"] == "Killed" for contact_id in made[:5])

    async def all_asked_for() -> bool:
        """A request that died on its way is sent again once a check has found that it can no longer land."""
        await sandbox.host.fire("ledger_checks")
        return await _privacy_posts(people) == posted + 3

    assert await eventually(all_changed, 90)
    assert await eventually(all_asked_for, 90)
    assert await at_rest(sandbox, 90)
    kinds = sorted(row["activitytypecode"] for row in await people.timeline(made[0]))
    assert kinds == ["adobe_emailbounce", "adobe_emailopen", "adobe_emailsend", "adobe_emailurlclick", "task", "task"]
    await people.end_faults()
    await people.marketing("privacy/run")
    await people.marketing("privacy/confirm")
    await people.marketing("privacy/run")
    await sandbox.host.fire("ledger_checks")
    assert await at_rest(sandbox)
    assert await _privacy_posts(people) == posted + 3
    assert await broken(sandbox, people) == []


async def test_a_half_written_export_waits_until_it_is_whole(sandbox: World, people: People) -> None:
    made = await contact(people, "File")
    assert await eventually(lambda: _has(people, made, "File"))
    await asyncio.sleep(1.1)
    await people.opt_out_in_campaign(made, "blackListPhone")
    await people.marketing("faults", {"fault": "export-half", "times": 1})
    await people.marketing("export")
    finishing = asyncio.create_task(_finish(people))
    await sandbox.host.fire("optout_file")
    await finishing
    await sandbox.host.fire("optout_file")

    async def opted_out() -> bool:
        return bool((await people.contact(made))["donotphone"])

    assert await eventually(opted_out)
    assert await at_rest(sandbox)
    heard = sandbox.host.heard
    runs, settled = heard.counted["optout_file"], _opt_outs_settled(sandbox)
    await sandbox.host.fire("optout_file")
    assert await eventually(lambda: heard.counted["optout_file"] > runs)
    assert await at_rest(sandbox)
    assert _opt_outs_settled(sandbox) == settled, "each file once"


async def test_no_secret_and_no_personal_value_is_in_any_log(sandbox: World) -> None:
    """Runs last in this file: the log has seen every bad day."""
    log = (sandbox.state / "host" / "host.log").read_text()
    assert "decision" in log
    for canary in ("Canary", "canary", "Outage", "Killed", "integration-secret", "sandbox-bridge-secret"):
        lines = [line for line in log.splitlines() if canary in line]
        assert lines == [], canary


def _opt_outs_settled(sandbox: World) -> int:
    return sum(number for (lane, _), number in sandbox.host.heard.reasons.items() if lane == "optout")


async def _finish(people: People) -> None:
    await asyncio.sleep(0.3)
    await people.marketing("export/finish")


async def _has(people: People, contact_id: str, name: str) -> bool:
    return await first_name(people, contact_id) == name


async def _all_there(people: People, contact_ids: list[str]) -> bool:
    return set(contact_ids) <= (await people.profiles()).keys()


async def _privacy_posts(people: People) -> int:
    return (await people.engine_calls()).get("privacy POST", 0)


async def _announced(people: People) -> bool:
    """Dataverse has no webhook left to send: one that is under way when the host dies is lost, as documented."""
    return not await people.webhooks_waiting()
