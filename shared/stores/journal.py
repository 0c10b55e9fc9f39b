"""The opt-out journal on append blobs: one chain of hashes for each writer and day."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import StorageErrorCode
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient

from shared.domain.journal import JournalEntry
from shared.errors import Reason, Retry, Uncertain
from shared.stores.journal_line import Link, encode, hash_of
from shared.stores.storage_calls import error_code, writing

CONTAINER = "optout-journal"
ENTRIES = "entries/"
# Storage takes 50,000 blocks in one blob, and 4 MiB in one block.
MOST_BLOCKS = 40_000
BLOCK_BYTES = 1024 * 1024


class _Chain:
    """The blob that this process appends to, and where its end is. Nobody else ever writes to it."""

    def __init__(self, blob: BlobClient, name: str) -> None:
        self.blob = blob
        self.name = name
        self.size = 0
        self.blocks = 0
        self._lines = 0
        self._head = ""

    def lines(self, entries: Sequence[JournalEntry]) -> Iterator[bytes]:
        """The entries' lines, each linked to the one before."""
        for entry in entries:
            self._lines += 1
            line = encode(Link(self.name, self._lines, self._head, entry))
            self._head = hash_of(line)
            yield line + b"\n"


@dataclass(eq=False)
class _Waiting:
    """Entries that one caller waits for, and how their writing ended: None is well."""

    entries: Sequence[JournalEntry]
    ended: asyncio.Future[Retry | None]


class BlobJournal:
    """Implements `shared.ports.Journal`. What waits at the same moment is appended in one call.

    A chain has one writer, so no append races with another; after any failure the chain is left as it is and the next
    entries begin a new one. A late or repeated append can so double an entry, but never break a chain.
    """

    def __init__(self, service: BlobServiceClient, now: Callable[[], datetime], random: Random) -> None:
        self._container = service.get_container_client(CONTAINER)
        self._now = now
        self._random = random
        self._waiting: list[_Waiting] = []
        self._chain: _Chain | None = None
        self._lock = asyncio.Lock()

    async def append(self, entries: Sequence[JournalEntry]) -> None:
        """Raises Retry, Uncertain."""
        mine = _Waiting(entries, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        try:
            async with self._lock:
                if mine in self._waiting:
                    await self._append_waiting()
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)
        ended = await mine.ended
        if ended is not None:
            raise type(ended)(ended.reason, ended.detail)

    async def _append_waiting(self) -> None:
        """One call for all; each of them is told how it ended, also when this task is cancelled in the middle."""
        batch, self._waiting = self._waiting, []
        ended: Retry | None = Uncertain(Reason.JOURNAL_UNREACHABLE, "broken off")
        try:
            await self._write([entry for one in batch for entry in one.entries])
            ended = None
        except Retry as outcome:
            ended = outcome
        finally:
            for one in batch:
                if not one.ended.done():
                    one.ended.set_result(ended)

    async def _write(self, entries: Sequence[JournalEntry]) -> None:
        if not entries:
            return
        chain, self._chain = await self._current(), None
        for block in _blocks(chain.lines(entries)):
            await self._append(chain, block)
        self._chain = chain

    async def _current(self) -> _Chain:
        """This process's chain of today, or a new one."""
        prefix = f"{ENTRIES}{self._now().date().isoformat()}/"
        if self._chain is not None and self._chain.name.startswith(prefix) and self._chain.blocks < MOST_BLOCKS:
            return self._chain
        name = f"{prefix}{self._random.getrandbits(64):016x}.jsonl"
        chain = _Chain(self._container.get_blob_client(name), name)
        async with writing(Reason.JOURNAL_UNREACHABLE):
            await self._create(chain.blob)
        return chain

    async def _create(self, blob: BlobClient) -> None:
        """Never over a blob that is there: creating it again would empty it. Raises azure.core's errors."""
        try:
            await blob.create_append_blob(match_condition=MatchConditions.IfMissing)
        except ResourceNotFoundError as error:
            if error_code(error) != StorageErrorCode.CONTAINER_NOT_FOUND:
                raise
            await create_container(self._container)
            await blob.create_append_blob(match_condition=MatchConditions.IfMissing)

    async def _append(self, chain: _Chain, block: bytes) -> None:
        async with writing(Reason.JOURNAL_UNREACHABLE):
            try:
                await chain.blob.append_block(block, appendpos_condition=chain.size)
            except ResourceModifiedError:
                # The HTTP library repeats a PUT whose connection broke, so what is there may be this very block.
                properties = await chain.blob.get_blob_properties()
                if properties.size != chain.size + len(block):
                    raise Uncertain(Reason.JOURNAL_UNREACHABLE, "the chain's end is not where it was left") from None
        chain.size += len(block)
        chain.blocks += 1


async def create_container(container: ContainerClient) -> None:
    """Nothing happens if it is there."""
    with contextlib.suppress(ResourceExistsError):
        await container.create_container()


def _blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines, together up to a block's size."""
    block = bytearray()
    for line in lines:
        if block and len(block) + len(line) > BLOCK_BYTES:
            yield bytes(block)
            block.clear()
        block += line
    yield bytes(block)
