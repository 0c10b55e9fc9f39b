"""Dataverse's own Service Bus endpoint, through the real queue and host: the same hints as the webhook's."""

from __future__ import annotations

import pytest

from sandbox.people import People, Row
from sandbox.world import World
from tests.component.sandbox.invariants import broken
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(120),
]


async def listening(sandbox: World, people: People) -> str:
    """An endpoint that fills the queue, with a step for created contacts; its id."""
    parts = dict(part.split("=", 1) for part in sandbox.settings["ServiceBus"].split(";") if part)
    queue = {"contract": 2, "authtype": 2, "messageformat": 2, "path": "dataverse-inbox"}
    key = {"saskeyname": parts["SharedAccessKeyName"], "saskey": parts["SharedAccessKey"]}
    endpoint = await people.create(
        "serviceendpoints", {"name": "Inbox", "namespaceaddress": parts["Endpoint"], **queue, **key}
    )
    (message,) = await people.rows("sdkmessages", select="sdkmessageid", filter="name eq 'Create'")
    where = "primaryobjecttypecode eq 'contact' and sdkmessageid/name eq 'Create'"
    (listed,) = await people.rows("sdkmessagefilters", select="sdkmessagefilterid", filter=where)
    step: Row = {
        "name": "Dynamics-Campaign bridge: inbox",
        "rank": 1,
        "stage": 40,
        "mode": 1,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint})",
        "sdkmessageid@odata.bind": f"/sdkmessages({message['sdkmessageid']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({listed['sdkmessagefilterid']})",
    }
    await people.create("sdkmessageprocessingsteps", step)
    return endpoint


async def test_an_announcement_in_the_queue_is_worked_on_like_the_webhooks(sandbox: World, people: People) -> None:
    endpoint = await listening(sandbox, people)
    admitted = sandbox.host.heard.reasons["dataverse-inbox", "admitted"]
    try:
        made = await people.create("contacts", {"firstname": "Posted", "lastname": "Canary"})
        assert await eventually(lambda: sandbox.host.heard.reasons["dataverse-inbox", "admitted"] == admitted + 1)
    finally:
        await people.remove("serviceendpoints", endpoint)

    async def there() -> bool:
        return made in await people.profiles()

    assert await eventually(there)
    assert await at_rest(sandbox)
    assert sandbox.broker.counts()["dataverse-inbox"]["dead"] == 0
    assert await broken(sandbox, people) == []
