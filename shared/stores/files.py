"""The folder of Campaign's opt-out exports, over SFTP with a key and a pinned host key."""

from __future__ import annotations

import asyncio
import os
import posixpath
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import asyncssh
from asyncssh.constants import DEFAULT_PORT, FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN

from shared.errors import Reason, Retry
from shared.ports import RemoteFile, WrongFileError
from shared.stores.lines import LineSplitter, NotTextError

Result = TypeVar("Result")
CONNECT_TIMEOUT_S = 15.0
CALL_TIMEOUT_S = 60.0
CHUNK_BYTES = 256 * 1024
# A server that tells no types shows its files all the same; opening what is none fails by itself.
REGULAR = (FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN)

RENEW_HOST_KEY = "If the server's operator confirms a new key, set OPTOUT_SFTP_HOST_KEY to it"


class FilesUnavailableError(Retry):
    """The file server, the folder or a file could not be reached or read. The text names host, path and remedy."""

    def __init__(self, host: str, path: str, problem: str) -> None:
        super().__init__(Reason.FILES_UNREACHABLE, f"sftp://{host}{path}: {problem}")
        self.host = host
        self.path = path


class FileUnreadableError(WrongFileError):
    """A file's bytes are not UTF-8 text in lines. The text names host, path and position, never content."""


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

    async def list(self) -> Sequence[RemoteFile]:
        """Regular files, oldest first. Raises FilesUnavailableError."""
        folder = self._place.folder
        async with self._connected(folder) as sftp:
            entries = await self._call(folder, lambda: sftp.readdir(folder))
        files = [self._remote_file(entry) for entry in entries if entry.attrs.type in REGULAR]
        return sorted(files, key=lambda file: (file.modified_at, file.name))

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[AsyncIterator[str]]:
        """Lines without their ends (LF or CR LF), read piece by piece; a byte order mark is dropped.

        Raises FilesUnavailableError, also from the iterator; there also FileUnreadableError. Raises ValueError for a
        name that is not one of this folder.
        """
        if name in ("", ".", "..") or "/" in name:
            raise ValueError(f"not a file name: {name!r}")
        path = posixpath.join(self._place.folder, name)
        async with self._connected(path) as sftp:
            file = await self._call(path, lambda: sftp.open(path, "rb"))
            async with aclosing(self._lines(path, file)) as lines:
                yield lines

    def _remote_file(self, entry: asyncssh.SFTPName) -> RemoteFile:
        size, modified = entry.attrs.size, entry.attrs.mtime
        if size is None or modified is None:
            raise FilesUnavailableError(self._place.host, self._place.folder, "the server tells no size or no time")
        return RemoteFile(os.fsdecode(entry.filename), size, datetime.fromtimestamp(int(modified), UTC))

    async def _lines(self, path: str, file: asyncssh.SFTPClientFile) -> AsyncGenerator[str, None]:
        splitter = LineSplitter()
        try:
            while chunk := await self._call(path, lambda: _read(file)):
                for line in splitter.feed(chunk):
                    yield line
            for line in splitter.end():
                yield line
        except NotTextError as error:
            raise FileUnreadableError(f"sftp://{self._place.host}{path}: {error}") from None

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
            raise FilesUnavailableError(self._place.host, path, _problem(error)) from error


def read_private_key(text_or_path: str) -> asyncssh.SSHKey:
    """From the key's text (PEM or OpenSSH, without passphrase) or the path of its file. Raises ValueError."""
    try:
        if text_or_path.lstrip().startswith("-----BEGIN"):
            # Where a setting must be one line, the line ends are written as two characters.
            return asyncssh.import_private_key(text_or_path.replace("\\n", "\n"))
        return asyncssh.read_private_key(Path(text_or_path))
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise ValueError("the SFTP key is not a private key without passphrase") from None
    except OSError as error:
        raise ValueError(f"the SFTP key's file cannot be read: {error.strerror}") from None


def read_host_key(line_or_path: str) -> asyncssh.SSHKey:
    """From `HOST TYPE KEY` (the host may be left out), or the path of a file with such a line. Raises ValueError."""
    words = _host_key_line(line_or_path).split()
    for position in range(len(words) - 1):
        try:
            return asyncssh.import_public_key(" ".join(words[position : position + 2]))
        except asyncssh.KeyImportError:
            continue
    raise ValueError("the SFTP host key is not a known_hosts line (HOST ssh-ed25519 AAAA…)")


def _host_key_line(line_or_path: str) -> str:
    if len(line_or_path.split()) > 1:
        return line_or_path
    try:
        return Path(line_or_path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"the SFTP host key is neither a line nor a readable file: {error.strerror}") from None


async def _read(file: asyncssh.SFTPClientFile) -> bytes:
    piece: bytes = await file.read(CHUNK_BYTES)
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
