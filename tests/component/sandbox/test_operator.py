"""An operator's look at profiles that were there before the bridge, and the adoption of one of them by hand."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from sandbox.people import People
from sandbox.world import World
from tests.component.sandbox.invariants import broken
from tests.component.sandbox.test_parked import bridge
from tests.component.sandbox.waiting import at_rest

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(240),
]
NEWSLETTER = "newsletter-4711"


async def test_profiles_that_were_there_first_are_told_apart_and_adopted(sandbox: World, people: People) -> None:
    contact_id = str(uuid4())
    await people.marketing("person/profile", {"externalId": NEWSLETTER, "lastName": "Canary"})
    await people.marketing("person/profile", {"externalId": contact_id, "lastName": "Otherwise"})
    sandbox.broker.drop()  # nobody hears of the contact but the operator
    await people.create("contacts", {"contactid": contact_id, "firstname": "First", "lastname": "Canary"})

    report = await bridge(sandbox, "adopt", "--report", "--page-size", "3")
    groups = kinds(report)
    assert (groups["no_guid"], groups["to_adopt"], report["differing"]) == (1, 1, 1)
    assert {"firstName": 1, "lastName": 1}.items() <= report["differing_fields"].items()
    assert report["read"] == report["in_campaign"] == len(await people.profiles())

    shown = await bridge(sandbox, "explain", "contact", contact_id, "--perform", "--yes")
    assert [(one["why"], one["reason"]) for one in shown["performed"]] == [
        ("verify", "written"),
        ("optout", "unchanged"),
    ]
    profiles = await people.profiles()
    assert profiles[contact_id]["lastName"] == "Canary"
    assert profiles[NEWSLETTER]["lastName"] == "Canary"
    again = kinds(await bridge(sandbox, "adopt", "--report"))
    assert (again["to_adopt"], again["synchronised"]) == (0, groups["synchronised"] + 1)

    await people.marketing("person/delete", {"externalId": NEWSLETTER})
    sandbox.broker.accept()
    assert await at_rest(sandbox)
    assert await broken(sandbox, people) == []


def kinds(report: dict[str, Any]) -> dict[str, int]:
    return {group["kind"]: group["profiles"] for group in report["groups"]}
