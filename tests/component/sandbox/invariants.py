"""What must hold over the whole sandbox at rest: rows, profiles and the ledger say the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.people import People, Row
from sandbox.world import World
from shared import mapping_file
from shared.domain.change import RecordKey
from shared.domain.contact import Contact
from shared.domain.ledger import Absent, LedgerRow, Present
from shared.domain.mapping import Desired
from shared.stores.clock import SystemClock
from shared.stores.storage_calls import table_service
from shared.stores.tables import TableLedger

MAPPING = mapping_file.read((Path(__file__).resolve().parents[3] / "mapping.yaml").read_text())


async def broken(world: World, people: People) -> list[str]:
    """Empty when all is well. A profile whose privacy request waits for a person in Campaign may still be there."""
    rows = {row["contactid"]: row for row in await people.rows("contacts")}
    profiles = {key: profile for key, profile in (await people.profiles()).items() if key}
    ledger = await _ledger(world, rows.keys() | profiles.keys())
    profiles = {key: profile for key, profile in profiles.items() if key in rows or ledger[key].pending is None}
    wanted = {key: desired(row) for key, row in rows.items()}
    found = [f"{key}: a row without a profile" for key in rows.keys() - profiles.keys()]
    found += [f"{key}: a profile without a row" for key in profiles.keys() - rows.keys()]
    for key in rows.keys() & profiles.keys():
        found += [f"{key}: {name}" for name in differences(wanted[key], profiles[key])]
    for key, row in ledger.items():
        found += [f"{key}: {problem}" for problem in contradictions(row, wanted.get(key), there=key in profiles)]
    return found


def contradictions(row: LedgerRow, wanted: Desired | None, *, there: bool) -> Iterator[str]:
    """Where the ledger says other than the two systems."""
    if row.claim is not None:
        yield "still claimed"
    if isinstance(row.state, Absent) and there:
        yield "ABSENT, but there is a profile"
    if isinstance(row.state, Present) and (wanted is None or row.state != Present(wanted.digest)):
        yield "PRESENT with another digest than the row's"


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


async def _ledger(world: World, keys: Iterable[str]) -> dict[str, LedgerRow]:
    async with table_service(world.settings["Storage"]) as service:
        ledger = TableLedger(service, SystemClock().now)
        return {key: await ledger.get(RecordKey("contact", key)) for key in keys}
