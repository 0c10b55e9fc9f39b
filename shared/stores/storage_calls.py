"""Calls to table storage: bounded in time, and failures named for what happens next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables.aio import TableClient, TableServiceClient

from shared.errors import Reason, Retry, Uncertain

CALL_TIMEOUT_S = 10.0
READ_RETRIES = 2
# A write is sent once. Repeated by the SDK after a lost answer, it would meet its own new ETag and be told 412.
WRITE_RETRIES = 0
# A 5xx says nothing about what was done. Of the rest, permission (a new role takes minutes to reach storage),
# throttling and the state of the table itself may mend; None is a credential without a token. Others are our bug.
SERVER_ERROR = 500
REFUSALS = (None, 401, 403, 404, 409, 429)


def table_service(
    connection_string: str | None = None, url: str | None = None, credential: AsyncTokenCredential | None = None
) -> TableServiceClient:
    """A client for the table stores, by connection string or by URL and identity; the caller closes it.

    Raises ValueError if neither is complete, or the connection string is none.
    """
    if connection_string:
        return TableServiceClient.from_connection_string(connection_string, retry_total=WRITE_RETRIES)
    if url and credential:
        return TableServiceClient(url, credential=credential, retry_total=WRITE_RETRIES)
    raise ValueError("table storage: a connection string, or a URL and a credential")


class Table:
    """One table, created on first use."""

    def __init__(self, service: TableServiceClient, name: str) -> None:
        self._service = service
        self._name = name
        self._client: TableClient | None = None
        self._lock = asyncio.Lock()

    async def ready(self) -> TableClient:
        """Raises Retry."""
        async with self._lock:
            if self._client is None:
                async with reading():
                    self._client = await self._service.create_table_if_not_exists(self._name)
            return self._client

    def forget(self) -> None:
        """The table is gone: create it again at the next use."""
        self._client = None


@asynccontextmanager
async def reading(reason: Reason = Reason.LEDGER_UNREACHABLE) -> AsyncIterator[None]:
    """What fails inside has written nothing: it becomes a Retry."""
    async with _outcomes(Retry, reason):
        yield


@asynccontextmanager
async def writing(reason: Reason = Reason.LEDGER_UNREACHABLE) -> AsyncIterator[None]:
    """What gets no answer inside may have been written: it becomes Uncertain. A refusal becomes a Retry."""
    async with _outcomes(Uncertain, reason):
        yield


def error_code(error: HttpResponseError) -> str:
    """Storage's name for the error, as in `TableErrorCode`; empty if it gave none."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


@asynccontextmanager
async def _outcomes(unanswered: type[Retry], reason: Reason) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            yield
    except HttpResponseError as error:
        failed = error.status_code is not None and error.status_code >= SERVER_ERROR
        if not failed and error.status_code not in REFUSALS:
            raise
        detail = f"HTTP {error.status_code} {error_code(error)}".rstrip()
        raise (unanswered if failed else Retry)(reason, detail) from error
    except (AzureError, TimeoutError) as error:
        raise unanswered(reason, type(error).__name__) from error
