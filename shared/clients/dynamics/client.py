"""Dataverse as the bridge uses it: sends what `wire` builds and returns what `wire` reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from shared import priority
from shared.clients.calls import Sender
from shared.clients.dynamics import wire
from shared.clients.dynamics.activities import ActivityWriter
from shared.clients.dynamics.config import REASONS, DynamicsConfig
from shared.clients.dynamics.loader import Loader
from shared.clients.dynamics.wire_timeline import Entry, read_timeline, timeline_request
from shared.clients.exchange import Exchange, Tokens
from shared.domain.change import CONTACT, RecordKey
from shared.domain.contact import Contact
from shared.domain.effects import RecordActivity
from shared.domain.fact import EmailEvent
from shared.domain.mapping import Mappings
from shared.domain.timeline import ActivityTables
from shared.errors import Drop, Reason
from shared.ports import Dynamics, Recorded
from shared.priority import Priority
from shared.timeline_file import ADOBE_TABLES

WINDOW_S = 0.002
# One read that hangs must not hold up all others. Dataverse takes 20 requests a second of a user for long: two at a
# time, of a tenth of a second each.
READS_AT_ONCE = 2
T = TypeVar("T")


class DynamicsClient(Dynamics):
    """`mappings` gives those in force, whose columns are read. See the port for what the methods raise.

    `crowd`: how many turns are under way, of which each may be about to read; 0: not known.
    What a custom table is called in addresses is asked once and remembered.
    """

    def __init__(
        self,
        config: DynamicsConfig,
        http: Sender,
        tokens: Tokens,
        mappings: Callable[[], Mappings],
        now: Callable[[], datetime],
        *,
        tables: ActivityTables = ADOBE_TABLES,
        window_s: float = WINDOW_S,
        crowd: Callable[[], int] = lambda: 0,
    ) -> None:
        self._config, self._mappings = config, mappings
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)
        self._activities = ActivityWriter(config, self._exchange, tables, now)
        self._window_s, self._crowd = window_s, crowd
        self._names = {CONTACT: wire.CONTACTS}
        self._loaders: dict[tuple[str, bool], Loader[Contact]] = {}
        self._own_user: str | None = None

    async def read(self, record: RecordKey) -> Contact | None:
        """The row as it is now; None if there is none. Raises ValueError for an id that is no GUID."""
        record_id = wire.checked_id(record.id)
        await self._name(record.table)
        return await self._loader(record.table).read(record_id, urgent=priority.current() is Priority.FIRST)

    async def read_many(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        """The rows that exist, by id in lower case. Raises ValueError for an id that is no GUID."""
        wanted = list(dict.fromkeys(wire.checked_id(record_id) for record_id in ids))
        await self._name(table)
        found: dict[str, Contact] = {}
        for some in _slices(wanted, self._ids_per_read(table)):
            found |= await self._read(table, some)
        return found

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        """False: the row is no longer at that version, or gone."""
        request = wire.opt_outs_request(self._config, contact_id, columns, version)
        return wire.read_opt_outs_written(await self._exchange.send(request))

    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        """Create and complete them, and create their tasks; in the order given. One that exists already is done.

        Raises Retry, never Uncertain: the ids are ours, so the same orders may be sent again.
        """
        return await self._activities.record(orders)

    async def check_timeline_table(self, event: EmailEvent) -> str:
        """The name of the event's table, once it is known to be there with every column. Raises Halt, Retry."""
        return (await self._activities.find(event)).name

    async def timeline(self, contact_id: str) -> list[Entry]:
        """What regards the contact, whoever wrote it; the latest first. Raises ValueError for an id that is no GUID."""
        return read_timeline(await self._exchange.send(timeline_request(self._config, contact_id)))

    async def whoami(self) -> str:
        """The id of the application user that the bridge writes as."""
        return wire.read_whoami(await self._exchange.send(wire.whoami_request(self._config)))

    async def own_user(self) -> str:
        """As `whoami`, asked once."""
        if self._own_user is None:
            self._own_user = await self.whoami()
        return self._own_user

    async def _name(self, table: str) -> wire.TableName:
        if table not in self._names:
            response = await self._exchange.send(wire.table_name_request(self._config, table))
            self._names[table] = wire.read_table_name(response)
        return self._names[table]

    def _loader(self, table: str) -> Loader[Contact]:
        """A resync's reads have one of their own: shared with them, others would wait for the last turn."""
        key = table, priority.current() is Priority.LAST
        if key not in self._loaders:
            read, limit = partial(self._read, table), partial(self._ids_per_read, table)
            self._loaders[key] = Loader(
                read, window_s=self._window_s, limit=limit, at_once=READS_AT_ONCE, crowd=self._crowd
            )
        return self._loaders[key]

    async def _read(self, table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        names, name = self._properties(table), self._names[table]
        response = await self._exchange.send(wire.rows_request(self._config, name, list(names), ids))
        rows = wire.read_rows(response, name, list(names))
        return {key: wire.by_column(row, names) for key, row in rows.items()}

    def _ids_per_read(self, table: str) -> int:
        return wire.ids_per_read(self._config, self._names[table], list(self._properties(table)))

    def _properties(self, table: str) -> dict[str, str]:
        """Raises Drop for a table that is no longer mapped."""
        mapping = self._mappings().of(table)
        if mapping is None:
            raise Drop(Reason.NOT_MAPPED, table)
        return wire.properties(mapping.columns, mapping.lookup_columns)


def _slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
