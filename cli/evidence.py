"""All that is read of one record at one moment: both sides, the ledger, and its parents and children."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from datetime import datetime

from cli.kinship import Kinship, gather_kin
from shared.domain.change import RecordKey
from shared.domain.contact import Contact, Profile
from shared.domain.ledger import LedgerRow
from shared.domain.mapping import Desired, Mapping, Mappings
from shared.domain.recollection import Recollection
from shared.flows.contact import Seen, Sight
from shared.flows.optout import Sides
from shared.ports import Ports


class UnmappedTableError(LookupError):
    """The mapping in force does not have the table; the text names those that it has."""


@dataclass(frozen=True)
class Evidence:
    """`profile`: the record in Campaign, whatever its resource; UNSEEN where Campaign was not asked.

    `former`: what is there under a key that the record had before, by that key. `past`, `own_user`: where the opt-out
    policy goes by times, which our own writes must not count in.
    """

    key: RecordKey
    mappings: Mappings
    ledger: LedgerRow
    contact: Contact | None
    profile: Seen
    now: datetime
    kin: Kinship = field(default_factory=Kinship)
    former: MappingOf[str, Seen] = field(default_factory=dict)
    past: Recollection | None = None
    own_user: str | None = None

    @property
    def sides(self) -> Sides | None:
        """Both sides of a contact, where both are there and were read."""
        if self.contact is None or not isinstance(self.profile, Profile):
            return None
        by_us = self.own_user is not None and self.contact.modified_by == self.own_user
        return Sides(self.mapping, self.contact, self.profile, self.past or Recollection(self.key), by_us)

    @property
    def mapping(self) -> Mapping:
        """The table's."""
        return mapped(self.mappings, self.key.table)

    @property
    def desired(self) -> Desired | None:
        """What the record should hold, if the row takes part; None where Dynamics does not have the row."""
        return self.mapping.desired(self.contact) if self.contact else None

    def sight(self, key: str) -> Seen:
        """What is known of the custom resource's record with that key."""
        return self.former.get(key, self.profile)


def mapped(mappings: Mappings, table: str) -> Mapping:
    """Raises UnmappedTableError."""
    mapping = mappings.of(table)
    if mapping is None:
        names = ", ".join(one.table for one in mappings.tables)
        raise UnmappedTableError(f"the mapping in force has no table {table}; it has {names}")
    return mapping


async def gather(ports: Ports, key: RecordKey, *, look: bool) -> Evidence:
    """Reads only. `look`: ask Campaign, too; an engine call, two where the record's key has changed.

    Raises Outcome, UnmappedTableError.
    """
    await ports.refresh_mapping()
    mappings = ports.mappings()
    mapping = mapped(mappings, key.table)
    ledger = await ports.ledger.get(key)
    row = await ports.dynamics.read(key)
    kin = await gather_kin(ports, mappings, ledger, row)
    profile, former = await look_up(ports, mapping, ledger, row) if look else (Sight.UNSEEN, {})
    evidence = Evidence(key, mappings, ledger, row, profile, ports.clock.now(), kin, former)
    if evidence.sides is None or not mapping.opt_outs or not mapping.opt_out_rules.by_record_time:
        return evidence
    past, own_user = await ports.recollections.get(key), await ports.dynamics.own_user()
    return replace(evidence, past=past, own_user=own_user)


async def look_up(
    ports: Ports, mapping: Mapping, ledger: LedgerRow, row: Contact | None
) -> tuple[Seen, MappingOf[str, Seen]]:
    """The record under its key, and under the one that the ledger remembers if that is another. Raises Outcome."""
    if mapping.resource is None:
        return await ports.campaign.profile(ledger.key.id) or Sight.MISSING, {}
    remembered = ledger.found_by or (ledger.key.id if mapping.key_is_id else None)
    key = mapping.desired(row).key if row else remembered
    seen = {
        one: await ports.records.record(mapping.resource, mapping.key_field, one) or Sight.MISSING
        for one in dict.fromkeys((key, remembered))
        if one
    }
    return seen.pop(key or "", Sight.MISSING), seen
