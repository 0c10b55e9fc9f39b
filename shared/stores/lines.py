"""Bytes, piece by piece, into lines of text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

LONGEST_LINE = 1024 * 1024


class NotTextError(ValueError):
    """The bytes are not UTF-8 text in lines; says where, never what."""


class LineSplitter:
    """Splits at LF only, as CSV does: other characters that Unicode counts as line ends may stand in a value.

    Holds at most one piece and one unfinished line, of up to 1 Mi characters.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._rest = ""
        self._lines = 0

    def feed(self, piece: bytes) -> Iterator[str]:
        """The lines that this piece completes, without LF or CR LF. Raises NotTextError."""
        yield from self._split(self._decode(piece, final=False))
        if len(self._rest) > LONGEST_LINE:
            raise NotTextError(f"line {self._lines + 1} is longer than {LONGEST_LINE} characters")

    def end(self) -> Iterator[str]:
        """The last line, if it has no line end. Raises NotTextError."""
        yield from self._split(self._decode(b"", final=True))
        if self._rest:
            yield self._rest.removesuffix("\r")

    def _decode(self, piece: bytes, *, final: bool) -> str:
        try:
            return self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            raise NotTextError(f"not UTF-8 text soon after line {self._lines}") from None

    def _split(self, text: str) -> Iterator[str]:
        *complete, self._rest = (self._rest + text).split("\n")
        self._lines += len(complete)
        for line in complete:
            yield line.removesuffix("\r")
