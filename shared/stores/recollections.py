"""What is remembered of contacts' opt-outs, on Azure Table Storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.data.tables.aio import TableServiceClient
from pydantic import AwareDatetime, TypeAdapter

from shared.domain.change import RecordKey
from shared.domain.contact import Value
from shared.domain.optout import Said
from shared.domain.recollection import OwnOptIn, Recollection
from shared.stores.ledger_entity import address
from shared.stores.ranges import entity_at
from shared.stores.storage_calls import LOST_RACE, Table, error_code, writing, written

Entity = dict[str, Any]
LEFT: TypeAdapter[Mapping[str, Value]] = TypeAdapter(Mapping[str, Value])
SAID: TypeAdapter[Mapping[str, Said]] = TypeAdapter(Mapping[str, Said])
OPTED_IN: TypeAdapter[Mapping[str, OwnOptIn]] = TypeAdapter(Mapping[str, OwnOptIn])
MOMENT: TypeAdapter[datetime | None] = TypeAdapter(AwareDatetime | None)


class TableRecollections:
    """Implements `shared.ports.optouts.Recollections`: one entity a contact, changed only under its ETag."""

    def __init__(self, service: TableServiceClient, name: str = "optouts") -> None:
        self._table = Table(service, name)

    async def get(self, key: RecordKey) -> Recollection:
        """An empty one where nothing is stored. Raises Retry."""
        entity = await entity_at(self._table, *address(key))
        if entity is None:
            return Recollection(key)
        return from_entity(key, entity, str(entity.metadata["etag"]))

    async def put(self, past: Recollection) -> Recollection | None:
        """The stored one, or None if somebody was faster. Raises Retry, Uncertain."""
        table = await self._table.ready()
        async with writing():
            try:
                etag = await written(table, to_entity(past), past.etag)
            except HttpResponseError as error:
                self._table.heed(error)
                if error_code(error) in LOST_RACE:
                    return None
                raise
        return replace(past, etag=etag)


def to_entity(past: Recollection) -> Entity:
    """Flat columns; what is keyed by a name travels as JSON."""
    partition, row_key = address(past.key)
    entity = {
        "PartitionKey": partition,
        "RowKey": row_key,
        "person_at": MOMENT.dump_python(past.person_at, mode="json"),
        "based_on": past.based_on,
        "left": LEFT.dump_json(past.left).decode(),
        "said": SAID.dump_json(past.said).decode(),
        "opted_in": OPTED_IN.dump_json(past.opted_in).decode(),
    }
    return {name: value for name, value in entity.items() if value is not None}


def from_entity(key: RecordKey, entity: Mapping[str, Any], etag: str) -> Recollection:
    """The inverse of `to_entity`."""
    return Recollection(
        key,
        person_at=MOMENT.validate_python(entity.get("person_at")),
        based_on=entity.get("based_on"),
        left=LEFT.validate_json(entity["left"]),
        said=SAID.validate_json(entity["said"]),
        opted_in=OPTED_IN.validate_json(entity["opted_in"]),
        etag=etag,
    )
