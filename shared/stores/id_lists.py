"""Lists of row ids in blob storage: 37 bytes a line, so that any part of a list is one range of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient

from shared.errors import Reason, Retry
from shared.stores.storage_calls import preparing, reading

CONTAINER = "resyncs"
LINE = 37


class BlobIdLists:
    """Implements `shared.ports.resyncs.IdLists`. Raises Retry; ValueError for what is no GUID."""

    def __init__(self, service: BlobServiceClient, container: str = CONTAINER) -> None:
        self._container = service.get_container_client(container)

    async def store(self, run_id: str, ids: Sequence[str]) -> None:
        """Overwrites what an earlier try left."""
        content = "".join(f"{UUID(one)}\n" for one in ids).encode()
        async with preparing():
            with suppress(ResourceExistsError):
                await self._container.create_container()
            await self._container.upload_blob(f"{run_id}/ids", content, overwrite=True)

    async def read(self, run_id: str, first: int, count: int) -> Sequence[str]:
        """Those from number `first` on."""
        if count <= 0:
            return ()
        async with reading():
            blob = await self._container.download_blob(f"{run_id}/ids", offset=first * LINE, length=count * LINE)
            content = await blob.readall()
        if len(content) != count * LINE:
            raise Retry(Reason.LEDGER_UNREACHABLE, "the list of ids is not whole")
        return content.decode().split()
