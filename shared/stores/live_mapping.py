"""The mapping in force, kept up to date from blob storage while the app runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from shared.domain.mapping import Mappings
from shared.errors import Outcome, Reason, Retry
from shared.mapping_file import MappingError
from shared.ports import Telemetry
from shared.stores.mapping_entry import UnreadableEntryError
from shared.stores.mappings import BlobMappings, Pointer

EVERY = timedelta(seconds=15)
# With EVERY it stays under the 30 s within which an applied version must be in force everywhere.
LOOK_TIMEOUT_S = 10.0


class LiveMapping:
    """Call it for the mapping in force; await `refresh` at the start of every piece of work.

    The store's version counts; without one, the shipped mapping. Once something was read, nothing that goes wrong
    takes it away: a version that cannot be read or does not parse is counted at each look and alarmed once, and the
    running one stays. `unreadable` is the reason under which content is alarmed.
    """

    def __init__(
        self,
        store: BlobMappings,
        shipped: Mappings,
        now: Callable[[], datetime],
        telemetry: Telemetry,
        *,
        unreadable: Reason = Reason.LEDGER_UNREACHABLE,
    ) -> None:
        self._store, self._shipped, self._now = store, shipped, now
        self._telemetry, self._unreadable = telemetry, unreadable
        self._mapping = shipped
        self._pointer: Pointer | None = None
        self._looked_at: datetime | None = None
        self._fault: str | None = None
        self._loaded = False
        self._lock = asyncio.Lock()

    def __call__(self) -> Mappings:
        """The mapping in force, as of the last look."""
        return self._mapping

    async def refresh(self) -> None:
        """Look at the store if the last look is 15 s old. Two pieces of work never wait for the same look.

        Raises Retry only while nothing has been read since the start: which mapping is in force is then not known.
        """
        if self._loaded and (self._is_fresh() or self._lock.locked()):
            return
        async with self._lock:
            if self._loaded and self._is_fresh():
                return
            self._looked_at = self._now()
            await self._look()

    def _is_fresh(self) -> bool:
        return self._looked_at is not None and self._now() - self._looked_at < EVERY

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await self._load()
        except (Outcome, TimeoutError, UnreadableEntryError, MappingError) as error:
            self._tell(error)
            if not self._loaded:
                raise Retry(Reason.LEDGER_UNREACHABLE, f"the mapping in force is not known: {_said(error)}") from error
        else:
            self._fault = None

    async def _load(self) -> None:
        if self._pointer is not None and self._fault is None and not await self._store.changed_from(self._pointer):
            return
        pointer = await self._store.pointer()
        if pointer is None and self._pointer is not None:
            raise UnreadableEntryError("the pointer to the version in force was removed")
        mapping = self._shipped if pointer is None else await self._read(pointer)
        self._mapping, self._pointer, self._loaded = mapping, pointer, True

    async def _read(self, pointer: Pointer) -> Mappings:
        entry = await self._store.read(pointer.blob)
        try:
            return entry.mappings()
        except MappingError:
            if self._loaded:
                raise
            await self._adopt_earlier()
            raise

    async def _adopt_earlier(self) -> None:
        """A start that finds a broken version in force takes the newest one that does, as those that run have."""
        async for entry in self._store.history():
            try:
                self._mapping = entry.mappings()
            except MappingError:
                continue
            self._loaded = True
            return

    def _tell(self, error: Exception) -> None:
        said = _said(error)
        self._telemetry.counted("mapping_not_read", running=self._mapping.version)
        if said != self._fault:
            reason = error.reason if isinstance(error, Outcome) else self._unreadable
            self._telemetry.alarm("mapping", reason, said)
        self._fault = said


def _said(error: Exception) -> str:
    """A mapping's text holds no personal data, but its findings are many lines: the first tells where."""
    return (str(error) or type(error).__name__).splitlines()[0]
