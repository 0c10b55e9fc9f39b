"""Registers webhooks through the Web API, as an installer would."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.contract.dataverse.conftest import Client, Receiver


@dataclass(frozen=True)
class Hook:
    """What to register; `images` are (alias, kind, columns)."""

    message: str = "Update"
    table: str = "contact"
    filtering: str = ""
    images: tuple[tuple[str, int, str], ...] = ()
    auth: tuple[int, str] = (4, "key one")
    auto_delete: bool = True
    more: dict[str, Any] = field(default_factory=dict)


async def message_ids(client: Client, message: str, table: str) -> tuple[str, str]:
    messages = (await client.get(f"sdkmessages?$select=sdkmessageid&$filter=name eq '{message}'")).json["value"]
    text = f"primaryobjecttypecode eq '{table}' and sdkmessageid/name eq '{message}'"
    filters = (await client.get(f"sdkmessagefilters?$select=sdkmessagefilterid&$filter={text}")).json["value"]
    assert len(messages) == len(filters) == 1
    return messages[0]["sdkmessageid"], filters[0]["sdkmessagefilterid"]


async def register(client: Client, receiver: Receiver, hook: Hook) -> str:
    """Returns the id of the step."""
    authtype, authvalue = hook.auth
    endpoint = {"name": "Sync", "url": receiver.url, "contract": 8, "authtype": authtype, "authvalue": authvalue}
    endpoint_id = await client.create("serviceendpoints", endpoint)
    message_id, filter_id = await message_ids(client, hook.message, hook.table)
    step = {
        "name": f"Sync: {hook.message} of {hook.table}",
        "rank": 1,
        "stage": 40,
        "mode": 1,
        "supporteddeployment": 0,
        "asyncautodelete": hook.auto_delete,
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint_id})",
        "sdkmessageid@odata.bind": f"/sdkmessages({message_id})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({filter_id})",
    }
    if hook.filtering:
        step["filteringattributes"] = hook.filtering
    step_id = await client.create("sdkmessageprocessingsteps", step | hook.more)
    for alias, kind, columns in hook.images:
        image = {
            "name": alias,
            "entityalias": alias,
            "imagetype": kind,
            "messagepropertyname": "Id" if hook.message == "Create" else "Target",
            "attributes": columns,
            "sdkmessageprocessingstepid@odata.bind": f"/sdkmessageprocessingsteps({step_id})",
        }
        await client.create("sdkmessageprocessingstepimages", image)
    return step_id


def entries(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """An array of key/value objects as a dictionary."""
    return {pair["key"]: pair["value"] for pair in pairs}


def target(body: dict[str, Any]) -> dict[str, Any]:
    return entries(entries(body["InputParameters"])["Target"]["Attributes"])
