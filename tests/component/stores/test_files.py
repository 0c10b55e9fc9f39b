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
from shared.stores import files as module
from shared.stores.files import FilesUnavailableError, FileUnreadableError, SftpFiles, SftpPlace, read_host_key
from tests.component.stores.relay import Answers, relay_to


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


async def read(files: SftpFiles, name: str) -> list[str]:
    async with files.open(name) as lines:
        return [line async for line in lines]


async def use_lines(files: SftpFiles, use: Callable[[str], None]) -> None:
    async with files.open("a.csv") as lines:
        async for line in lines:
            use(line)


async def test_only_regular_files_are_listed_the_oldest_first(server: sftp.Sftp, files: SftpFiles) -> None:
    assert await files.list() == []
    write(server, "young.csv", b"12345", 1_700_000_200)
    write(server, "old b.csv", b"1", 1_700_000_100)
    write(server, "old a \u00fc.csv", b"", 1_700_000_100)
    (server.exports / "folder").mkdir()
    (server.exports / "link.csv").symlink_to("young.csv")
    listed = await files.list()
    assert [(file.name, file.size) for file in listed] == [("old a \u00fc.csv", 0), ("old b.csv", 1), ("young.csv", 5)]
    assert listed[2].modified_at == datetime.fromtimestamp(1_700_000_200, UTC)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a;b\r\nc;d\r\n", ["a;b", "c;d"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"\xef\xbb\xbfid;x\n\xc3\xbc\xe2\x80\xa8z;1\n", ["id;x", "\u00fc\u2028z;1"]),
        (b"a\x0bb\x85".replace(b"\x85", b"\xc2\x85") + b"\nlast\r", ["a\x0bb\x85", "last"]),
    ],
)
async def test_lines_come_without_their_ends(
    server: sftp.Sftp, files: SftpFiles, content: bytes, lines: list[str]
) -> None:
    write(server, "a.csv", content)
    assert await read(files, "a.csv") == lines


async def test_a_large_file_is_read_exactly_in_flat_memory(server: sftp.Sftp, files: SftpFiles) -> None:
    line = "\u00fc" * 40 + ";0123456789"
    write(server, "large.csv", (line + "\n").encode() * 120_000)
    tracemalloc.start()
    async with files.open("large.csv") as lines:
        count = 0
        async for found in lines:
            assert found == line
            count += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 120_000
    assert peak < 6_000_000


async def test_a_file_of_another_encoding_is_told_without_its_content(server: sftp.Sftp, files: SftpFiles) -> None:
    write(server, "latin.csv", b"id\nM\xfcller@example.com\n")
    with pytest.raises(FileUnreadableError, match=r"latin\.csv: not UTF-8") as raised:
        await read(files, "latin.csv")
    assert "ller" not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_a_line_without_end_is_not_collected_for_ever(server: sftp.Sftp, files: SftpFiles) -> None:
    write(server, "blob.csv", b"id\n" + b"x" * 3_000_000)
    with pytest.raises(FileUnreadableError, match="line 2 is longer"):
        await read(files, "blob.csv")


async def test_a_connection_lost_in_the_middle_is_told_and_the_next_read_works(
    server: sftp.Sftp, files: SftpFiles
) -> None:
    write(server, "a.csv", b"0123456789\n" * 200_000)
    server.faults.drop_after_bytes = 700_000
    seen: list[str] = []
    with pytest.raises(FilesUnavailableError, match=r"a\.csv: the connection failed"):
        await use_lines(files, seen.append)
    assert 0 < len(seen) < 200_000
    assert len(await read(files, "a.csv")) == 200_000


async def test_an_error_of_the_reader_passes_unchanged_and_closes_the_connection(
    server: sftp.Sftp, files: SftpFiles
) -> None:
    write(server, "a.csv", b"a\nb\n")

    def fail(_: str) -> None:
        raise OSError("the reader's own")

    with pytest.raises(OSError, match="the reader's own"):
        await use_lines(files, fail)
    assert await read(files, "a.csv") == ["a", "b"]


@pytest.mark.parametrize("name", ["", ".", "..", "../a.csv", "/etc/passwd", "sub/a.csv"])
async def test_names_outside_the_folder_are_refused(files: SftpFiles, name: str) -> None:
    with pytest.raises(ValueError, match="not a file name"):
        await read(files, name)


async def test_a_missing_file_and_a_missing_folder_are_named(
    server: sftp.Sftp, files: SftpFiles, keys: sftp.SftpKeys
) -> None:
    with pytest.raises(FilesUnavailableError, match=r"gone\.csv: no such file or folder"):
        await read(files, "gone.csv")
    elsewhere = SftpFiles.from_settings(url(server, "nowhere"), str(keys.client_key), keys.host_key_line)
    with pytest.raises(FilesUnavailableError, match="/nowhere: no such file or folder"):
        await elsewhere.list()


async def test_a_file_without_permission_is_named(server: sftp.Sftp, files: SftpFiles) -> None:
    write(server, "a.csv", b"a")
    server.faults.denied.add(f"/{sftp.EXPORTS}/a.csv")
    with pytest.raises(FilesUnavailableError, match=r"a\.csv: permission denied"):
        await read(files, "a.csv")


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_a_server_with_another_host_key_is_refused_with_the_remedy(
    server: sftp.Sftp, keys: sftp.SftpKeys, kind: str
) -> None:
    pinned = asyncssh.generate_private_key(kind).export_public_key().decode()
    files = SftpFiles.from_settings(url(server), str(keys.client_key), pinned)
    with pytest.raises(FilesUnavailableError, match="OPTOUT_SFTP_HOST_KEY") as raised:
        await files.list()
    assert raised.value.host == "127.0.0.1"
    assert raised.value.path == f"/{sftp.EXPORTS}"


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

        def silence(_: str) -> None:
            relay.answers = Answers.SWALLOW

        with pytest.raises(FilesUnavailableError, match="no answer in time"):
            await use_lines(files, silence)


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
