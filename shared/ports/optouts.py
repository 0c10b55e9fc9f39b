"""What the opt-out lane alone needs of the world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.change import RecordKey
from shared.domain.contact import Flag
from shared.domain.recollection import Recollection


@dataclass(frozen=True)
class ChangedProfile:
    """A profile that belongs to a contact, as a list of changed ones shows it. `changed_at`: of the whole profile."""

    contact_id: str
    changed_at: datetime
    opted_out: Mapping[str, Flag]


class Recollections(Protocol):
    """What is remembered of contacts' opt-outs."""

    async def get(self, key: RecordKey) -> Recollection:
        """An empty one where nothing is stored."""
        ...

    async def put(self, past: Recollection) -> Recollection | None:
        """Store it if it is still the one with `past.etag`; the stored one, or None if somebody was faster."""
        ...


class WaitingOptOuts(Protocol):
    """Opt-out hints that are not settled: in their lane, dead-lettered or parked."""

    def bodies(self) -> AsyncIterator[bytes]:
        """Only looks. Raises `BusUnavailableError`."""
        ...


class ChangedProfiles(Protocol):
    """Campaign's profiles by the time of their last change."""

    def changed_since(self, moment: datetime) -> AsyncIterator[Sequence[ChangedProfile]]:
        """Pages of those changed at or after that moment, newest first. One engine call a page."""
        ...
