"""The webhook's registration in Dynamics: one service endpoint and a step for each of Create, Update and Delete."""

from __future__ import annotations

from pathlib import Path

from sandbox.addresses import ROOT
from sandbox.people import People
from sandbox.world import World
from shared import mapping_file

ENDPOINT = "Dynamics-Campaign bridge"
WEBHOOK, HTTP_HEADER = 8, 5  # contract and authtype of a serviceendpoint
POST_OPERATION, ASYNCHRONOUS = 40, 1


async def register(world: World, people: People) -> bool:
    """Register what is not registered yet; False if it was all there."""
    if await people.rows("serviceendpoints", filter=f"name eq '{ENDPOINT}'"):
        return False
    endpoint = await people.create("serviceendpoints", _endpoint(world))
    for message in ("Create", "Update", "Delete"):
        await people.create("sdkmessageprocessingsteps", await _step(people, endpoint, message))
    return True


def _endpoint(world: World) -> dict[str, object]:
    secret = world.settings["WEBHOOK_SECRETS"].split(",")[0]
    return {
        "name": ENDPOINT,
        "url": f"{world.host.url}/api/dataverse",
        "contract": WEBHOOK,
        "authtype": HTTP_HEADER,
        "authvalue": f'<settings><setting name="x-bridge-key" value="{secret}"/></settings>',
    }


async def _step(people: People, endpoint: str, message: str) -> dict[str, object]:
    found = await people.rows("sdkmessages", select="sdkmessageid", filter=f"name eq '{message}'")
    message_id = found[0]["sdkmessageid"]
    filters = await people.rows(
        "sdkmessagefilters",
        select="sdkmessagefilterid",
        filter=f"primaryobjecttypecode eq 'contact' and sdkmessageid/name eq '{message}'",
    )
    step: dict[str, object] = {
        "name": f"{ENDPOINT}: {message} of contact",
        "rank": 1,
        "stage": POST_OPERATION,
        "mode": ASYNCHRONOUS,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint})",
        "sdkmessageid@odata.bind": f"/sdkmessages({message_id})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({filters[0]['sdkmessagefilterid']})",
    }
    return step | ({"filteringattributes": ",".join(_mapped_columns(ROOT))} if message == "Update" else {})


def _mapped_columns(root: Path) -> tuple[str, ...]:
    return mapping_file.read((root / "mapping.yaml").read_text(encoding="utf-8")).contact.columns
