"""The opt-out folder in memory: a fake that passes the same conformance tests as the real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from shared.domain.optout_file import Folder, RemoteFile
from shared.stores.files.unavailable import FilesUnavailableError, check_same, checked_name

PIECE_BYTES = 64 * 1024


class MemoryFiles:
    """Implements `shared.ports.Files`. `contents` may be looked at and changed; a size is always the content's."""

    def __init__(self) -> None:
        self.contents: dict[tuple[Folder, str], tuple[bytes, datetime]] = {}

    def put(self, name: str, content: bytes, modified_at: datetime, folder: Folder = Folder.INBOX) -> None:
        """As Campaign writes one."""
        self.contents[folder, name] = (content, modified_at)

    async def list(self, folder: Folder = Folder.INBOX) -> Sequence[RemoteFile]:
        """Oldest first."""
        files = [self._file(*key) for key in self.contents if key[0] is folder]
        return sorted(files, key=lambda file: (file.modified_at, file.name))

    @asynccontextmanager
    async def open(self, file: RemoteFile) -> AsyncIterator[AsyncIterator[bytes]]:
        """Raises FilesUnavailableError, also from the iterator."""
        yield self._pieces(file)

    async def move(self, file: RemoteFile, target: Folder, name: str) -> None:
        """Over what is there; nothing happens if it is gone."""
        old, new = (file.folder, checked_name(file.name)), (target, checked_name(name))
        if old in self.contents:
            self.contents[new] = self.contents.pop(old)

    async def delete(self, file: RemoteFile) -> None:
        """Nothing happens if it is gone."""
        self.contents.pop((file.folder, checked_name(file.name)), None)

    def _file(self, folder: Folder, name: str) -> RemoteFile:
        content, modified_at = self.contents[folder, name]
        return RemoteFile(name, len(content), modified_at, folder)

    async def _pieces(self, file: RemoteFile) -> AsyncIterator[bytes]:
        key, place = (file.folder, checked_name(file.name)), f"memory:{file.folder}/{file.name}"
        if key not in self.contents:
            raise FilesUnavailableError(place, "no such file or folder")
        content, _ = self.contents[key]
        check_same(place, file, self._file(*key))
        for start in range(0, len(content), PIECE_BYTES):
            yield content[start : start + PIECE_BYTES]
