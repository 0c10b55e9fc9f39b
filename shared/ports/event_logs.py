"""What the event timer needs of log export files, beside the folder in which they are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from shared.domain.event_log import LogKind
from shared.domain.fact import Fact
from shared.domain.optout_file import BadRow


@dataclass(frozen=True)
class LogBatch:
    """Some lines of a log file, up to and with line `last_line`, counted from 1, the header's.

    `skipped`: rows of kinds that are not shown, or of a state that is no event. `strangers`: rows of profiles that
    do not come from Dynamics.
    """

    last_line: int
    facts: tuple[Fact, ...] = ()
    bad: tuple[BadRow, ...] = ()
    skipped: int = 0
    strangers: int = 0


class LogReader(Protocol):
    """The form of the log files. `version` changes with it."""

    @property
    def version(self) -> str:
        """A short text."""
        ...

    def kind_of(self, name: str) -> LogKind | None:
        """By the file's name; None: no log."""
        ...

    def read(self, kind: LogKind, pieces: AsyncIterator[bytes], after_line: int) -> AsyncGenerator[LogBatch, None]:
        """The lines after that one, the same lines always in the same batches. The iterator raises WrongFileError."""
        ...
