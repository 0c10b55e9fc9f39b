"""Service Bus clients for the connections that queue triggers name, one client a connection."""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable
from typing import Any

from azure.identity.aio import DefaultAzureCredential
from azure.servicebus import ServiceBusSubQueue, TransportType
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from sandbox.host.errors import ConfigurationRefusedError
from sandbox.host.functions import QueueTrigger
from sandbox.host.host_json import ServiceBusOptions
from sandbox.host.settings import Connection

_DEAD_LETTERS = "/$deadletterqueue"


class QueueConnections:
    """Makes receivers; nothing is dialled before a receiver is opened."""

    def __init__(self, options: ServiceBusOptions) -> None:
        self._options = options
        self._clients: dict[Connection, ServiceBusClient] = {}
        # Left alone, the SDK reads the trusted certificates anew for every receiver, 40 ms of a standing event loop.
        self._ssl = ssl.create_default_context()
        self._credentials: list[DefaultAzureCredential] = []

    def receivers_of(self, trigger: QueueTrigger) -> Callable[[], ServiceBusReceiver]:
        """Return a maker of receivers for the trigger's queue or, by its path, dead-letter sub-queue.

        Raises ConfigurationRefusedError for a malformed connection string.
        """
        client = self._client(trigger.connection)
        dead_letters = trigger.queue.lower().endswith(_DEAD_LETTERS)
        name = trigger.queue[: -len(_DEAD_LETTERS)] if dead_letters else trigger.queue
        sub_queue = ServiceBusSubQueue.DEAD_LETTER if dead_letters else None
        # host.json means one buffer per trigger, and here its receivers share it.
        prefetch = math.ceil(self._options.prefetch_count / self._options.max_concurrent_calls)
        return lambda: client.get_queue_receiver(name, sub_queue=sub_queue, prefetch_count=prefetch)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
        for credential in self._credentials:
            await credential.close()

    def _client(self, connection: Connection) -> ServiceBusClient:
        if connection not in self._clients:
            self._clients[connection] = self._new_client(connection)
        return self._clients[connection]

    def _new_client(self, connection: Connection) -> ServiceBusClient:
        options: dict[str, Any] = {"ssl_context": self._ssl, **dict(self._options.client_retry)}
        if self._options.over_web_sockets:
            options["transport_type"] = TransportType.AmqpOverWebsocket
        if connection.namespace is not None:
            credential = DefaultAzureCredential(managed_identity_client_id=connection.client_id)
            self._credentials.append(credential)
            return ServiceBusClient(connection.namespace, credential, **options)
        try:
            return ServiceBusClient.from_connection_string(connection.connection_string or "", **options)
        except ValueError as error:
            raise ConfigurationRefusedError(f"a Service Bus connection string is malformed: {error}") from error
