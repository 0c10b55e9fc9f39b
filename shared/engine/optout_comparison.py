"""A checked file against Dynamics: rows that disagree become hints, with checkpoints in between."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

from shared.domain.change import Hint, RecordKey, Source, Why
from shared.domain.optout_file import ExportBatch, ExportedRow, FileRecord, FileState, RemoteFile
from shared.engine.lanes import send_hints
from shared.engine.reading import read_rows
from shared.flows import optout
from shared.ports import Ports

AT_ONCE = 8  # batches under way at the same time; a checkpoint follows
RUN_TIME = timedelta(seconds=150)  # well within host.json's functionTimeout: the next run goes on


async def compare(ports: Ports, record: FileRecord) -> FileRecord:
    """Go on after the record's line; the record as far as it came and was stored.

    A checkpoint is written when the hints of all rows before it are durable. Raises an Outcome, WrongFileError.
    """
    end = ports.clock.now() + RUN_TIME
    async with ports.files.open(record.file) as pieces:
        async for batches in _groups(ports.read_export(pieces, record.line)):
            hints = sum(await _all_of(ports, record.file, batches))
            record = replace(record, line=batches[-1].last_line, hints=record.hints + hints)
            await ports.file_ledger.put(record)
            if ports.clock.now() >= end:
                return record
    record = replace(record, state=FileState.COMPARED, finished_at=ports.clock.now())
    await ports.file_ledger.put(record)
    return record


async def _groups(batches: AsyncIterator[ExportBatch]) -> AsyncIterator[Sequence[ExportBatch]]:
    group: list[ExportBatch] = []
    async for batch in batches:
        group.append(batch)
        if len(group) == AT_ONCE:
            yield group
            group = []
    if group:
        yield group


async def _all_of(ports: Ports, file: RemoteFile, batches: Sequence[ExportBatch]) -> Sequence[int]:
    """Hints sent, a batch each. All have ended before the first failure is raised: none goes on unseen."""
    ended = await asyncio.gather(*(_one(ports, file, batch.rows) for batch in batches), return_exceptions=True)
    for result in ended:
        if isinstance(result, BaseException):
            raise result
    return [result for result in ended if isinstance(result, int)]


async def _one(ports: Ports, file: RemoteFile, rows: Sequence[ExportedRow]) -> int:
    mapping = ports.mappings().contact
    if not rows or not optout.hears_campaign(mapping):
        return 0
    contacts = await read_rows(ports, mapping, [row.contact_id for row in rows])
    differing = [
        row
        for row in rows
        if (contact := contacts.get(row.contact_id)) is not None and optout.disagrees(mapping, contact, row.opted_out)
    ]
    await send_hints(ports, *(_hint(ports, file, row) for row in differing))
    return len(differing)


def _hint(ports: Ports, file: RemoteFile, row: ExportedRow) -> Hint:
    """Named by file and contact, so that a batch read twice makes a duplicate."""
    name = hashlib.sha256(file.identity.encode()).hexdigest()[:16]
    return Hint(
        id=f"file/{name}/{row.contact_id}",
        record=RecordKey(ports.mappings().contact.table, row.contact_id),
        why=Why.OPTOUT,
        source=Source.FILE,
        first_seen=ports.clock.now(),
        origin=f"{file.name[:200]}:{row.line}",
    )
