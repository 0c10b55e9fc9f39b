"""Calls to table storage: bounded in time, and failures named for what happens next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables import TableEntity, TableErrorCode, UpdateMode
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
# Storage's words for "the entity is not the one that you read".
LOST_RACE = frozenset(
    {
        TableErrorCode.ENTITY_ALREADY_EXISTS,
        TableErrorCode.UPDATE_CONDITION_NOT_SATISFIED,
        TableErrorCode.CONDITION_NOT_MET,
        TableErrorCode.RESOURCE_NOT_FOUND,
        TableErrorCode.ENTITY_NOT_FOUND,
    }
)
# Proxies named in the environment: for each request they would be read anew, together with ~/.netrc, in a thread.
# That is a third of a request's processor time, and the other systems are not called through them either.
USE_ENV_SETTINGS = False


def table_service(
    connection_string: str | None = None, url: str | None = None, credential: AsyncTokenCredential | None = None
) -> TableServiceClient:
    """A client for the table stores, by connection string or by URL and identity; the caller closes it.

    Raises ValueError if neither is complete, or the connection string is none.
    """
    if connection_string:
        return TableServiceClient.from_connection_string(
            connection_string, retry_total=WRITE_RETRIES, use_env_settings=USE_ENV_SETTINGS
        )
    if url and credential:
        return TableServiceClient(
            url, credential=credential, retry_total=WRITE_RETRIES, use_env_settings=USE_ENV_SETTINGS
        )
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

    def heed(self, error: HttpResponseError) -> None:
        """Raises the error if it says that the table is gone, which is then created again at the next use."""
        if error_code(error) == TableErrorCode.TABLE_NOT_FOUND:
            self._client = None
            raise error


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


@asynccontextmanager
async def preparing() -> AsyncIterator[None]:
    """What fails inside may have been written, but changes nothing that anybody relies on: it becomes a Retry."""
    async with _outcomes(Retry, Reason.LEDGER_UNREACHABLE):
        yield


async def written(client: TableClient, entity: dict[str, Any], etag: str | None) -> str:
    """The new ETag. `etag` None: the entity must not be there yet; else it must be of that version.

    A write that the HTTP library sends twice is refused the second time: to callers that is a lost race.
    """
    if etag is None:
        metadata = await client.create_entity(entity)
    else:
        guard = MatchConditions.IfNotModified
        metadata = await client.update_entity(entity, mode=UpdateMode.REPLACE, etag=etag, match_condition=guard)
    return str(metadata["etag"])


async def listed(table: Table, condition: str, parameters: Mapping[str, str]) -> AsyncIterator[TableEntity]:
    """The entities, page by page: each page is one call. Raises Retry."""
    client = await table.ready()
    pages = client.query_entities(condition, parameters=dict(parameters), retry_total=READ_RETRIES).by_page()
    while True:
        async with reading():
            page = await anext(pages, None)
            if page is None:
                return
            entities = [entity async for entity in page]
        for entity in entities:
            yield entity


def error_code(error: HttpResponseError) -> str:
    """Storage's name for the error, as in `TableErrorCode`; empty if it gave none.

    The SDK reads it for every call but `create_entity`.
    """
    code = getattr(error, "error_code", None) or _code_in(error.response)
    return str(getattr(code, "value", code))


def _code_in(response: Any) -> str:  # noqa: ANN401 - azure-core has several kinds
    try:
        return str(json.loads(response.text())["odata.error"]["code"])
    except (AttributeError, ValueError, LookupError, TypeError):  # no answer, or another body than storage's
        return ""


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
