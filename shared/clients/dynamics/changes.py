"""What Dataverse itself remembers: which rows changed or went, and which of its announcements failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from shared.clients.calls import Sender
from shared.clients.dynamics import wire, wire_changes
from shared.clients.dynamics.config import REASONS, DynamicsConfig
from shared.clients.dynamics.wire_blueprint import ENDPOINT
from shared.clients.exchange import Exchange, Tokens
from shared.domain.change import CONTACT, RecordKey
from shared.domain.sweep import ChangePage
from shared.errors import Halt, Reason
from shared.ports.sweep import FailedJob


class ChangeTracking:
    """Implements `shared.ports.sweep.TrackedChanges` and `FailedJobs`; what a table is called is asked once."""

    def __init__(self, config: DynamicsConfig, http: Sender, tokens: Tokens, now: Callable[[], datetime]) -> None:
        self._config = config
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)
        self._names = {CONTACT: wire.CONTACTS}

    async def page(self, table: str, asked: str | None, size: int) -> ChangePage:
        """Raises PageRefusedError, Outcome; Halt for a link to another host.

        That would be another environment's: to compare the ledger with this one could delete everybody.
        """
        name = await self._name(table)
        try:
            request = wire_changes.changes_request(self._config, name, asked, size)
        except ValueError as error:
            raise Halt(Reason.DYNAMICS_MISCONFIGURED, str(error)) from None
        response = await self._exchange.send(request)
        return wire_changes.read_changes(response, name, continued=asked is not None)

    async def gone(self, record: RecordKey) -> bool:
        """Whether Dataverse says that the row does not exist. Raises Outcome."""
        name = await self._name(record.table)
        return wire_changes.read_gone(
            await self._exchange.send(wire_changes.row_request(self._config, name, record.id))
        )

    async def since(self, moment: datetime, most: int) -> Sequence[FailedJob]:
        """Of the steps that provisioning made, for the webhook and for the inbox. Raises Outcome."""
        request = wire_changes.steps_request(self._config, f"{ENDPOINT}: ")
        steps = wire_changes.read_steps(await self._exchange.send(request))
        if not steps:
            return ()
        request = wire_changes.jobs_request(self._config, steps, moment, most)
        return wire_changes.read_jobs(await self._exchange.send(request))

    async def _name(self, table: str) -> wire.TableName:
        if table not in self._names:
            response = await self._exchange.send(wire.table_name_request(self._config, table))
            self._names[table] = wire.read_table_name(response)
        return self._names[table]
