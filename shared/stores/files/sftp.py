"""The opt-out folder over SFTP, with a key and a pinned host key."""

from __future__ import annotations

import asyncio
import os
import posixpath
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import asyncssh
from asyncssh.constants import DEFAULT_PORT, FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN

from shared.domain.optout_file import Folder, RemoteFile
from shared.stores.files.keys import read_host_key, read_private_key
from shared.stores.files.unavailable import CHUNK_BYTES, FilesUnavailableError, check_same, checked_name

Result = TypeVar("Result")
CONNECT_TIMEOUT_S = 15.0
CALL_TIMEOUT_S = 60.0
# A server that tells no types shows its files all the same; opening what is none fails by itself.
REGULAR = (FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN)

RENEW_HOST_KEY = "If the server's operator confirms a new key, set OPTOUT_SFTP_HOST_KEY to it"


@dataclass(frozen=True)
class SftpPlace:
    """Where the files are: `folder` is absolute on the server."""

    host: str
    port: int
    user: str
    folder: str

    @classmethod
    def parse(cls, url: str) -> SftpPlace:
        """From `sftp://USER@HOST:PORT/FOLDER`; the port may be left out. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme != "sftp" or not parts.hostname or not parts.username or parts.password:
            raise ValueError("the SFTP address must look like sftp://USER@HOST:PORT/FOLDER, without a password")
        folder = "/" + unquote(parts.path).strip("/")
        return cls(parts.hostname, parts.port or DEFAULT_PORT, unquote(parts.username), folder)


class SftpFiles:
    """Implements `shared.ports.Files`. Each call has its own connection, closed at its end whatever happens."""

    def __init__(self, place: SftpPlace, key: asyncssh.SSHKey, host_key: asyncssh.SSHKey) -> None:
        self._place = place
        self._key = key
        self._host_key = host_key

    @classmethod
    def from_settings(cls, url: str, key: str, host_key: str) -> SftpFiles:
        """`key`: the private key's text or the path of its file; `host_key`: as in a known_hosts line.

        Raises ValueError that says which of the three is wrong.
        """
        return cls(SftpPlace.parse(url), read_private_key(key), read_host_key(host_key))

    async def close(self) -> None:
        """No connection outlives its call."""

    async def list(self, folder: Folder = Folder.INBOX) -> Sequence[RemoteFile]:
        """Regular files, oldest first. Raises FilesUnavailableError."""
        path = self._folder(folder)
        async with self._connected(path) as sftp:
            if folder is not Folder.INBOX and not await self._call(path, lambda: _exists(sftp, path)):
                return []
            entries = await self._call(path, lambda: sftp.readdir(path))
        files = [
            self._remote_file(path, folder, os.fsdecode(entry.filename), entry.attrs)
            for entry in entries
            if entry.attrs.type in REGULAR
        ]
        return sorted(files, key=lambda file: (file.modified_at, file.name))

    @asynccontextmanager
    async def open(self, file: RemoteFile) -> AsyncIterator[AsyncIterator[bytes]]:
        """Piece by piece. Raises FilesUnavailableError, also from the iterator, and ValueError for a name with `/`."""
        path = self._path(file)
        async with self._connected(path) as sftp:
            handle = await self._call(path, lambda: sftp.open(path, "rb"))
            async with aclosing(self._pieces(path, file, handle)) as pieces:
                yield pieces

    async def move(self, file: RemoteFile, target: Folder, name: str) -> None:
        """A rename on the server. Raises FilesUnavailableError."""
        path, folder = self._path(file), self._folder(target)
        new_path = posixpath.join(folder, checked_name(name))
        async with self._connected(path) as sftp:
            await self._call(folder, lambda: sftp.makedirs(folder, exist_ok=True))
            if not await self._call(path, lambda: _exists(sftp, path)):
                return
            if await self._call(new_path, lambda: _exists(sftp, new_path)):
                await self._call(new_path, lambda: sftp.remove(new_path))
            await self._call(path, lambda: sftp.rename(path, new_path))

    async def delete(self, file: RemoteFile) -> None:
        """Raises FilesUnavailableError."""
        path = self._path(file)
        async with self._connected(path) as sftp:
            if await self._call(path, lambda: _exists(sftp, path)):
                await self._call(path, lambda: sftp.remove(path))

    def _folder(self, folder: Folder) -> str:
        return posixpath.join(self._place.folder, folder) if folder else self._place.folder

    def _path(self, file: RemoteFile) -> str:
        return posixpath.join(self._folder(file.folder), checked_name(file.name))

    def _remote_file(self, path: str, folder: Folder, name: str, attrs: asyncssh.SFTPAttrs) -> RemoteFile:
        if attrs.size is None or attrs.mtime is None:
            raise self._unavailable(path, "the server tells no size or no time")
        return RemoteFile(name, attrs.size, datetime.fromtimestamp(int(attrs.mtime), UTC), folder)

    async def _pieces(
        self, path: str, file: RemoteFile, handle: asyncssh.SFTPClientFile
    ) -> AsyncGenerator[bytes, None]:
        """Looked at before and after: what is written meanwhile would be read in part, or not at all."""
        await self._check_same(path, file, handle)
        left = file.size
        while left >= 0 and (piece := await self._call(path, lambda: _read(handle))):
            left -= len(piece)
            yield piece
        await self._check_same(path, file, handle)

    async def _check_same(self, path: str, file: RemoteFile, handle: asyncssh.SFTPClientFile) -> None:
        attrs = await self._call(path, handle.stat)
        check_same(self._where(path), file, self._remote_file(path, file.folder, file.name, attrs))

    @asynccontextmanager
    async def _connected(self, path: str) -> AsyncIterator[asyncssh.SFTPClient]:
        connection = await self._call(path, self._connect)
        try:
            yield await self._call(path, connection.start_sftp_client)
        finally:
            connection.abort()  # nothing is left to say, and a dead peer would not answer a farewell
            await connection.wait_closed()

    async def _connect(self) -> asyncssh.SSHClientConnection:
        return await asyncssh.connect(
            self._place.host,
            self._place.port,
            username=self._place.user,
            client_keys=[self._key],
            known_hosts=([self._host_key], [], []),
            config=None,
            agent_path=None,
            preferred_auth="publickey",
            connect_timeout=CONNECT_TIMEOUT_S,
            login_timeout=CONNECT_TIMEOUT_S,
        )

    async def _call(self, path: str, call: Callable[[], Awaitable[Result]]) -> Result:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await call()
        except (asyncssh.Error, OSError) as error:
            raise self._unavailable(path, _problem(error)) from error

    def _unavailable(self, path: str, problem: str) -> FilesUnavailableError:
        return FilesUnavailableError(self._where(path), problem)

    def _where(self, path: str) -> str:
        return f"sftp://{self._place.host}{path}"


async def _exists(sftp: asyncssh.SFTPClient, path: str) -> bool:
    """The library's own question takes a path that it may not look at for one that is not there."""
    try:
        await sftp.stat(path)
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return False
    return True


async def _read(handle: asyncssh.SFTPClientFile) -> bytes:
    piece: bytes = await handle.read(CHUNK_BYTES)
    return piece


def _problem(error: Exception) -> str:
    match error:
        case asyncssh.HostKeyNotVerifiable():
            return f"its host key is not the pinned one. {RENEW_HOST_KEY}"
        case asyncssh.KeyExchangeFailed():
            return f"it offers no host key of the pinned one's type, or no cipher in common. {RENEW_HOST_KEY}"
        case asyncssh.PermissionDenied():
            return "it refuses the login: check the user, and that the key's public half is registered there"
        case asyncssh.SFTPNoSuchFile() | asyncssh.SFTPNoSuchPath():
            return "no such file or folder"
        case asyncssh.SFTPPermissionDenied():
            return "permission denied"
        case TimeoutError():
            return "no answer in time"
        case _:
            return f"the connection failed ({type(error).__name__})"
