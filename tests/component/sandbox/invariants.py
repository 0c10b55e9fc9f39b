"""What must hold over the whole sandbox at rest: rows, profiles and the ledger say the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.people import People, Row
from sandbox.world import World
from shared import mapping_file
from shared.domain.change import RecordKey
from shared.domain.contact import Contact
from shared.domain.ledger import Absent, Present
from shared.domain.mapping import Desired
from shared.stores.storage_calls import table_service
from shared.stores.tables import TableLedger

MAPPING = mapping_file.read((Path(__file__).resolve().parents[3] / "mapping.yaml").read_text())


async def broken(world: World, people: People) -> list[str]:
    """Empty when all is well."""
    rows = {row["contactid"]: row for row in await people.rows("contacts")}
    profiles = {key: profile for key, profile in (await people.profiles()).items() if key}
    found = [f"{key}: a row without a profile" for key in rows.keys() - profiles.keys()]
    found += [f"{key}: a profile without a row" for key in profiles.keys() - rows.keys()]
    wanted = {key: desired(row) for key, row in rows.items()}
    for key in rows.keys() & profiles.keys():
        found += [f"{key}: {name}" for name in differences(wanted[key], profiles[key])]
    return found + [problem async for problem in _ledger(world, wanted, profiles.keys())]


def desired(row: Row) -> Desired:
    """What the mapping makes of a row as the Web API gives it."""
    modified = datetime.fromisoformat(row["modifiedon"])
    return MAPPING.desired(Contact(row["contactid"], row["@odata.etag"], modified, row))


def differences(wanted: Desired, profile: Mapping[str, Any]) -> Iterator[str]:
    """Fields and opt-outs that the profile has otherwise. Campaign's data policy may change the case of letters."""
    for name, value in wanted.fields.items():
        shown: Any = profile
        for part in name.split("."):
            shown = shown[part]
        if str(shown or "").lower() != str(value or "").lower():
            yield name
    yield from (name for name, value in wanted.opted_out.items() if profile[name] != value)


async def _ledger(world: World, wanted: Mapping[str, Desired], profiles: Collection[str]) -> Any:
    async with table_service(world.settings["Storage"]) as service:
        ledger = TableLedger(service)
        for key in {*wanted, *profiles}:
            row = await ledger.get(RecordKey("contact", key))
            if row.claim is not None:
                yield f"{key}: still claimed"
            if isinstance(row.state, Absent) and key in profiles:
                yield f"{key}: ABSENT, but there is a profile"
            if isinstance(row.state, Present) and (key not in wanted or row.state != Present(wanted[key].digest)):
                yield f"{key}: PRESENT with another digest than the row's"
