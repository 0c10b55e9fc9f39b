"""Campaign's opt-out export: delimited text → batches of rows. The contract is docs/flows/optout_file.md."""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter

from shared.clients.campaign.export_lines import lines_of
from shared.domain.optout_file import BadRow, ExportBatch, ExportedRow, ExportForm, WrongFileError
from shared.ports import ReadExport

BATCH = 500
ATTRIBUTE = re.compile(r"blackList(All|Email|Fax|Mobile|Phone|PostalMail|Pushnotification)?|ccpaOptOut")
MOST_KNOWN = 10_000
ALIAS = "denyList"  # what a later edition of Adobe's pages calls blackList
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def reader(form: ExportForm) -> ReadExport:
    """A reader of files of that form.

    It is given the file's bytes and the number of the last line that needs no reading any more (1: the header's), and
    raises WrongFileError where the whole file does not do.
    """

    def read(pieces: AsyncIterator[bytes], after_line: int = 1) -> AsyncIterator[ExportBatch]:
        return _batches(pieces, form, after_line)

    return read


async def _batches(pieces: AsyncIterator[bytes], form: ExportForm, after_line: int) -> AsyncIterator[ExportBatch]:
    table: _Table | None = None
    number = 0
    async for lines in lines_of(pieces, form.encoding):
        if table is None and lines:
            table = _Table(form, lines[0])
        skip = max(0, min(len(lines), max(1, after_line) - number))
        number += skip
        for start in range(skip, len(lines), BATCH):
            some = lines[start : start + BATCH]
            if table is not None:
                yield table.batch(number, some)
            number += len(some)
    if table is None:
        raise WrongFileError("the file is empty, not even a header")


class _Table:
    """What the header says of the rows below it. Raises WrongFileError for a header that does not do."""

    def __init__(self, form: ExportForm, header: str) -> None:
        names = _split(header, form.delimiter) or []
        attributes = _attributes(form, names)
        self._delimiter = form.delimiter
        self._width = len(names)
        self._key = names.index(form.key)
        self._flags = _Flags(form, attributes)
        self._time = names.index(form.time_column) if form.time_column else None
        self._time_format = form.time_format
        self._newest: datetime | None = None

    def batch(self, number: int, lines: Sequence[str]) -> ExportBatch:
        """The lines that follow line `number`. Empty ones are neither rows nor bad."""
        rows, bad, strangers = list[ExportedRow](), list[BadRow](), 0
        for number, line in enumerate(lines, number + 1):  # noqa: B020 - it goes on from there
            row = self._row(number, line)
            if isinstance(row, ExportedRow):
                rows.append(row)
            elif row is not None:
                bad.append(BadRow(number, row))
            elif line and not line.isspace():
                strangers += 1
        return ExportBatch(number, rows, bad, strangers, self._newest)

    def _row(self, number: int, line: str) -> ExportedRow | str | None:
        """A text is what is wrong with the row. None: it is empty, or another source's."""
        cells = line.split(self._delimiter) if '"' not in line else _split(line, self._delimiter)
        if cells is None or len(cells) != self._width:
            return f"not {self._width} cells" if line.strip() else None
        key = cells[self._key].lower()
        if not GUID.fullmatch(key) and not GUID.fullmatch(key := key.strip()):
            return None
        flags = self._flags.read(cells)
        if isinstance(flags, str):
            return flags
        if self._time is not None and not self._note_time(cells[self._time].strip()):
            return "not a time of the agreed format"
        return ExportedRow(number, key, flags)

    def _note_time(self, text: str) -> bool:
        """An empty time is none, as where a profile's flags were never set."""
        if not text:
            return True
        try:
            at = datetime.strptime(text, self._time_format) if self._time_format else datetime.fromisoformat(text)  # noqa: DTZ007 - the next line gives it a zone
        except ValueError:
            return False
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        self._newest = at if self._newest is None else max(self._newest, at)
        return True


class _Flags:
    """A row's opt-outs. Few combinations of words occur in a file, so each is understood once."""

    def __init__(self, form: ExportForm, attributes: Mapping[int, str]) -> None:
        self._words = {**dict.fromkeys(form.true, True), **dict.fromkeys(form.false, False)}
        self._names = list(attributes.values())
        self._pick = _picker(list(attributes))
        self._known: dict[tuple[str, ...], Mapping[str, bool]] = {}

    def read(self, cells: Sequence[str]) -> Mapping[str, bool] | str:
        """By attribute, or what is wrong."""
        words = self._pick(cells)
        known = self._known.get(words)
        return self._understand(words) if known is None else known

    def _understand(self, words: tuple[str, ...]) -> Mapping[str, bool] | str:
        values = [self._words.get(word.strip().lower()) for word in words]
        found = {name: value for name, value in zip(self._names, values, strict=True) if value is not None}
        if len(found) < len(values):
            wrong = [name for name, value in zip(self._names, values, strict=True) if value is None]
            return f"not a boolean: {', '.join(wrong)}"
        if len(self._known) < MOST_KNOWN:
            self._known[words] = found
        return found


def _picker(columns: Sequence[int]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    if len(columns) > 1:
        return itemgetter(*columns)
    (only,) = columns
    return lambda cells: (cells[only],)


def _attributes(form: ExportForm, names: Sequence[str]) -> dict[int, str]:
    """Which column says which opt-out. Raises WrongFileError."""
    if len(set(names)) < len(names):
        raise WrongFileError("the header names a column twice")
    needed = [form.key, *form.columns, *filter(None, [form.time_column])]
    if lacking := [name for name in needed if name not in names]:
        raise WrongFileError(f"the header lacks {', '.join(lacking)}; the delimiter is {form.delimiter!r}")
    found = {place: name for place, header in enumerate(names) if (name := _attribute(form, header)) is not None}
    if not found:
        raise WrongFileError(f"the header must name at least one opt-out, separated by {form.delimiter!r}")
    if len(set(found.values())) < len(found):
        raise WrongFileError("two columns of the header are the same opt-out")
    return found


def _attribute(form: ExportForm, header: str) -> str | None:
    if form.columns:
        return form.columns.get(header)
    name = header.replace(ALIAS, "blackList", 1) if header.startswith(ALIAS) else header
    return name if ATTRIBUTE.fullmatch(name) else None


def _split(line: str, delimiter: str) -> list[str] | None:
    """With quotes heeded; None: they do not match."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return None
