"""Dataverse as the bridge uses it: sends what `wire` builds and returns what `wire` reads."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from shared.clients.calls import Sender
from shared.clients.dynamics import wire
from shared.clients.dynamics.batch import OPERATIONS_MAX
from shared.clients.dynamics.config import REASONS, DynamicsConfig
from shared.clients.dynamics.loader import Loader
from shared.clients.dynamics.wire_activities import (
    ADOBE_TABLES,
    OPERATIONS_PER_ORDER,
    ActivityTables,
    activities_request,
    read_activities,
)
from shared.clients.exchange import Exchange, Tokens
from shared.domain.contact import Contact
from shared.domain.effects import RecordActivity
from shared.domain.mapping import Mapping as FieldMapping
from shared.ports import Dynamics, Recorded

WINDOW_S = 0.005
# One read that hangs must not hold up all others. Dataverse takes 20 requests a second of a user for long: two at a
# time, of a tenth of a second each.
READS_AT_ONCE = 2
T = TypeVar("T")


class DynamicsClient(Dynamics):
    """`mapping` gives the mapping in force, whose columns are read. See the port for what the methods raise."""

    def __init__(
        self,
        config: DynamicsConfig,
        http: Sender,
        tokens: Tokens,
        mapping: Callable[[], FieldMapping],
        now: Callable[[], datetime],
        *,
        tables: ActivityTables = ADOBE_TABLES,
        window_s: float = WINDOW_S,
    ) -> None:
        self._config, self._mapping, self._now, self._tables = config, mapping, now, tables
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)
        self._loader = Loader(self._read, window_s=window_s, limit=self._ids_per_read, at_once=READS_AT_ONCE)

    async def contact(self, contact_id: str) -> Contact | None:
        """The row as it is now; None if there is none. Raises ValueError for an id that is no GUID."""
        return await self._loader.read(wire.checked_id(contact_id))

    async def contacts(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        """The rows that exist, by id in lower case. Raises ValueError for an id that is no GUID."""
        ids = list(dict.fromkeys(wire.checked_id(contact_id) for contact_id in contact_ids))
        found: dict[str, Contact] = {}
        for some in _slices(ids, self._ids_per_read()):
            found |= await self._read(some)
        return found

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        """False: the row is no longer at that version, or gone."""
        request = wire.opt_outs_request(self._config, contact_id, columns, version)
        return wire.read_opt_outs_written(await self._exchange.send(request))

    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        """Create and complete them, 500 a request; in the order given. One that exists already is done.

        Raises Retry, never Uncertain: the ids are ours, so the same orders may be sent again.
        """
        recorded: list[Recorded] = []
        for some in _slices(orders, OPERATIONS_MAX // OPERATIONS_PER_ORDER):
            request = activities_request(self._config, some, self._tables, f"batch_{uuid.uuid4()}")
            recorded += read_activities(await self._exchange.send(request), len(some), self._now())
        return recorded

    async def whoami(self) -> str:
        """The id of the application user that the bridge writes as."""
        return wire.read_whoami(await self._exchange.send(wire.whoami_request(self._config)))

    async def _read(self, ids: Sequence[str]) -> Mapping[str, Contact]:
        names = self._properties()
        response = await self._exchange.send(wire.contacts_request(self._config, list(names), ids))
        contacts = wire.read_contacts(response, list(names))
        return {key: wire.by_column(contact, names) for key, contact in contacts.items()}

    def _ids_per_read(self) -> int:
        return wire.ids_per_read(self._config, list(self._properties()))

    def _properties(self) -> dict[str, str]:
        mapping = self._mapping()
        return wire.properties(mapping.columns, mapping.lookup_columns)


def _slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
