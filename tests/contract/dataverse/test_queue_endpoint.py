"""The native Service Bus endpoint: what arrives in the queue, the 192 KB rule, and a broker that is away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient

from sandbox.service_bus import Broker, QueueSettings
from sandbox.service_bus import start as start_broker
from shared.clients.dynamics.context import parse
from shared.domain.change import RowChange
from tests.contract.dataverse.conftest import Client, Clock, until
from tests.contract.dataverse.webhooks import message_ids

CLAIMS = "http://schemas.microsoft.com/xrm/2011/Claims"
ADA = {"firstname": "Ada", "lastname": "Example"}
QUEUE = "dataverse-inbox"


@dataclass
class Post:
    """A queue of a running broker, and the endpoint that fills it."""

    broker: Broker
    endpoint: dict[str, object]

    async def received(self) -> list[ServiceBusReceivedMessage]:
        async with (
            ServiceBusClient.from_connection_string(self.broker.connection_string) as client,
            client.get_queue_receiver(QUEUE) as receiver,
        ):
            return await receiver.receive_messages(max_message_count=10, max_wait_time=1)

    def arrived(self) -> int:
        return self.broker.counts()[QUEUE]["active"]


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    broker = await start_broker([QueueSettings(QUEUE)], port=0)
    parts = dict(part.split("=", 1) for part in broker.connection_string.split(";") if part)
    endpoint = {
        "name": "Inbox",
        "contract": 2,
        "authtype": 2,
        "messageformat": 2,
        "namespaceaddress": parts["Endpoint"],
        "path": QUEUE,
        "saskeyname": parts["SharedAccessKeyName"],
        "saskey": parts["SharedAccessKey"],
    }
    yield Post(broker, endpoint)
    await broker.stop()


async def listen(client: Client, post: Post, message: str = "Update", table: str = "contact", **more: object) -> str:
    """The step's id."""
    endpoint_id = await client.create("serviceendpoints", post.endpoint | more)
    message_id, filter_id = await message_ids(client, message, table)
    step = {
        "name": f"Inbox: {message} of {table}",
        "rank": 1,
        "stage": 40,
        "mode": 1,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint_id})",
        "sdkmessageid@odata.bind": f"/sdkmessages({message_id})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({filter_id})",
    }
    return await client.create("sdkmessageprocessingsteps", step)


async def test_a_context_arrives_as_json_with_claims_as_properties(admin: Client, post: Post):
    await listen(admin, post, "Create")
    made = await admin.create("contacts", ADA)
    await until(lambda: post.arrived() == 1)
    (message,) = await post.received()
    event = parse(b"".join(message.body))
    assert event is not None
    assert (event.record.table, event.record.id, event.change) == ("contact", made, RowChange.CREATE)
    assert message.content_type == "application/json"
    properties = {
        str(key, "utf-8") if isinstance(key, bytes) else key: value
        for key, value in (message.application_properties or {}).items()
    }
    assert properties[f"{CLAIMS}/EntityLogicalName"] == b"contact"
    assert properties[f"{CLAIMS}/RequestName"] == b"Create"
    assert properties[f"{CLAIMS}/Organization"] == admin.url.removeprefix("https://").encode()
    assert "MessageMaxSizeExceeded" not in properties
    assert message.session_id is None


@pytest.mark.parametrize(("length", "cut"), [(80_000, False), (110_000, True)])
async def test_over_192_kb_it_goes_without_its_parameters_and_says_so(
    admin: Client, post: Post, length: int, cut: bool
):
    """A context holds what was written twice: once in its parent's parameters. A webhook would still take it whole."""
    step = await listen(admin, post, table="sdkmessageprocessingstep")
    long = {"configuration": "x" * length}
    assert (await admin.patch(f"sdkmessageprocessingsteps({step})", long)).status == 204
    await until(lambda: post.arrived() == 1)
    (message,) = await post.received()
    body = b"".join(message.body)
    assert (b"MessageMaxSizeExceeded" in (message.application_properties or {})) is cut
    assert ("InputParameters" not in json.loads(body)) is cut
    assert len(body) < 192 * 1024
    event = parse(body)
    assert event is not None
    assert (event.columns is None) is cut


async def test_a_queue_that_is_away_is_tried_again_later(admin: Client, post: Post, clock: Clock):
    endpoint = post.endpoint | {"path": "not-there"}
    await listen(admin, Post(post.broker, endpoint), "Create")
    await admin.create("contacts", ADA)

    async def status() -> list[tuple[int, int]]:
        rows = (await admin.get("asyncoperations?$select=statecode,statuscode")).json["value"]
        return [(row["statecode"], row["statuscode"]) for row in rows]

    async def waits() -> bool:
        return await status() == [(1, 10)]

    await until(waits)
    (row,) = (await admin.get("serviceendpoints?$select=serviceendpointid")).json["value"]
    await admin.patch(f"serviceendpoints({row['serviceendpointid']})", {"path": QUEUE})
    clock.forward(60)
    await until(lambda: post.arrived() == 1)


async def test_a_queue_that_stays_away_fails_the_job_at_last(admin: Client, post: Post, clock: Clock):
    await listen(admin, post, "Create", path="not-there")
    await admin.create("contacts", ADA)

    async def failed() -> bool:
        clock.forward(3)
        return bool((await admin.get("asyncoperations?$filter=statuscode eq 31")).json["value"])

    await until(failed, 20)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"messageformat": 1}, 501),
        ({"authtype": 7}, 501),
        ({"contract": 5}, 501),
        ({"path": ""}, 400),
        ({"saskey": ""}, 400),
        ({"namespaceaddress": "https://ns"}, 400),
    ],
)
async def test_an_endpoint_that_could_never_work_is_refused(
    admin: Client, post: Post, wrong: dict[str, object], status: int
):
    assert (await admin.post("serviceendpoints", post.endpoint | wrong)).status == status


async def test_the_key_is_write_only(admin: Client, post: Post):
    await admin.create("serviceendpoints", post.endpoint)
    (row,) = (await admin.get("serviceendpoints")).json["value"]
    assert "saskey" not in row
