"""Logs of JSON lines in append blobs: what was written stays as it is, in the order in which it arrived."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import StorageErrorCode
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from shared.errors import Reason, Retry, Uncertain
from shared.stores.storage_calls import READ_RETRIES, error_code, reading, writing

Entry = Mapping[str, Any]
TRIES = 3


class AppendLog:
    """Many small logs by name in one container. All methods raise Retry when storage does not answer.

    A log takes 50,000 entries of up to 4 MiB each, storage's own limits. Storage can be told to refuse any change of
    what lies in an append blob (an immutability policy that allows appends), for whom the promise is not enough.
    """

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        self._container = service.get_container_client(container)

    async def append(self, name: str, entry: Entry) -> None:
        """Durable on return. A lost answer is followed by a second try; what arrived twice is read once."""
        line = json.dumps({"id": uuid.uuid4().hex, **entry}, ensure_ascii=False).encode() + b"\n"
        for _ in range(TRIES):
            try:
                return await self._append(self._container.get_blob_client(name), line)
            except Uncertain as error:
                unanswered = error
        raise Retry(Reason.LEDGER_UNREACHABLE, unanswered.detail) from unanswered

    async def entries(self, name: str) -> Sequence[Entry]:
        """The log's entries, the oldest first; none where there is no such log."""
        async with reading():
            try:
                stream = await self._container.get_blob_client(name).download_blob(retry_total=READ_RETRIES)
                content: bytes = await stream.readall()
            except ResourceNotFoundError:
                return ()
        entries: dict[str, Entry] = {}
        for line in content.splitlines():
            entry = json.loads(line)
            entries.setdefault(entry["id"], entry)
        return tuple(entries.values())

    async def names(self, prefix: str) -> Sequence[str]:
        """The logs whose name begins so, in the order of their names."""
        async with reading():
            try:
                return [name async for name in self._container.list_blob_names(name_starts_with=prefix)]
            except ResourceNotFoundError:
                return ()

    async def _append(self, blob: BlobClient, line: bytes) -> None:
        async with writing():
            try:
                await blob.append_block(line)
            except ResourceNotFoundError as error:
                if error_code(error) == StorageErrorCode.CONTAINER_NOT_FOUND:
                    await self._create_container()
                await self._create(blob)
                await blob.append_block(line)

    async def _create(self, blob: BlobClient) -> None:
        """Never over one that is there: another process may have made it meanwhile."""
        try:
            await blob.create_append_blob(match_condition=MatchConditions.IfMissing)
        except (ResourceExistsError, ResourceModifiedError):
            return

    async def _create_container(self) -> None:
        try:
            await self._container.create_container()
        except ResourceExistsError:
            return
