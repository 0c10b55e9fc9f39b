"""The contract Queue: a context as a Service Bus message, sent with Azure's own library and the endpoint's SAS key."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from sandbox.dataverse.context import QUEUE_LIMIT_BYTES
from sandbox.dataverse.jobs import Job
from sandbox.dataverse.values import Row

_CLAIMS = "http://schemas.microsoft.com/xrm/2011/Claims"
_TIMEOUT_S = 30.0


async def post(job: Job, endpoint: Row, organization: str, user: str) -> str | None:
    """None: the broker has it. Otherwise why not."""
    if len(job.body) > QUEUE_LIMIT_BYTES:
        return "The message is larger than 192 KB even without its parameters and images."
    try:
        async with (
            asyncio.timeout(_TIMEOUT_S),
            ServiceBusClient.from_connection_string(_connection(endpoint), retry_total=0) as client,
            client.get_queue_sender(endpoint["path"]) as sender,
        ):
            await sender.send_messages(_message(job, organization, user))
    except Exception as problem:  # noqa: BLE001 - the library and its transports raise a wide range of types
        return f"The message could not be posted ({type(problem).__name__})."
    return None


def _message(job: Job, organization: str, user: str) -> ServiceBusMessage:
    properties: dict[str | bytes, str | bool] = {
        f"{_CLAIMS}/Organization": organization,
        f"{_CLAIMS}/User": user,
        f"{_CLAIMS}/InitiatingUser": user,
        f"{_CLAIMS}/EntityLogicalName": job.table,
        f"{_CLAIMS}/RequestName": job.message,
    }
    if job.oversize:
        properties["MessageMaxSizeExceeded"] = True
    return ServiceBusMessage(
        job.body,
        content_type="application/json",
        correlation_id=job.correlation_id,
        application_properties=dict(properties),
    )


def _connection(endpoint: Row) -> str:
    """A broker on this machine speaks without TLS, as Azure's emulator does."""
    address = endpoint["namespaceaddress"]
    key = f"SharedAccessKeyName={endpoint['saskeyname']};SharedAccessKey={endpoint['saskey']}"
    local = ";UseDevelopmentEmulator=true" if urlsplit(address).hostname in ("localhost", "127.0.0.1") else ""
    return f"Endpoint={address};{key}{local}"
