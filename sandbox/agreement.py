"""Where the two systems and the ledger disagree at rest, for every mapped table, as both systems' own doors show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.people import People, Row
from sandbox.world import World
from shared import settings
from shared.app import build
from shared.domain.change import RecordKey
from shared.domain.contact import Contact, Value
from shared.domain.ledger import Absent, LedgerRow, Present
from shared.domain.mapping import Desired, Mappings, WhenFilteredOut
from shared.domain.mapping import Mapping as FieldMapping
from shared.ports import Ports


@dataclass(frozen=True)
class Sides:
    """Both systems' records of all tables. `wanted`: what Campaign should hold; `left`: what it may hold or not."""

    wanted: Mapping[RecordKey, Desired]
    left: frozenset[RecordKey]
    records: Mapping[RecordKey, Row]


async def disagreements(world: World, people: People) -> list[str]:
    """Empty when all is well. A profile whose privacy request waits for a person in Campaign may still be there.

    Records are found by their rows' ids, as the sandbox's mapping has it.
    """
    app = build(settings.read(world.settings))
    try:
        await app.ports.refresh_mapping()
        sides = await _sides(people, app.ports.mappings())
        keys = sorted(sides.wanted.keys() | sides.records.keys())
        ledger = {key: await app.ports.ledger.get(key) for key in keys}
        found = [f"{key}: {problem}" for key in keys for problem in _problems(sides, key, ledger[key])]
        return found + await _lost_children(app.ports, sides)
    finally:
        await app.close()


def _problems(sides: Sides, key: RecordKey, row: LedgerRow) -> Iterator[str]:
    if key in sides.left:
        return
    wanted, record = sides.wanted.get(key), sides.records.get(key)
    if wanted is not None and record is None:
        yield "a row without a record"
    elif wanted is None and row.pending is None:
        yield "a record without a row"
    elif wanted is not None and record is not None:
        yield from differences(wanted, record)
    yield from contradictions(row, wanted, there=record is not None and row.pending is None)


def differences(wanted: Desired, record: Mapping[str, Any]) -> Iterator[str]:
    """Fields and opt-outs that the record has otherwise. Campaign's data policy may change the case of letters."""
    if record.get("hidden"):
        yield "hidden"
    for name, value in wanted.fields.items():
        shown: Any = record
        for part in name.split("."):
            shown = shown[part]
        if _comparable(shown) != _comparable(value):
            yield name
    yield from (name for name, value in wanted.opted_out.items() if record[name] != value)


def contradictions(row: LedgerRow, wanted: Desired | None, *, there: bool) -> Iterator[str]:
    """Where the ledger says other than the two systems."""
    if row.claim is not None:
        yield "still claimed"
    if isinstance(row.state, Absent) and there:
        yield "ABSENT, but there is a record"
    if isinstance(row.state, Present):
        if wanted is None or row.state != Present(wanted.digest):
            yield "PRESENT with another digest than the row's"
        elif row.parents != wanted.parents:
            yield "PRESENT under other parents than the row's"


async def _lost_children(ports: Ports, sides: Sides) -> list[str]:
    """A parent must find every child that was sent under it."""
    pairs = [(parent, child) for child, wanted in sides.wanted.items() for parent in wanted.parents]
    known = {parent: {child async for child in ports.family.children(parent)} for parent, _ in pairs}
    return [f"{child}: not known as a child of {parent}" for parent, child in pairs if child not in known[parent]]


async def _sides(people: People, mappings: Mappings) -> Sides:
    wanted, left, records = dict[RecordKey, Desired](), set[RecordKey](), dict[RecordKey, Row]()
    for mapping in mappings.tables:
        for key, row in (await _rows(people, mapping)).items():
            kept_out = mapping.kept_out(row)
            if kept_out is None:
                wanted[key] = mapping.desired(row)
            elif kept_out is WhenFilteredOut.LEAVE:
                left.add(key)
        shown = await (people.profiles() if mapping.resource is None else people.records(mapping.resource.name))
        records |= {RecordKey(mapping.table, record_id): record for record_id, record in shown.items() if record_id}
    return Sides(_reachable(wanted), frozenset(left), records)


def _reachable(wanted: Mapping[RecordKey, Desired]) -> dict[RecordKey, Desired]:
    """Those whose line of parents is there: without it, Campaign would hide them."""
    kept = {key: desired for key, desired in wanted.items() if desired.parents <= wanted.keys()}
    return kept if len(kept) == len(wanted) else _reachable(kept)


async def _rows(people: People, mapping: FieldMapping) -> dict[RecordKey, Contact]:
    rows = await people.rows(f"{mapping.table}s")
    return {RecordKey(mapping.table, row[f"{mapping.table}id"]): _read(mapping, row) for row in rows}


def _read(mapping: FieldMapping, row: Row) -> Contact:
    """The Web API shows a lookup as `_NAME_value`."""
    columns = {name: row[name] if name in row else row[f"_{name}_value"] for name in mapping.columns}
    modified = datetime.fromisoformat(row["modifiedon"])
    return Contact(row[f"{mapping.table}id"], row["@odata.etag"], modified, columns)


def _comparable(value: Value) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    return str(value or "").lower()
