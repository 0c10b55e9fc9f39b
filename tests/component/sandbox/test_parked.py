"""A refused value: parked with its reason, shown, corrected in Dynamics, replayed by the command, and gone."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sandbox.people import People
from sandbox.world import World
from tests.component.sandbox.waiting import at_rest, eventually, sweep

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.asyncio(loop_scope="package")]


async def bridge(world: World, *words: str) -> Any:
    """What the command prints as JSON."""
    settings = str(world.state / "host" / "settings.json")
    command = [sys.executable, "-m", "cli", *words, "--json", "--settings", settings]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, complaint = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode() + complaint.decode()
    return json.loads(output)


async def test_a_refused_address_is_parked_corrected_and_replayed(sandbox: World, people: People) -> None:
    row = {"firstname": "Parked", "lastname": "Canary", "emailaddress1": "not-an-address"}
    made = await people.create("contacts", row)
    assert await eventually(lambda: sandbox.broker.counts()["parked"]["active"] == 1)
    (group,) = await bridge(sandbox, "deadletters", "list")
    assert group["reason"]["slug"] == "refused_email"
    assert group["lane"] == "contact-upsert"
    assert "canary" not in json.dumps(group).lower()

    await people.change(made, emailaddress1="parked@canary.test")
    assert await eventually(lambda: _there(people, made)), "the correction alone brings the person over"
    replayed = await bridge(sandbox, "deadletters", "replay", "--all", "--why", "a test", "--yes")
    assert (replayed["chosen"], replayed["done"]) == (1, 1)
    assert await at_rest(sandbox)
    assert sandbox.broker.counts()["parked"]["active"] == 0, "an old message over newer data changes nothing"
    assert await bridge(sandbox, "deadletters", "list") == []


async def test_an_old_message_replayed_over_newer_data_changes_nothing(sandbox: World, people: People) -> None:
    row = {"firstname": "Old", "lastname": "Canary", "emailaddress1": "no-address"}
    made = await people.create("contacts", row)
    assert await eventually(lambda: sandbox.broker.counts()["parked"]["active"] == 1)
    (failing,) = await bridge(sandbox, "deadletters", "replay", "--all", "--dry-run")
    assert (failing["verdict"], failing["reason"]) == ("still_failing", "refused_email")

    await people.change(made, emailaddress1="new@canary.test", lastname="Newer")
    assert await eventually(lambda: _there(people, made))
    assert await at_rest(sandbox)
    (settled,) = await bridge(sandbox, "deadletters", "replay", "--all", "--dry-run")
    assert (settled["verdict"], settled["calls"]) == ("already_settled", 0)
    before, calls = (await people.profiles())[made], Counter(await people.engine_calls())

    report = await bridge(sandbox, "deadletters", "replay", "--all", "--canary", "--why", "a test", "--yes")
    assert (report["done"], report["new_failures"]) == (1, [])
    assert await at_rest(sandbox)
    assert (await people.profiles())[made] == before
    spent = Counter(await people.engine_calls()) - calls
    assert spent.keys() <= {"profile GET"}, "the hint was a creation's: its opt-outs are compared once more"


async def test_doctor_finds_nothing_wrong(sandbox: World) -> None:
    """What only a person can see of a custom table, or only a record can show, is a warning."""
    await sweep(sandbox)
    findings = await bridge(sandbox, "doctor")
    states = {finding["check"]: finding["status"] for finding in findings}
    unseen = {name for name, status in states.items() if status == "warning"}
    assert all(name.startswith(("filter-", "privacy-")) for name in unseen)
    assert {status for name, status in states.items() if name not in unseen} == {"ok"}


async def test_doctor_runs_those_checks_of_a_deployment_that_can_be_answered_here(sandbox: World) -> None:
    findings = await bridge(sandbox, "doctor", "--azure", "--url", sandbox.host.url)
    states = {finding["check"]: finding["status"] for finding in findings}
    assert (states["azure-webhook"], states["azure-functions"]) == ("ok", "ok")
    assert "failed" not in states.values()
    asked = [name for name, status in states.items() if status == "skipped"]
    assert all(name.startswith("azure-") for name in asked)


async def _there(people: People, contact_id: str) -> bool:
    return contact_id in await people.profiles()
