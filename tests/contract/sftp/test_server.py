"""Keys, the folder that nothing leaves, and the faults that tests may switch on."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, cast

import asyncssh
import pytest

from sandbox import sftp
from sandbox.sftp import EXPORTS, Sftp, SftpKeys


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> SftpKeys:
    return sftp.ensure_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def server(tmp_path: Path, keys: SftpKeys) -> AsyncIterator[Sftp]:
    (tmp_path / "outside.txt").write_text("secret")
    root = tmp_path / "root"
    running = await sftp.start(root, authorized_keys=keys.authorized_keys, host_key=keys.host_key)
    yield running
    await running.stop()


@pytest.fixture
async def client(server: Sftp, keys: SftpKeys) -> AsyncIterator[asyncssh.SFTPClient]:
    async with _connect(server, keys) as connection, connection.start_sftp_client() as session:
        yield session


def _connect(server: Sftp, keys: SftpKeys, **options: Any) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
    trusted = asyncssh.import_known_hosts(keys.known_hosts("127.0.0.1", server.port))
    settings = {"username": server.user, "client_keys": [str(keys.client_key)], "known_hosts": trusted, **options}
    return asyncssh.connect("127.0.0.1", server.port, config=None, agent_path=None, **settings)


async def _content(file: asyncssh.SFTPClientFile) -> bytes:
    return cast(bytes, await file.read())


async def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    first = sftp.ensure_keys(tmp_path)
    private = first.client_key.read_bytes()
    assert sftp.ensure_keys(tmp_path) == first
    assert first.client_key.read_bytes() == private
    assert [stat.S_IMODE(path.stat().st_mode) for path in (first.client_key, first.host_key)] == [0o600, 0o600]
    assert first.authorized_keys.read_text().startswith("ssh-rsa ")
    assert first.known_hosts("files.example.com", 22) == f"[files.example.com]:22 {first.host_key_line}"


async def test_the_exports_folder_is_there(client: asyncssh.SFTPClient) -> None:
    assert await client.isdir(EXPORTS)
    assert "d365_loads" in await client.listdir(".")


async def test_files_go_up_come_down_and_are_renamed(client: asyncssh.SFTPClient, server: Sftp) -> None:
    async with client.open(f"{EXPORTS}/a.csv.part", "wb") as file:
        await file.write(b"one\ntwo\n")
    await client.rename(f"{EXPORTS}/a.csv.part", f"{EXPORTS}/a.csv")
    assert (server.exports / "a.csv").read_bytes() == b"one\ntwo\n"
    async with client.open(f"/{EXPORTS}/a.csv", "rb") as file:
        assert await _content(file) == b"one\ntwo\n"


async def test_another_key_is_refused(server: Sftp, keys: SftpKeys, tmp_path: Path) -> None:
    stranger = sftp.ensure_keys(tmp_path / "stranger")
    with pytest.raises(asyncssh.PermissionDenied):
        async with _connect(server, keys, client_keys=[str(stranger.client_key)]):
            pass


async def test_another_user_is_refused(server: Sftp, keys: SftpKeys) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        async with _connect(server, keys, username="root"):
            pass


async def test_a_password_is_not_even_offered(server: Sftp, keys: SftpKeys) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        async with _connect(server, keys, client_keys=[], password="campaign"):
            pass


async def test_a_client_notices_another_server(server: Sftp, keys: SftpKeys, tmp_path: Path) -> None:
    impostor = sftp.ensure_keys(tmp_path / "impostor")
    trusted = asyncssh.import_known_hosts(impostor.known_hosts("127.0.0.1", server.port))
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        async with _connect(server, keys, known_hosts=trusted):
            pass


async def test_there_is_no_shell(server: Sftp, keys: SftpKeys) -> None:
    async with _connect(server, keys) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run("ls")


@pytest.mark.parametrize("path", ["../outside.txt", "/../outside.txt", f"{EXPORTS}/../../../outside.txt"])
async def test_dots_do_not_lead_out(client: asyncssh.SFTPClient, path: str) -> None:
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        await client.open(path, "rb")


async def test_links_do_not_lead_out(client: asyncssh.SFTPClient, server: Sftp) -> None:
    (server.root / "link.txt").symlink_to(server.root.parent / "outside.txt")
    (server.root / "up").symlink_to(server.root.parent)
    for path in ("link.txt", "up/outside.txt"):
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await client.open(path, "rb")
    with pytest.raises(asyncssh.SFTPPermissionDenied):
        await client.symlink("/etc/passwd", "mine")
    with pytest.raises(asyncssh.SFTPPermissionDenied):
        await client.link(f"{EXPORTS}", "mine")


async def test_the_connection_drops_after_so_many_bytes(client: asyncssh.SFTPClient, server: Sftp) -> None:
    (server.exports / "big.csv").write_bytes(b"x" * 400_000)
    server.faults.drop_after_bytes = 100_000
    with pytest.raises((asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost)):
        async with client.open(f"{EXPORTS}/big.csv", "rb") as file:
            await file.read()
    assert server.faults.drop_after_bytes is None


async def test_a_path_may_be_denied_and_allowed_again(client: asyncssh.SFTPClient, server: Sftp) -> None:
    (server.exports / "a.csv").write_bytes(b"x")
    server.faults.denied.add(f"/{EXPORTS}/a.csv")
    for path in (f"{EXPORTS}/a.csv", f"/{EXPORTS}/../exports/a.csv"):
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await client.open(path, "rb")
    server.faults.denied.clear()
    async with client.open(f"{EXPORTS}/a.csv", "rb") as file:
        assert await _content(file) == b"x"
