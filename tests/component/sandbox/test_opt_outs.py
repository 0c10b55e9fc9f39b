"""Opt-outs over the real protocols: Campaign's changes by the poll, both ways, and the watch on deadlines."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.people import People
from sandbox.world import World
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(240),
]


async def test_the_poll_brings_an_opt_out_and_a_later_opt_in_to_dynamics(sandbox: World, people: People) -> None:
    """Between the two lies our own write, which moved the row's time and its last writer."""
    made = await people.create("contacts", {"firstname": "Poll", "lastname": "Canary"})

    async def has_profile() -> bool:
        return made in await people.profiles()

    assert await eventually(has_profile)
    for value in (True, False):
        await asyncio.sleep(1.1)  # Dynamics keeps whole seconds: the next word must be in a later one
        await people.opt_out_in_campaign(made, "blackListEmail", value=value)
        await sandbox.host.fire("optout_poll")

        async def arrived(value: bool = value) -> bool:
            return (await people.contact(made))["donotbulkemail"] is value

        assert await eventually(arrived)
        assert await at_rest(sandbox)
    assert sandbox.host.heard.counted["optout_poll"] >= 2
    assert (await people.profiles())[made]["blackListEmail"] is False


async def test_the_watch_on_deadlines_looks_into_the_lane(sandbox: World, people: People) -> None:
    """Nothing has waited for the days that the shipped mapping gives."""
    await sandbox.host.fire("optout_deadlines")
    assert await eventually(lambda: sandbox.host.heard.counted["optout_deadlines"] > 0)
    assert not [alarm for alarm in sandbox.host.heard.alarms if alarm["reason"] == "opt_out_overdue"]
