"""Starts and stops the Service Bus stand-in and lets tests disturb it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from sandbox.service_bus.authority import Authority
from sandbox.service_bus.connection import Connection
from sandbox.service_bus.dispatcher import Dispatcher
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.namespace import Namespace
from sandbox.service_bus.settings import QueueSettings
from sandbox.service_bus.store import MemoryStore, SqliteStore, Store

logger = logging.getLogger(__name__)

KEY_NAME = "RootManageSharedAccessKey"
KEY = "sandbox-only-shared-key"
_LOOPBACK = ("127.0.0.1", "::1")
_GOODBYE_S = 0.5


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Broker:
    """A running broker; made by `start`."""

    def __init__(
        self, queues: Sequence[QueueSettings], store: Store, now: Callable[[], datetime], host: str, key: str
    ) -> None:
        def clock() -> int:
            return round(now().timestamp() * 1000)

        self._store = store
        self._host = host
        self._key = key
        self._dispatcher = Dispatcher(store, clock, self._on_store_failure)
        self._namespace = Namespace(queues, clock, store, self._dispatcher.touch)
        self._authority = Authority({KEY_NAME: key})
        self._connections: set[Connection] = set()
        self._dropping = False
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def connection_string(self) -> str:
        """For the SDK: plain TCP, key in the clear; good for this machine only."""
        host = "localhost" if self._host in _LOOPBACK else self._host
        return (
            f"Endpoint=sb://{host}:{self.port};SharedAccessKeyName={KEY_NAME};SharedAccessKey={self._key};"
            "UseDevelopmentEmulator=true;"
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """For each queue the messages that are active, scheduled, deferred, locked (each in one group) and dead."""
        return {queue.settings.name: asdict(queue.counts()) for queue in self._namespace}

    def refuse(self, queue: str | None = None, condition: Condition = Condition.SERVER_BUSY) -> None:
        """Refuses sends to this queue, or to all, until `accept`. Raises BrokerError for an unknown queue."""
        self._namespace.refuse(queue, condition)

    def drop(self) -> None:
        """Cuts every connection and each new one at once, until `accept`: the broker looks down."""
        self._dropping = True
        for connection in list(self._connections):
            connection.abort()

    def accept(self) -> None:
        """Ends what `refuse` and `drop` began."""
        self._dropping = False
        self._namespace.accept()

    async def stop(self) -> None:
        """Says goodbye to the peers, closes port and store. What is stored stays; locks are gone."""
        if self._server is not None:
            self._server.close()
        leaving = list(self._connections)
        for connection in leaving:
            connection.close(BrokerError(Condition.CONNECTION_FORCED, "the broker is stopping"))
        await asyncio.gather(*(connection.leave(_GOODBYE_S) for connection in leaving))
        if self._server is not None:
            await self._server.wait_closed()
        self._dispatcher.close()
        self._store.close()

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._connection, self._host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        logger.info("Service Bus stand-in listens on %s:%d", self._host, self.port)

    def _connection(self) -> asyncio.Protocol:
        if self._dropping:
            return _HangUp()
        return Connection(self._namespace, self._authority, self._dispatcher, self._connections)

    def _on_store_failure(self) -> None:
        self.drop()
        if self._server is not None:
            self._server.close()


class _HangUp(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


async def start(
    queues: Sequence[QueueSettings],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    store: Path | None = None,
    now: Callable[[], datetime] = _utc_now,
    key: str = KEY,
) -> Broker:
    """A broker that listens; port 0 takes a free one, no `store` keeps messages in memory only.

    `now` is the clock of locks, schedules and expiry. Raises ValueError for queues with the same name, OSError if the
    port is taken and sqlite3.Error if the file is in use or broken.
    """
    opened: Store = MemoryStore() if store is None else SqliteStore(store)
    try:
        broker = Broker(queues, opened, now, host, key)
        await broker._listen(port)
    except BaseException:
        opened.close()
        raise
    return broker
