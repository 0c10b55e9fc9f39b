"""Lines out of bytes, however the bytes are cut."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.stores import lines
from shared.stores.lines import LineSplitter, NotTextError


def split(pieces: list[bytes]) -> list[str]:
    splitter = LineSplitter()
    return [line for piece in pieces for line in splitter.feed(piece)] + list(splitter.end())


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
    with pytest.raises(NotTextError, match="soon after line"):
        split(pieces)


def test_an_unfinished_line_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 10)
    assert split([b"x" * 10, b"\n"]) == ["x" * 10]
    with pytest.raises(NotTextError, match="line 2 is longer than 10"):
        split([b"a\n" + b"x" * 11])
