"""A garage small enough to look at: contacts, vehicles, visits and dealers in both systems, and the real engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.domain.change import Hint, RecordKey, Source, Why
from shared.domain.contact import Contact, Profile, Value
from shared.domain.filters import Condition, Operator
from shared.domain.ledger import Claim, LedgerRow, Unknown
from shared.domain.mapping import DeleteMode, FieldRow, FromColumn, Link, Mappings, Resource
from shared.domain.mapping import Mapping as Pair
from shared.engine.deliver import Engine, Patience
from shared.wire import decode_hint
from tests.unit.engine.fakes import Known, OneContact, OneProfile, delivery
from tests.unit.examples import NOW

PERSON, OTHER_PERSON, VEHICLE, VISIT, DEALER = (
    RecordKey(table, f"{number:08x}-0000-4000-8000-000000000000")
    for number, table in enumerate(("contact", "contact", "vehicle", "visit", "dealer"))
)
OTHER_VEHICLE = RecordKey("vehicle", "000000ff-0000-4000-8000-000000000000")  # in nobody's garage until it is written
VIN = "WBA-1"
PARENT_WAIT = timedelta(hours=24)
PAIRS = Mappings(
    Pair(
        "g1",
        "contact",
        (FieldRow("firstName", FromColumn("first")),),
        filters=Condition("active", Operator.EQUALS, value=True),
        delete_mode=DeleteMode.PROFILE_DELETE,
    ),
    (
        Pair(
            "g1",
            "vehicle",
            (FieldRow("color", FromColumn("color")), FieldRow("profileExternalId", FromColumn("owner"))),
            resource=Resource("cusVehicle", "byVin", "vin_parameter"),
            key_column="vin",
            key_field="vin",
            links=(Link("owner", "profileExternalId", "contact"), Link("dealer", "dealerId", "dealer", required=False)),
            delete_mode=DeleteMode.PROFILE_DELETE,
        ),
        Pair(
            "g1",
            "visit",
            (FieldRow("cost", FromColumn("cost")), FieldRow("vehicleExternalId", FromColumn("vehicle"))),
            resource=Resource("cusServiceVisit", "byExternalId", "externalId_parameter"),
            key_column="visitid",
            links=(Link("vehicle", "vehicleExternalId", "vehicle"),),
            delete_mode=DeleteMode.PROFILE_DELETE,
        ),
        Pair(
            "g1",
            "dealer",
            (FieldRow("city", FromColumn("city")),),
            resource=Resource("cusDealer", "byExternalId", "externalId_parameter", linked=False),
            key_column="dealerid",
            delete_mode=DeleteMode.IGNORE,
        ),
    ),
)
NEW_ROWS: dict[str, dict[str, Value]] = {
    "contact": {"first": "Bertha", "active": True},
    "vehicle": {"vin": VIN, "color": "red", "owner": PERSON.id, "dealer": DEALER.id},
    "visit": {"cost": 120, "vehicle": VEHICLE.id},
    "dealer": {"city": "Oslo"},
}


class Rows(OneContact):
    """The `Dynamics` port over `rows`."""

    def __init__(self, rows: Mapping[RecordKey, Contact]) -> None:
        super().__init__()
        self.rows = rows

    async def read(self, record: RecordKey) -> Contact | None:
        return self.rows.get(record)


@dataclass
class Shelf(OneProfile):
    """The `Campaign` and the `Records` port: `kept` by key, some of it `hidden`; a handle is `@` and the key."""

    kept: dict[str, dict[str, Value]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    async def profile(self, contact_id: str) -> Profile | None:
        return self._shown(contact_id)

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        return self._made(contact_id, fields)

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        return self._changed(contact_id, fields)

    async def delete_profile(self, handle: str) -> bool:
        return self._gone(handle)

    async def record(self, resource: Resource, key_field: str, key: str) -> Profile | None:
        return self._shown(key)

    async def create_record(self, resource: Resource, fields: Mapping[str, Value]) -> bool:
        return self._made(str(fields.get("vin") or fields["externalId"]), fields)

    async def update_record(self, resource: Resource, handle: str, fields: Mapping[str, Value]) -> bool:
        return self._changed(handle.removeprefix("@"), fields)

    async def delete_record(self, resource: Resource, handle: str) -> bool:
        return self._gone(handle)

    def _shown(self, key: str) -> Profile | None:
        self.calls.append("GET")
        return Profile(f"@{key}", self.kept[key]) if key in self.kept.keys() - self.hidden else None

    def _made(self, key: str, fields: Mapping[str, Value]) -> bool:
        self.calls.append("POST")
        there = key in self.kept
        self.kept.setdefault(key, dict(fields))
        return not there

    def _changed(self, key: str, fields: Mapping[str, Value]) -> bool:
        self.calls.append("PATCH")
        self.kept.get(key, {}).update(fields)
        return key in self.kept

    def _gone(self, handle: str) -> bool:
        self.calls.append("DELETE")
        return self.kept.pop(handle.removeprefix("@"), None) is not None


class Garage:
    """A person with a vehicle that a dealer sold and a visit of it, all in Dynamics; nothing is in Campaign yet."""

    def __init__(self) -> None:
        self.known = Known()
        self.rows: dict[RecordKey, Contact] = {}
        self.shelf = Shelf(there=None)
        self.pairs = PAIRS
        self.ports = replace(
            self.known.ports,
            dynamics=Rows(self.rows),
            campaign=self.shelf,
            records=self.shelf,
            mappings=lambda: self.pairs,
        )
        self.engine = Engine(
            self.ports, self.known.telemetry, Patience(timedelta(days=7), timedelta(days=2), PARENT_WAIT)
        )
        for key in (PERSON, OTHER_PERSON, VEHICLE, VISIT, DEALER):
            self.row(key)

    def row(self, key: RecordKey, **columns: Value) -> None:
        """The row is, or becomes, this in Dynamics; columns that are not named keep their values."""
        old = self.rows[key].columns if key in self.rows else NEW_ROWS[key.table]
        self.rows[key] = Contact(key.id, "W/1", NOW, {**old, **columns})

    def hides_visits(self) -> None:
        """Campaign does not delete a visit with its vehicle: it hides it."""
        vehicle, visit, dealer = PAIRS.entities
        links = tuple(replace(link, cascade=False) for link in visit.links)
        self.pairs = Mappings(PAIRS.contact, (vehicle, replace(visit, links=links), dealer))

    async def told(
        self,
        key: RecordKey,
        why: Why = Why.UPSERT,
        *,
        age: timedelta = timedelta(0),
        attempt: int = 0,
        announced: bool = True,
    ) -> None:
        """The engine is given a hint about the record; what Campaign is asked then is noted anew.

        `announced`: of a record never seen, its creation.
        """
        self.shelf.calls.clear()
        created = announced and why is Why.UPSERT and key not in self.known.ledger.rows
        seen = self.known.clock.now() - age
        hint = Hint("h", key, why, Source.WEBHOOK, seen, attempt=attempt, created=created)
        await self.engine.record(delivery(hint, hint.lane))

    async def arrive(self, *keys: RecordKey) -> None:
        """These records are brought into Campaign."""
        for key in keys:
            await self.told(key)

    async def claim(self, key: RecordKey, until: datetime) -> None:
        """Another worker works on the record."""
        row = await self.ports.ledger.get(key)
        assert await self.ports.ledger.put(replace(row, claim=Claim("other", until), state=Unknown())) is not None

    def ledger(self, key: RecordKey) -> LedgerRow:
        """The record's row as it is stored."""
        return self.known.ledger.rows[key]

    def hinted(self, key: RecordKey) -> int:
        """How many hints about the record the engine itself has sent; copies that come back are none."""
        sent = [decode_hint(outgoing.body) for _, outgoing in self.known.everything_sent()]
        return sum(hint.record == key and hint.source is Source.FLOW for hint in sent)
