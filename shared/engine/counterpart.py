"""The other side of one record in Campaign: a person's profile, or a custom resource's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.domain.contact import Profile, Value
from shared.domain.ledger import LedgerRow
from shared.domain.mapping import Desired, Resource
from shared.domain.mapping import Mapping as FieldMapping
from shared.errors import Park, Reason
from shared.ports import Campaign, Ports, Records


class Counterpart(Protocol):
    """Every method is one engine call. Raises what the Campaign port raises."""

    async def look_up(self) -> Profile | None:
        """None: there is none, or Campaign hides it."""
        ...

    async def create(self, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        """False: it exists already."""
        ...

    async def update(self, handle: str | None, fields: Mapping[str, Value]) -> bool:
        """False: it does not exist. `handle` None: by its key."""
        ...

    async def delete(self, handle: str) -> bool:
        """False: it does not exist."""
        ...


async def find(ports: Ports, mapping: FieldMapping, row: LedgerRow, desired: Desired | None) -> Counterpart:
    """Whose key is the row's, or, for a row that is gone, the one that the ledger remembers.

    Campaign cannot change a key. Raises Park while a record is there under a former one; that costs an engine call.
    """
    if mapping.resource is None:
        return PersonsProfile(ports.campaign, row.key.id)
    remembered = row.found_by or (row.key.id if mapping.key_is_id else None)
    key = desired.key if desired else remembered
    if remembered is not None and key != remembered:
        former = ResourceRecord(ports.records, mapping.resource, mapping.key_field, remembered)
        if await former.look_up() is not None:
            raise Park(Reason.KEY_CHANGED, mapping.key_column)
    return ResourceRecord(ports.records, mapping.resource, mapping.key_field, key)


@dataclass(frozen=True)
class PersonsProfile:
    """Found by the contact's id."""

    campaign: Campaign
    contact_id: str

    async def look_up(self) -> Profile | None:
        """See Counterpart."""
        return await self.campaign.profile(self.contact_id)

    async def create(self, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        """See Counterpart."""
        return await self.campaign.create_profile(self.contact_id, fields, opted_out)

    async def update(self, handle: str | None, fields: Mapping[str, Value]) -> bool:
        """See Counterpart."""
        return await self.campaign.update_profile(self.contact_id, handle, fields)

    async def delete(self, handle: str) -> bool:
        """See Counterpart."""
        return await self.campaign.delete_profile(handle)


@dataclass(frozen=True)
class ResourceRecord:
    """Found by a custom filter on its key field; it has no opt-outs, and can be written by its handle only.

    `key` None: not known any more, and so nothing can be found.
    """

    records: Records
    resource: Resource
    key_field: str
    key: str | None

    async def look_up(self) -> Profile | None:
        """See Counterpart."""
        return None if self.key is None else await self.records.record(self.resource, self.key_field, self.key)

    async def create(self, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:  # noqa: ARG002
        """See Counterpart."""
        return await self.records.create_record(self.resource, {**fields, self.key_field: self.key})

    async def update(self, handle: str | None, fields: Mapping[str, Value]) -> bool:
        """See Counterpart."""
        if handle is None:
            raise ValueError("a custom resource's record is written by its handle")
        return await self.records.update_record(self.resource, handle, fields)

    async def delete(self, handle: str) -> bool:
        """See Counterpart."""
        return await self.records.delete_record(self.resource, handle)
