"""What an administrator of Dynamics sets up: the webhook, with steps for each table's messages, and change tracking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sandbox.addresses import ROOT
from sandbox.people import People, Row
from sandbox.world import World
from shared import mapping_file

ENDPOINT = "Dynamics-Campaign bridge"
WEBHOOK, HTTP_HEADER = 8, 5  # contract and authtype of a serviceendpoint
POST_OPERATION, ASYNCHRONOUS = 40, 1
MESSAGES = ("Create", "Update", "Delete")


async def register(world: World, people: People, tables: Mapping[str, Iterable[str]] | None = None) -> bool:
    """Register what is not registered yet, correct what differs, track changes; False if it was all there.

    `tables`: logical name → the columns whose updates are announced, none of them for every column; a lookup that
    may be pointed at another row belongs to them. Without it, every table of the world's mapping with the columns
    that are read. Steps of other tables stay as they are, so it may be called table by table.

    Raises ValueError for a table that Dynamics does not have, Refused for a column that the table does not have.
    """
    wanted = _mapped(world) if tables is None else tables
    endpoint, changed = await _endpoint(world, people)
    found = await people.rows("sdkmessageprocessingsteps", filter=f"_eventhandler_value eq {endpoint}")
    known = {step["name"]: step for step in found}
    for table, columns in wanted.items():
        listed = ",".join(columns)
        for message in MESSAGES:
            filtering = listed if message == "Update" and listed else None
            changed |= await _ensure_step(people, known, endpoint, table, message, filtering)
        changed |= await people.track_changes(table)
    return changed


async def _endpoint(world: World, people: People) -> tuple[str, bool]:
    """The endpoint's id, and whether it was made or corrected: the host's port may differ from the last run's."""
    wanted = _wanted_endpoint(world)
    found = await people.rows("serviceendpoints", filter=f"name eq '{ENDPOINT}'")
    if not found:
        return await people.create("serviceendpoints", wanted), True
    endpoint_id = str(found[0]["serviceendpointid"])
    moved = found[0]["url"] != wanted["url"]
    if moved:
        await people.update("serviceendpoints", endpoint_id, wanted)
    return endpoint_id, moved


def _wanted_endpoint(world: World) -> Row:
    secret = world.settings["WEBHOOK_SECRETS"].split(",")[0]
    return {
        "name": ENDPOINT,
        "url": f"{world.host.url}/api/dataverse",
        "contract": WEBHOOK,
        "authtype": HTTP_HEADER,
        "authvalue": f'<settings><setting name="x-bridge-key" value="{secret}"/></settings>',
    }


async def _ensure_step(
    people: People, known: Mapping[str, Row], endpoint: str, table: str, message: str, filtering: str | None
) -> bool:
    name = f"{ENDPOINT}: {message} of {table}"
    if name not in known:
        step = await _step(people, endpoint, table, message)
        await people.create("sdkmessageprocessingsteps", {"name": name, "filteringattributes": filtering, **step})
        return True
    if known[name]["filteringattributes"] == filtering:
        return False
    step_id = known[name]["sdkmessageprocessingstepid"]
    await people.update("sdkmessageprocessingsteps", step_id, {"filteringattributes": filtering})
    return True


async def _step(people: People, endpoint: str, table: str, message: str) -> Row:
    messages = await people.rows("sdkmessages", select="sdkmessageid", filter=f"name eq '{message}'")
    filters = await people.rows(
        "sdkmessagefilters",
        select="sdkmessagefilterid",
        filter=f"primaryobjecttypecode eq '{table}' and sdkmessageid/name eq '{message}'",
    )
    if not filters:
        raise ValueError(f"Dynamics has no table {table}: add it first, or correct the mapping")
    return {
        "rank": 1,
        "stage": POST_OPERATION,
        "mode": ASYNCHRONOUS,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint})",
        "sdkmessageid@odata.bind": f"/sdkmessages({messages[0]['sdkmessageid']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({filters[0]['sdkmessagefilterid']})",
    }


def _mapped(world: World) -> dict[str, tuple[str, ...]]:
    text = (ROOT / world.settings["MAPPING_FILE"]).read_text(encoding="utf-8")
    return {mapping.table: mapping.columns for mapping in mapping_file.read(text).tables}
