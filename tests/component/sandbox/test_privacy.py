"""A deletion's privacy request, followed by the command from its sending to the proof that the profile is gone."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.people import People
from sandbox.world import World
from tests.component.sandbox.invariants import broken
from tests.component.sandbox.test_parked import bridge
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(240),
]
ROW = {"firstname": "Private", "lastname": "Canary", "emailaddress1": "private@canary.test"}


async def request(sandbox: World, contact_id: str) -> dict[str, Any] | None:
    """The contact's line in the command's list."""
    found = await bridge(sandbox, "privacy", "list")
    return next((one for one in found["requests"] if one["contact"] == contact_id), None)


async def there(people: People, contact_id: str) -> bool:
    return contact_id in await people.profiles()


async def test_a_request_is_followed_until_the_profile_is_seen_to_be_gone(sandbox: World, people: People) -> None:
    made = await people.create("contacts", ROW)
    assert await eventually(lambda: there(people, made))
    assert await at_rest(sandbox)
    await people.delete(made)

    async def asked() -> bool:
        return await request(sandbox, made) is not None

    assert await eventually(asked, 60)
    assert await at_rest(sandbox)
    sent = await request(sandbox, made)
    assert sent is not None
    assert (sent["state"], sent["status"], sent["for_a_person"]) == ("workflows", "new", False)
    await people.marketing("privacy/run")
    waits = await request(sandbox, made)
    assert waits is not None
    assert (waits["state"], waits["status"], waits["for_a_person"]) == ("confirmation", "deletePending", True)
    assert await there(people, made)

    await people.marketing("privacy/confirm", {"name": waits["request"]})
    ended = await request(sandbox, made)
    assert ended is not None
    assert ended["state"] == "checks"
    looked = sandbox.host.heard.reasons["contact-upsert", "already_gone"]
    await sandbox.host.fire("ledger_checks")
    assert await request(sandbox, made) is None
    assert await eventually(lambda: sandbox.host.heard.reasons["contact-upsert", "already_gone"] >= looked)
    assert await at_rest(sandbox)
    assert not await there(people, made)
    assert await broken(sandbox, people) == []
    shown = await bridge(sandbox, "explain", "contact", made)
    assert (shown["explanation"]["in_dynamics"], shown["explanation"]["in_campaign"]) == (False, False)
    ledger = shown["explanation"]["ledger"]
    assert (ledger["state"], ledger["privacy_request"], ledger["incarnation"]) == ("absent", None, 1)


async def test_a_profile_that_came_back_meanwhile_gives_a_second_request(sandbox: World, people: People) -> None:
    made = await people.create("contacts", ROW)
    assert await eventually(lambda: there(people, made))
    assert await at_rest(sandbox)
    await people.delete(made)
    assert await eventually(lambda: _asked(sandbox, made), 60)
    first = await request(sandbox, made)
    assert first is not None
    await people.marketing("privacy/run")
    await people.marketing("privacy/confirm", {"name": first["request"]})
    await people.marketing("person/profile", {"externalId": made, "lastName": "Canary", "email": "again@canary.test"})
    await sandbox.host.fire("ledger_checks")

    async def asked_again() -> bool:
        second = await request(sandbox, made)
        return second is not None and second["request"] != first["request"]

    assert await eventually(asked_again, 60), "the look after the end has found the profile"
    await people.marketing("privacy/run")
    await people.marketing("privacy/confirm")
    await sandbox.host.fire("ledger_checks")
    assert await at_rest(sandbox)
    assert await request(sandbox, made) is None
    assert not await there(people, made)


async def _asked(sandbox: World, contact_id: str) -> bool:
    return await request(sandbox, contact_id) is not None
