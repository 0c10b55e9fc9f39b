"""The rotations of docs/rotation.md, rehearsed: at every step what people change arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import asyncssh
import pytest
import pytest_asyncio

from sandbox.people import People
from sandbox.world import World
from shared.clients.dynamics.wire_blueprint import ENDPOINT
from tests.component.sandbox.waiting import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(240),
]
OLD, NEW = "rotation-secret-that-goes", "rotation-secret-that-comes"


@pytest_asyncio.fixture(loop_scope="package")
async def rotated(sandbox: World, people: People) -> AsyncIterator[World]:
    """At the end everything has its first secrets again."""
    yield sandbox
    await registered(people, sandbox.settings["WEBHOOK_SECRETS"].split(",")[0])
    keys = ("WEBHOOK_SECRETS", "OPTOUT_SFTP_KEY")
    await sandbox.host.restart(**{key: sandbox.settings[key] for key in keys})


async def registered(people: People, secret: str) -> None:
    """Dynamics sends this secret from now on."""
    (endpoint,) = await people.rows("serviceendpoints", filter=f"name eq '{ENDPOINT}'")
    value = f'<settings><setting name="x-bridge-key" value="{secret}"/></settings>'
    await people.change_row("serviceendpoints", endpoint["serviceendpointid"], {"authvalue": value})


async def arrives(people: People, name: str) -> bool:
    contact_id = await people.create("contacts", {"lastname": name, "emailaddress1": f"{name.lower()}@canary.test"})

    async def there() -> bool:
        return contact_id in await people.profiles()

    return await eventually(there)


async def status(world: World, secret: str) -> int:
    url = f"{world.host.url}/api/dataverse"
    key = {"x-bridge-key": secret}
    async with aiohttp.ClientSession() as session, session.post(url, data=b"{}", headers=key) as answer:
        return answer.status


async def test_the_webhooks_secret(rotated: World, people: People) -> None:
    await rotated.host.restart(WEBHOOK_SECRETS=OLD)
    await registered(people, OLD)
    assert await arrives(people, "Before")
    await rotated.host.restart(WEBHOOK_SECRETS=f"{NEW},{OLD}")
    assert await arrives(people, "Both")
    await registered(people, NEW)
    assert await arrives(people, "Changed")
    await rotated.host.restart(WEBHOOK_SECRETS=NEW)
    assert await arrives(people, "After")
    assert await status(rotated, OLD) == 401


async def test_the_key_of_the_export_folder(rotated: World) -> None:
    keys = rotated.state / "keys"
    fresh = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    authorized = keys / "authorized_keys"
    first = authorized.read_text()
    both = first + fresh.export_public_key().decode()
    authorized.write_text(both)
    assert await taken(rotated), "the old key still opens the folder"
    (keys / "fresh_key").write_bytes(fresh.export_private_key())
    await rotated.host.restart(OPTOUT_SFTP_KEY=str(keys / "fresh_key"))
    authorized.write_text(fresh.export_public_key().decode())
    assert await taken(rotated), "the new one does, alone"
    authorized.write_text(first)


async def taken(world: World) -> bool:
    """Whether a run of the timer ended well."""
    before = world.host.heard.counted["optout_file"]
    await world.host.fire("optout_file")
    return await eventually(lambda: world.host.heard.counted["optout_file"] > before, 10)
