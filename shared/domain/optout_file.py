"""Campaign's opt-out export as the bridge sees it: files, their form, their rows, and how far each one is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

_KEPT_NAME = re.compile(r"(\d{8}T\d{6}Z)\.(\d+)\.(.+)", re.DOTALL)


class Folder(StrEnum):
    """Where a file lies: the folder that Campaign writes to, or one of ours below it."""

    INBOX = ""
    ARCHIVE = "archive"
    QUARANTINE = "quarantine"


@dataclass(frozen=True)
class RemoteFile:
    """A file as listed. `size` in bytes; `modified_at` whole seconds, UTC."""

    name: str
    size: int
    modified_at: datetime
    folder: Folder = Folder.INBOX

    @property
    def identity(self) -> str:
        """The same file looks the same in two listings only while nobody writes to it."""
        return f"{self.name}|{self.size}|{int(self.modified_at.timestamp())}"

    @property
    def kept_name(self) -> str:
        """Its name in a folder of ours: files of equal names do not replace each other, and growth would show."""
        return f"{self.modified_at.astimezone(UTC):%Y%m%dT%H%M%SZ}.{self.size}.{self.name}"


class KeptName(NamedTuple):
    """What a name in one of our folders says of the file when it was moved there."""

    size: int
    name: str


def kept_name(name: str) -> KeptName | None:
    """The inverse of `RemoteFile.kept_name`; None for a name that is not of that form."""
    match = _KEPT_NAME.fullmatch(name)
    return KeptName(int(match[2]), match[3]) if match else None


class FileState(StrEnum):
    """How far a file is. From each of these it goes on, whatever breaks."""

    SEEN = "seen"
    CHECKED = "checked"
    COMPARED = "compared"
    ARCHIVED = "archived"
    REFUSED = "refused"
    QUARANTINED = "quarantined"


FINISHED = frozenset({FileState.COMPARED, FileState.ARCHIVED})
TO_BE_MOVED = {
    FileState.COMPARED: (Folder.ARCHIVE, FileState.ARCHIVED),
    FileState.REFUSED: (Folder.QUARANTINE, FileState.QUARANTINED),
}


@dataclass(frozen=True)
class FileRecord:
    """The file ledger's row. `line`: the last line compared. Counts of lines: `rows` usable, `strangers` not ours.

    `newest`: the latest time in the file's time column, where one is configured.
    """

    file: RemoteFile
    first_seen: datetime
    state: FileState = FileState.SEEN
    rows: int = 0
    strangers: int = 0
    bad_rows: int = 0
    newest: datetime | None = None
    line: int = 1
    hints: int = 0
    finished_at: datetime | None = None
    problem: str = ""


@dataclass(frozen=True)
class ExportForm:
    """What an export looks like. `columns`: header → attribute; empty: attributes go by their own names.

    `true`, `false`: lower-case words. `time_format`: for strptime; empty: ISO 8601. Times without a zone are UTC.
    """

    key: str = "externalId"
    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = ";"
    encoding: str = "utf-8"
    true: frozenset[str] = frozenset({"true", "1", "yes"})
    false: frozenset[str] = frozenset({"false", "0", "no"})
    time_column: str = ""
    time_format: str = ""


@dataclass(frozen=True)
class FilePolicy:
    """When a file is complete, refused, kept, late. Limits of 0 are none. `marker`: suffix of the file that says so."""

    settle_s: float = 600
    pattern: str = "*"
    marker: str = ""
    most_bad_percent: float = 5
    keep_days: float = 30
    quota_bytes: int = 0
    late_hours: float = 26
    unusual_factor: float = 10


class ExportedRow(NamedTuple):
    """A profile in the export. `line`: counted from 1, the header's. `opted_out`: by Campaign attribute."""

    line: int
    contact_id: str
    opted_out: Mapping[str, bool]


class BadRow(NamedTuple):
    """A line that cannot be read, and why; no value."""

    line: int
    problem: str


@dataclass(frozen=True)
class ExportBatch:
    """Some consecutive lines, up to `last_line`. `strangers`: rows whose key is no contact's id."""

    last_line: int
    rows: Sequence[ExportedRow]
    bad: Sequence[BadRow]
    strangers: int
    newest: datetime | None


class WrongFileError(ValueError):
    """The file is not an opt-out export of the agreed form; the text says what is wrong with it, and no value."""
