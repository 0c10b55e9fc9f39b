"""An export's bytes, piece by piece, into lines of text: unpacked if they are gzip, and decoded."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import AsyncIterator, Iterator

from shared.domain.optout_file import WrongFileError

LONGEST_LINE = 1024 * 1024
UNPACKED_BYTES = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def lines_of(pieces: AsyncIterator[bytes], encoding: str) -> AsyncIterator[list[str]]:
    """Some lines at a time, without their ends (LF or CR LF). Raises WrongFileError."""
    splitter = LineSplitter(encoding)
    async for plain in _unpacked(pieces):
        yield splitter.feed(plain)
    yield splitter.end()


async def _unpacked(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """As they are, or unpacked where the first bytes are gzip's."""
    unpacker: Gunzip | None = None
    first = b""
    async for piece in pieces:
        if unpacker is None and len(first) < len(GZIP_MAGIC):
            first += piece
            if len(first) < len(GZIP_MAGIC):
                continue
            piece = first
            unpacker = Gunzip() if first.startswith(GZIP_MAGIC) else None
        for plain in [piece] if unpacker is None else unpacker.feed(piece):
            yield plain
    if len(first) < len(GZIP_MAGIC):
        yield first
    if unpacker is not None:
        unpacker.end()


class Gunzip:
    """Unpacks gzip, also several members one after the other, at most `UNPACKED_BYTES` at a time."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._begun = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Raises WrongFileError."""
        while piece:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_WINDOW)
            self._begun = True
            try:
                yield self._member.decompress(piece, UNPACKED_BYTES)
            except zlib.error:
                raise WrongFileError("the gzip data is damaged") from None
            piece = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def end(self) -> None:
        """Raises WrongFileError if the last member is not whole."""
        if not self._begun or not self._member.eof:
            raise WrongFileError("the gzip data ends in the middle: the upload was broken off")


class LineSplitter:
    """Splits at LF only: other characters that Unicode counts as line ends may stand in a value.

    Holds at most one piece and one unfinished line, of up to 1 Mi characters. A byte order mark is dropped.
    """

    def __init__(self, encoding: str = "utf-8") -> None:
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._rest = ""
        self._lines = 0
        self._begun = False

    def feed(self, piece: bytes) -> list[str]:
        """The lines that this piece completes. Raises WrongFileError."""
        complete = self._split(self._decode(piece, final=False))
        if len(self._rest) > LONGEST_LINE:
            raise WrongFileError(f"line {self._lines + 1} is longer than {LONGEST_LINE} characters")
        return complete

    def end(self) -> list[str]:
        """The last line, if it has no line end. Raises WrongFileError."""
        complete = self._split(self._decode(b"", final=True))
        return [*complete, self._rest.removesuffix("\r")] if self._rest else complete

    def _decode(self, piece: bytes, *, final: bool) -> str:
        try:
            text = self._decoder.decode(piece, final)
        except UnicodeError:
            raise WrongFileError(f"not {self._encoding} text soon after line {self._lines}") from None
        if text and not self._begun:
            self._begun = True
            return text.removeprefix("\ufeff")
        return text

    def _split(self, text: str) -> list[str]:
        whole = self._rest + text
        if "\r" in whole:
            whole = whole.replace("\r\n", "\n")
        *complete, self._rest = whole.split("\n")
        self._lines += len(complete)
        return complete
