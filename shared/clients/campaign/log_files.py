"""Campaign's delivery and tracking logs as delimited text → facts. The contract is docs/flows/engagement.md."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from shared.clients.campaign.export_lines import lines_of
from shared.domain.event_log import DeliveryLog, LogForm, LogKind, TrackingLog
from shared.domain.fact import EmailEvent, Fact
from shared.domain.optout_file import BadRow, WrongFileError
from shared.ports import LogBatch

FACTS, LINES = 200, 5_000  # a batch ends with so many facts, as a message holds, or lines
_CONTACT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What a message of facts may carry (shared/wire.py), and of it what an id leaves for the log's and the event's names.
_TEXT_LIMIT, _ID_LIMIT = 300, 250


class LogFileReader:
    """Implements `shared.ports.LogReader`. Of the rows, only those of the `shown` kinds become facts."""

    def __init__(self, form: LogForm, shown: frozenset[EmailEvent]) -> None:
        self._form, self._shown = form, shown
        self.version = hashlib.sha256(repr(form).encode()).hexdigest()[:12]

    def kind_of(self, name: str) -> LogKind | None:
        """A name that fits both patterns is a delivery log's; the header decides whether it is right."""
        fits = (kind for kind in LogKind if fnmatchcase(name.lower(), self._form.columns(kind).files.lower()))
        return next(fits, None)

    async def read(
        self, kind: LogKind, pieces: AsyncIterator[bytes], after_line: int
    ) -> AsyncGenerator[LogBatch, None]:
        """Raises WrongFileError where the header does not do, or the bytes are no text."""
        rows: _Rows | None = None
        number, found = 0, _Found(max(1, after_line))
        async for number, line in _numbered(lines_of(pieces, self._form.encoding)):
            if rows is None:
                rows = _Rows(self._form, kind, line)
            elif number > found.after_line:
                self._sort(found, number, rows, line)
                if len(found.facts) == FACTS or number - found.after_line == LINES:
                    yield found.batch(number)
                    found = _Found(number)
        if rows is None:
            raise WrongFileError("the file is empty, not even a header")
        if number > found.after_line:
            yield found.batch(number)

    def _sort(self, found: _Found, number: int, rows: _Rows, line: str) -> None:
        if not line.strip():
            return
        try:
            row = rows.cells(line)
            event = rows.event(row)
            if event is None or event not in self._shown:
                found.skipped += 1
            elif not _CONTACT_ID.fullmatch(row["contact"].lower()):
                found.strangers += 1
            else:
                found.facts.append(rows.fact(row, event))
        except ValueError as error:
            found.bad.append(BadRow(number, str(error)))


@dataclass
class _Found:
    """What the lines after that one hold so far."""

    after_line: int
    facts: list[Fact] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    skipped: int = 0
    strangers: int = 0

    def batch(self, last_line: int) -> LogBatch:
        return LogBatch(last_line, tuple(self.facts), tuple(self.bad), self.skipped, self.strangers)


class _Rows:
    """What the header says of the lines below it. Raises WrongFileError for a header that does not do."""

    def __init__(self, form: LogForm, kind: LogKind, header: str) -> None:
        self._form, self._kind, self._log = form, kind, form.columns(kind)
        names = _header(header, form.delimiter)
        needed = self._log.headers()
        if lacking := sorted({name for name in needed.values() if name not in names}):
            raise WrongFileError(f"the header of a {kind} lacks {', '.join(lacking)}; separated by {form.delimiter!r}")
        if twice := sorted({name for name in needed.values() if names.count(name) > 1}):
            raise WrongFileError(f"the header names {', '.join(twice)} twice")
        self._width = len(names)
        self._places = {part: names.index(name) for part, name in needed.items()}

    def cells(self, line: str) -> Mapping[str, str]:
        """By part. Raises ValueError; its text says what is wrong and no value."""
        cells = _split(line, self._form.delimiter)
        if len(cells) != self._width:
            raise ValueError(f"not {self._width} cells")
        return {part: cells[place].strip() for part, place in self._places.items()}

    def event(self, row: Mapping[str, str]) -> EmailEvent | None:
        """None: a state that is no event, as pending, ignored or a soft bounce. Raises ValueError."""
        match self._log:
            case DeliveryLog():
                return _of_delivery(self._log, self._filled(row, "status").lower(), row)
            case TrackingLog():
                opened = self._filled(row, "type").lower() in self._log.opened
                return EmailEvent.OPEN if opened else EmailEvent.CLICK

    def fact(self, row: Mapping[str, str], event: EmailEvent) -> Fact:
        """A row of the delivery log is first sent and may bounce later: two events of one id. Raises ValueError."""
        return Fact(
            id=f"{self._kind}/{self._filled(row, 'id', _ID_LIMIT)}/{event}",
            event=event,
            contact_id=row["contact"].lower(),
            campaign=self._short(row, "campaign"),
            delivery=self._filled(row, "delivery"),
            at=self._moment(self._filled(row, "at")),
            tracking_url=row["tracking_url"] or None if event is EmailEvent.CLICK else None,
            mirror_page_url=row.get("mirror_page_url") or None,
        )

    def _short(self, row: Mapping[str, str], part: str, limit: int = _TEXT_LIMIT) -> str:
        if len(row[part]) > limit:
            raise ValueError(f"{self._name(part)} is longer than {limit} characters")
        return row[part]

    def _filled(self, row: Mapping[str, str], part: str, limit: int = _TEXT_LIMIT) -> str:
        if not row[part]:
            raise ValueError(f"{self._name(part)} is empty")
        return self._short(row, part, limit)

    def _moment(self, text: str) -> datetime:
        form = self._form.time_format
        try:
            moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007 - the next line gives it a zone
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise ValueError(f"{self._name('at')} is not a time of the agreed format") from None

    def _name(self, part: str) -> str:
        return self._log.headers()[part]


def _of_delivery(log: DeliveryLog, status: str, row: Mapping[str, str]) -> EmailEvent | None:
    if status in log.sent:
        return EmailEvent.SEND
    is_hard = status in log.failed and row.get("bounce_type", "").lower() in log.hard
    return EmailEvent.BOUNCE if is_hard else None


async def _numbered(some_at_a_time: AsyncIterator[list[str]]) -> AsyncIterator[tuple[int, str]]:
    number = 0
    async for lines in some_at_a_time:
        for line in lines:
            number += 1
            yield number, line


def _header(line: str, delimiter: str) -> list[str]:
    try:
        return _split(line, delimiter)
    except ValueError as error:
        raise WrongFileError(f"the header cannot be read: {error}") from None


def _split(line: str, delimiter: str) -> list[str]:
    """Raises ValueError."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        raise ValueError("its quotes do not match") from None
