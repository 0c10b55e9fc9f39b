"""A real SFTP server over a folder, with the directory that the opt-out export goes to, and the keys for it."""

from __future__ import annotations

import functools
import logging
import os
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

EXPORTS = "d365_loads/exports"
USER = "campaign"
_CLIENT_KEY_BITS = 2048
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SftpKeys:
    """Paths of the key files, and the server's public key line (`ssh-ed25519 AAAA…`) for a known_hosts file."""

    host_key: Path
    client_key: Path
    authorized_keys: Path
    host_key_line: str

    def known_hosts(self, host: str, port: int) -> str:
        """Return the line by which a client recognises the server."""
        return f"[{host}]:{port} {self.host_key_line}"


def ensure_keys(state: Path) -> SftpKeys:
    """Return the keys kept in a folder, generated at the first call: the customer's is RSA 2048, as Adobe asks for."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    host_line = _ensure_key(state / "host_key", lambda: asyncssh.generate_private_key("ssh-ed25519"))
    client_line = _ensure_key(state / "client_key", _new_client_key)
    authorized = state / "authorized_keys"
    authorized.write_text(client_line + "\n")
    return SftpKeys(state / "host_key", state / "client_key", authorized, host_line)


def _new_client_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-rsa", key_size=_CLIENT_KEY_BITS)


def _ensure_key(path: Path, generate: Callable[[], asyncssh.SSHKey]) -> str:
    """Make a private key file unless it is there; return its public line."""
    if not path.exists():
        temporary = path.with_suffix(".new")
        temporary.touch(mode=0o600)
        generate().write_private_key(temporary)
        temporary.rename(path)
    return asyncssh.read_private_key(path).export_public_key().decode().strip()


@dataclass
class SftpFaults:
    """What tests may switch on: break the connection after so many bytes read in total, refuse paths (`/a/b.csv`)."""

    drop_after_bytes: int | None = None
    denied: set[str] = field(default_factory=set)


class _Login(asyncssh.SSHServer):
    """Knows one user, by key only."""

    def __init__(self, user: str, authorized_keys: Path) -> None:
        self._user, self._keys = user, authorized_keys

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        if username == self._user:
            self._connection.set_authorized_keys(str(self._keys))
        return True


class _Rooted(asyncssh.SFTPServer):
    """Files below one folder; a link that leads out of it is refused, and no link can be made."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], root: Path, faults: SftpFaults) -> None:
        super().__init__(channel, chroot=os.fsencode(root))
        self._root, self._faults = root.resolve(), faults

    def map_path(self, path: bytes) -> bytes:
        local = super().map_path(path)
        if not Path(os.fsdecode(local)).resolve().is_relative_to(self._root):
            raise asyncssh.SFTPPermissionDenied("the path leads out of the account's folder")
        if posixpath.normpath(posixpath.join("/", os.fsdecode(path))) in self._faults.denied:
            raise asyncssh.SFTPPermissionDenied("permission denied")
        return local

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:  # noqa: ARG002 - asyncssh names them
        raise asyncssh.SFTPPermissionDenied("links are not allowed")

    def link(self, oldpath: bytes, newpath: bytes) -> None:  # noqa: ARG002 - asyncssh names them
        raise asyncssh.SFTPPermissionDenied("links are not allowed")

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        data = super().read(file_obj, offset, size)
        assert isinstance(data, bytes)
        left = self._faults.drop_after_bytes
        if left is None:
            return data
        self._faults.drop_after_bytes = max(0, left - len(data))
        if left <= len(data):
            self._faults.drop_after_bytes = None
            self.connection.abort()
        return data[:left]


class Sftp:
    """A running server; `faults` may be changed at any time."""

    def __init__(self, root: Path, user: str) -> None:
        self.root, self.user = root, user
        self.faults = SftpFaults()
        self.port = 0
        self._acceptor: asyncssh.SSHAcceptor | None = None

    @property
    def exports(self) -> Path:
        """Return the local folder behind `d365_loads/exports`."""
        return self.root / EXPORTS

    async def listen(self, host: str, port: int, authorized_keys: Path, host_key: Path) -> None:
        """Create the folders and open the port."""
        self.exports.mkdir(parents=True, exist_ok=True)
        self._acceptor = await asyncssh.listen(
            host,
            port,
            server_factory=functools.partial(_Login, self.user, authorized_keys),
            server_host_keys=[str(host_key)],
            sftp_factory=functools.partial(_Rooted, root=self.root, faults=self.faults),
            allow_scp=False,
            password_auth=False,
            kbdint_auth=False,
            config=None,
        )
        self.port = self._acceptor.get_port()

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._acceptor:
            self._acceptor.close()
            await self._acceptor.wait_closed()


async def start(
    root: Path, *, authorized_keys: Path, host_key: Path, host: str = "127.0.0.1", port: int = 0, user: str = USER
) -> Sftp:
    """Serve a folder by SFTP, key authentication only; raises OSError if the port is taken."""
    server = Sftp(root, user)
    await server.listen(host, port, authorized_keys, host_key)
    return server
