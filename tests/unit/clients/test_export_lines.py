"""Lines out of bytes, however the bytes are cut."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.campaign import export_lines
from shared.clients.campaign.export_lines import LineSplitter, lines_of
from shared.domain.optout_file import WrongFileError


def split(pieces: list[bytes]) -> list[str]:
    splitter = LineSplitter()
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.end()


texts = st.text(st.characters(exclude_characters="\r\n\ufeff", exclude_categories=["Cs"]))


@given(st.lists(texts), st.booleans(), st.sampled_from(["\n", "\r\n"]), st.data())
def test_the_cuts_make_no_difference(content: list[str], mark: bool, end: str, data: st.DataObject) -> None:
    whole = (codecs.BOM_UTF8 if mark else b"") + "".join(line + end for line in content).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert split(pieces) == content


def test_a_last_line_without_end_counts() -> None:
    assert split([b"a\n", b"b"]) == ["a", "b"]
    assert split([]) == split([b""]) == []


@pytest.mark.parametrize("pieces", [[b"ok\n\xff"], [b"ok\n\xc3"], [b"ok\n\xe2\x82", b"\n"]])
def test_other_bytes_are_told_with_their_place_only(pieces: list[bytes]) -> None:
    with pytest.raises(WrongFileError, match="soon after line"):
        split(pieces)


def test_an_unfinished_line_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_lines, "LONGEST_LINE", 10)
    assert split([b"x" * 10, b"\n"]) == ["x" * 10]
    with pytest.raises(WrongFileError, match="line 2 is longer than 10"):
        split([b"a\n" + b"x" * 11])


async def read(content: bytes, piece: int = 7, encoding: str = "utf-8") -> list[str]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), piece):
            yield content[start : start + piece]

    return [line async for lines in lines_of(pieces(), encoding) for line in lines]


@pytest.mark.parametrize("piece", [1, 2, 3, 50, 10_000])
async def test_gzip_is_known_by_its_bytes_and_may_have_several_members(piece: int) -> None:
    packed = gzip.compress(b"a;b\nc") + gzip.compress(b";d\n")
    assert await read(packed, piece) == ["a;b", "c;d"]
    assert await read(b"\x1f;b\n", piece) == ["\x1f;b"]


@pytest.mark.parametrize("content", [b"", b"a"])
async def test_a_file_too_short_to_be_gzip_is_text(content: bytes) -> None:
    assert "".join(await read(content)) == content.decode()


@pytest.mark.parametrize("cut", [2, 5, 10, 15, 25])
async def test_half_a_gzip_is_told(cut: int) -> None:
    with pytest.raises(WrongFileError, match="ends in the middle"):
        await read(gzip.compress(b"externalId;blackList\n" * 9)[:cut])


async def test_damaged_gzip_is_told() -> None:
    packed = bytearray(gzip.compress(bytes(range(256)) * 9))
    packed[40:60] = bytes(20)
    with pytest.raises(WrongFileError, match="damaged"):
        await read(bytes(packed))


async def test_what_unpacks_to_very_much_is_unpacked_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_lines, "LONGEST_LINE", 10_000)
    monkeypatch.setattr(export_lines, "UNPACKED_BYTES", 20_000)
    with pytest.raises(WrongFileError, match="line 1 is longer"):
        await read(gzip.compress(b"x" * 50_000_000), 100_000)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
async def test_other_encodings(encoding: str) -> None:
    assert await read("M\u00fcller;1\r\n2".encode(encoding), 3, encoding) == ["M\u00fcller;1", "2"]
