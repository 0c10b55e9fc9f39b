"""The opt-out folder over SFTP: what is listed, how it is read, and what is said when it cannot be."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import pytest

from sandbox import sftp
from shared.domain.optout_file import Folder, RemoteFile
from shared.stores.files import FilesUnavailableError
from shared.stores.files import sftp as module
from shared.stores.files.keys import read_host_key
from shared.stores.files.sftp import SftpFiles, SftpPlace
from tests.component.stores.relay import Answers, relay_to

A_FILE = RemoteFile("a.csv", 1, datetime.fromtimestamp(1_700_000_000, UTC))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> sftp.SftpKeys:
    return sftp.ensure_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def server(tmp_path: Path, keys: sftp.SftpKeys) -> AsyncIterator[sftp.Sftp]:
    running = await sftp.start(tmp_path / "root", authorized_keys=keys.authorized_keys, host_key=keys.host_key)
    yield running
    await running.stop()


def url(server: sftp.Sftp, folder: str = sftp.EXPORTS, port: int | None = None, user: str = sftp.USER) -> str:
    return f"sftp://{user}@127.0.0.1:{port or server.port}/{folder}"


@pytest.fixture
def files(server: sftp.Sftp, keys: sftp.SftpKeys) -> SftpFiles:
    return SftpFiles.from_settings(url(server), str(keys.client_key), keys.host_key_line)


def write(server: sftp.Sftp, name: str, content: bytes, modified: int = 1_700_000_000) -> None:
    path = server.exports / name
    path.write_bytes(content)
    os.utime(path, (modified, modified))


async def the(files: SftpFiles, name: str) -> RemoteFile:
    """As it is listed now."""
    return next(file for file in await files.list() if file.name == name)


async def read(files: SftpFiles, file: RemoteFile) -> bytes:
    async with files.open(file) as pieces:
        return b"".join([piece async for piece in pieces])


async def use(files: SftpFiles, file: RemoteFile, use_piece: Callable[[bytes], None]) -> None:
    async with files.open(file) as pieces:
        async for piece in pieces:
            use_piece(piece)


async def test_only_regular_files_are_listed(server: sftp.Sftp, files: SftpFiles) -> None:
    write(server, "a.csv", b"1")
    (server.exports / "folder").mkdir()
    (server.exports / "link.csv").symlink_to("a.csv")
    assert await files.list() == [A_FILE]


async def test_a_large_file_is_read_exactly_in_flat_memory(server: sftp.Sftp, files: SftpFiles) -> None:
    write(server, "large.csv", b"0123456789" * 2_000_000)
    file = await the(files, "large.csv")
    tracemalloc.start()
    sizes: list[int] = []
    await use(files, file, lambda piece: sizes.append(len(piece)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(sizes) == 20_000_000
    assert peak < 6_000_000


async def test_a_file_that_is_written_while_it_is_read_is_told_at_its_end(server: sftp.Sftp, files: SftpFiles) -> None:
    """As a half-uploaded one is, whose upload goes on."""
    write(server, "a.csv", b"x" * 1_000_000)
    file = await the(files, "a.csv")

    def go_on(_: bytes) -> None:
        with (server.exports / "a.csv").open("ab") as upload:
            upload.write(b"y" * 300_000)

    with pytest.raises(FilesUnavailableError, match=r"a\.csv: the file is not the one that was listed"):
        await use(files, file, go_on)
    with pytest.raises(FilesUnavailableError, match="not the one that was listed"):
        await read(files, file)
    assert len(await read(files, await the(files, "a.csv"))) > 1_000_000


async def test_a_connection_lost_in_the_middle_is_told_and_the_next_read_works(
    server: sftp.Sftp, files: SftpFiles
) -> None:
    write(server, "a.csv", b"0123456789\n" * 200_000)
    file = await the(files, "a.csv")
    server.faults.drop_after_bytes = 700_000
    seen: list[bytes] = []
    with pytest.raises(FilesUnavailableError, match=r"a\.csv: the connection failed"):
        await use(files, file, seen.append)
    assert 0 < sum(map(len, seen)) < 2_200_000
    assert len(await read(files, file)) == 2_200_000


async def test_an_error_of_the_reader_passes_unchanged_and_closes_the_connection(
    server: sftp.Sftp, files: SftpFiles
) -> None:
    write(server, "a.csv", b"a\nb\n")

    def fail(_: bytes) -> None:
        raise OSError("the reader's own")

    with pytest.raises(OSError, match="the reader's own"):
        await use(files, await the(files, "a.csv"), fail)
    assert await read(files, await the(files, "a.csv")) == b"a\nb\n"


async def test_a_missing_file_and_a_missing_folder_are_named(
    server: sftp.Sftp, files: SftpFiles, keys: sftp.SftpKeys
) -> None:
    with pytest.raises(FilesUnavailableError, match=r"gone\.csv: no such file or folder"):
        await read(files, replace(A_FILE, name="gone.csv"))
    elsewhere = SftpFiles.from_settings(url(server, "nowhere"), str(keys.client_key), keys.host_key_line)
    with pytest.raises(FilesUnavailableError, match="/nowhere: no such file or folder"):
        await elsewhere.list()


async def test_a_file_without_permission_is_named(server: sftp.Sftp, files: SftpFiles) -> None:
    write(server, "a.csv", b"a")
    server.faults.denied.add(f"/{sftp.EXPORTS}/a.csv")
    for call in (read(files, A_FILE), files.move(A_FILE, Folder.ARCHIVE, "b.csv"), files.delete(A_FILE)):
        with pytest.raises(FilesUnavailableError, match=r"a\.csv: permission denied"):
            await call
    assert (server.exports / "a.csv").read_bytes() == b"a"


async def test_a_folder_that_may_not_be_made_is_named(server: sftp.Sftp, files: SftpFiles) -> None:
    write(server, "a.csv", b"a")
    server.faults.denied.add(f"/{sftp.EXPORTS}/archive")
    with pytest.raises(FilesUnavailableError, match="exports/archive: permission denied"):
        await files.move(A_FILE, Folder.ARCHIVE, "a.csv")
    assert [file.name for file in await files.list()] == ["a.csv"]


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_a_server_with_another_host_key_is_refused_with_the_remedy(
    server: sftp.Sftp, keys: sftp.SftpKeys, kind: str
) -> None:
    pinned = asyncssh.generate_private_key(kind).export_public_key().decode()
    files = SftpFiles.from_settings(url(server), str(keys.client_key), pinned)
    with pytest.raises(FilesUnavailableError, match="OPTOUT_SFTP_HOST_KEY") as raised:
        await files.list()
    assert raised.value.place == f"sftp://127.0.0.1/{sftp.EXPORTS}"


@pytest.mark.parametrize("user", [sftp.USER, "nobody"])
async def test_a_refused_login_says_what_to_check(server: sftp.Sftp, keys: sftp.SftpKeys, user: str) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    files = SftpFiles.from_settings(url(server, user=user), stranger, keys.host_key_line)
    with pytest.raises(FilesUnavailableError, match="refuses the login"):
        await files.list()


async def test_a_server_that_is_down_or_silent_is_told_in_time(
    server: sftp.Sftp, keys: sftp.SftpKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 0.3)
    down = SftpFiles.from_settings(url(server, port=9), str(keys.client_key), keys.host_key_line)
    with pytest.raises(FilesUnavailableError, match="the connection failed"):
        await down.list()
    async with relay_to(server.port) as relay:
        relay.answers = Answers.SWALLOW
        silent = SftpFiles.from_settings(url(server, port=relay.port), str(keys.client_key), keys.host_key_line)
        with pytest.raises(FilesUnavailableError):
            await silent.list()


async def test_a_server_that_falls_silent_while_reading_is_told_in_time(
    server: sftp.Sftp, keys: sftp.SftpKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALL_TIMEOUT_S", 0.5)
    write(server, "a.csv", b"0123456789\n" * 200_000)
    async with relay_to(server.port) as relay:
        files = SftpFiles.from_settings(url(server, port=relay.port), str(keys.client_key), keys.host_key_line)

        file = await the(files, "a.csv")

        def silence(_: bytes) -> None:
            relay.answers = Answers.SWALLOW

        with pytest.raises(FilesUnavailableError, match="no answer in time"):
            await use(files, file, silence)


async def test_the_host_key_may_be_in_a_file(server: sftp.Sftp, keys: sftp.SftpKeys, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(keys.known_hosts("127.0.0.1", server.port) + "\n")
    assert await SftpFiles.from_settings(url(server), str(keys.client_key), str(known_hosts)).list() == []


@pytest.mark.parametrize("form", ["{key}", "{key} a comment", "host {key}", "[host]:2222 {key} comment"])
async def test_the_host_key_may_be_written_in_any_usual_form(server: sftp.Sftp, keys: sftp.SftpKeys, form: str) -> None:
    line = form.format(key=" ".join(keys.host_key_line.split()[:2]))
    files = SftpFiles.from_settings(url(server), keys.client_key.read_text(), line)
    assert await files.list() == []


async def test_a_key_on_one_line_is_understood(server: sftp.Sftp, keys: sftp.SftpKeys) -> None:
    one_line = keys.client_key.read_text().replace("\n", "\\n")
    assert await SftpFiles.from_settings(url(server), one_line, keys.host_key_line).list() == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"url": "https://u@h/x"}, "sftp://USER@HOST:PORT/FOLDER"),
        ({"url": "sftp://h/x"}, "sftp://USER@HOST:PORT/FOLDER"),
        ({"url": "sftp://u:secret@h/x"}, "without a password"),
        ({"key": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"}, "not a private key"),
        ({"key": "/no/such/file"}, "file cannot be read"),
        ({"host_key": "/no/such/file"}, "neither a line nor a readable file"),
        ({"host_key": "SHA256 abc"}, "known_hosts line"),
    ],
)
def test_wrong_settings_say_which_and_keep_secrets(keys: sftp.SftpKeys, changed: dict[str, str], problem: str) -> None:
    settings = {"url": "sftp://u@h/x", "key": str(keys.client_key), "host_key": keys.host_key_line}
    with pytest.raises(ValueError, match=problem) as raised:
        SftpFiles.from_settings(**(settings | changed))
    assert "secret" not in str(raised.value)
    assert "AAAA\n" not in str(raised.value)


def test_the_place_is_read_from_the_address(keys: sftp.SftpKeys) -> None:
    place = SftpPlace.parse("sftp://us%40er@example.com/d365_loads/ex%20ports/")
    assert place == SftpPlace("example.com", 22, "us@er", "/d365_loads/ex ports")
    assert replace(place, port=2222) == SftpPlace.parse("sftp://us%40er@example.com:2222/d365_loads/ex%20ports")
    assert read_host_key(keys.host_key_line) == read_host_key(f"[example.com]:2222 {keys.host_key_line}")
