"""What the `bridge optouts` commands find in the journal and in the file ledger."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TextIO

from shared.app import App
from shared.domain.journal import JournalEntry
from shared.domain.optout_file import FileRecord, Folder
from shared.stores.journal_line import UnreadableLineError, decode
from shared.stores.journal_proof import Proof, prove, stored_lines


@dataclass(frozen=True)
class Span:
    """Whole days of the journal, both ends included; None: open."""

    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Files:
    """The files that were seen, the newest last, and what the three folders hold in bytes."""

    records: Sequence[FileRecord]
    sizes: dict[str, int]


async def verify(app: App, anchor: str | None) -> Proof:
    """Raises Retry."""
    return await prove(app.archive, app.ports.clock.now(), anchor)


async def entries(app: App, span: Span, wanted: Callable[[JournalEntry], bool]) -> Sequence[JournalEntry]:
    """By time: chains of several workers interleave. Raises Retry."""
    found: list[JournalEntry] = []
    async for line in stored_lines(app.archive, span.since, span.until):
        with contextlib.suppress(UnreadableLineError):  # `verify` tells of those
            entry = decode(line).entry
            found += [entry] if wanted(entry) else []
    return sorted(found, key=lambda entry: entry.at)


async def export(app: App, span: Span, out: TextIO) -> int:
    """The lines as they are stored, so that their hashes can be checked elsewhere, too. Raises Retry."""
    count = 0
    async for line in stored_lines(app.archive, span.since, span.until):
        out.write(line.decode("utf-8", "replace") + "\n")
        count += 1
    return count


async def files(app: App) -> Files:
    """Raises an Outcome."""
    sizes = {
        folder.value or "inbox": sum([file.size for file in await app.ports.files.list(folder)]) for folder in Folder
    }
    return Files(await app.ports.file_ledger.all(), sizes)
