"""Dynamics and Campaign, as far as the bridge uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from shared.domain.change import RecordKey
from shared.domain.contact import Contact, Profile, Value
from shared.domain.effects import RecordActivity
from shared.domain.fact import Fact
from shared.domain.ledger import Progress
from shared.domain.mapping import Privacy, Resource


class Recorded(Enum):
    """What became of one activity."""

    DONE = "done"
    NO_CONTACT = "no_contact"
    REFUSED = "refused"


class Dynamics(Protocol):
    """Dataverse, as far as the bridge uses it."""

    async def read(self, record: RecordKey) -> Contact | None:
        """The row as it is now; None if there is none. Reads that wait at the same moment share one request."""
        ...

    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        """The rows that exist, by id."""
        ...

    async def own_user(self) -> str:
        """The system user as which the bridge writes; its id, in lower case."""
        ...

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        """False: the row is no longer at that version, or gone."""
        ...

    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        """Create and complete them, and create their tasks; in the order given. One that exists already is done."""
        ...


class Campaign(Protocol):
    """Adobe Campaign Standard, as far as the bridge uses it. Every call is an engine call."""

    async def profile(self, contact_id: str) -> Profile | None:
        """The profile whose externalId is the contact's id."""
        ...

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        """False: a profile with this externalId exists already."""
        ...

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        """False: there is no such profile."""
        ...

    async def write_flags(self, handle: str, attributes: Mapping[str, bool]) -> bool:
        """Set opt-outs. False: there is no such profile."""
        ...

    async def delete_profile(self, handle: str) -> bool:
        """False: there is no such profile."""
        ...

    async def request_privacy_delete(self, contact_id: str, name: str, privacy: Privacy) -> None:
        """Asking again under the same name changes nothing."""
        ...

    async def privacy_progress(self, name: str) -> Progress:
        """How far the request of that name is."""
        ...


class Records(Protocol):
    """Records of Campaign's custom resources. Every call is an engine call."""

    async def record(self, resource: Resource, key_field: str, key: str) -> Profile | None:
        """The custom resource's record whose key field has that value; None also for one that Campaign hides."""
        ...

    async def create_record(self, resource: Resource, fields: Mapping[str, Value]) -> bool:
        """`fields`: the key's, too. False: a record with this key exists already, shown or hidden."""
        ...

    async def update_record(self, resource: Resource, handle: str, fields: Mapping[str, Value]) -> bool:
        """False: there is no such record."""
        ...

    async def delete_record(self, resource: Resource, handle: str) -> bool:
        """False: there is no such record."""
        ...


@dataclass(frozen=True)
class BadEvent:
    """An event of the journal that does not have the configured shape; `problem` holds no value of it."""

    position: str
    problem: str


@dataclass(frozen=True)
class EventPage:
    """Some facts of the journal. `position` None: the end; look again after `wait_s`.

    `skipped`: events that were understood and are nobody's or not wanted. `gap`: the position asked for is no longer
    kept, so that events before this page are lost.
    """

    facts: tuple[Fact, ...]
    position: str | None
    wait_s: float = 0
    unreadable: tuple[BadEvent, ...] = ()
    skipped: int = 0
    gap: bool = False


class EmailEvents(Protocol):
    """Where Campaign's e-mail events come from."""

    async def page(self, since: str | None) -> EventPage:
        """The events after that position; None: from the oldest kept."""
        ...
