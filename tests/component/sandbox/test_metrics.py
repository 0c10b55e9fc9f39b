"""The metrics that Azure would get are what the log says and what the stand-in counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sandbox.people import People
from sandbox.world import World
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [pytest.mark.asyncio(loop_scope="package")]


def total(points: list[dict[str, Any]], name: str, *keys: str) -> Counter[tuple[str, ...]]:
    found = Counter[tuple[str, ...]]()
    for point in points:
        if point["name"] == name:
            found[tuple(point["attributes"][key] for key in keys)] += point["count"]
    return found


async def test_metrics_say_what_the_log_says(sandbox: World, people: People) -> None:
    assert await at_rest(sandbox)
    heard = sandbox.host.heard.reasons
    before, said, calls = await sandbox.host.metrics(), heard.copy(), await people.engine_calls()
    contact_id = await people.create("contacts", {"lastname": "Metric", "emailaddress1": "metric@canary.test"})
    assert await eventually(lambda: heard["contact-upsert", "written"] > said["contact-upsert", "written"])
    await people.change(contact_id, donotbulkemail=True)
    assert await eventually(lambda: heard["optout", "written"] > said["optout", "written"])
    assert await at_rest(sandbox)
    after, counted = await sandbox.host.metrics(), Counter(await people.engine_calls()) - Counter(calls)
    settled = total(after, "bridge.messages", "lane", "reason") - total(before, "bridge.messages", "lane", "reason")
    assert settled == heard - said
    lags = total(after, "bridge.lag", "lane") - total(before, "bridge.lag", "lane")
    assert lags.total() <= settled.total()
    profile = ("campaign", "profile")
    made = total(after, "bridge.calls", "system", "kind") - total(before, "bridge.calls", "system", "kind")
    assert made[profile] == sum(number for kind, number in counted.items() if kind.startswith("profile"))
    assert "canary" not in str(after)
