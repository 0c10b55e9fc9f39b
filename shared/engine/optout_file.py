"""The file timer's work: rows of Campaign's opt-out export that disagree with Dynamics become hints."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from shared.domain.change import Hint, RecordKey, Source, Why
from shared.engine.lanes import send_hints
from shared.engine.reading import read_rows
from shared.errors import Reason
from shared.flows import optout
from shared.ports import BadRow, ExportedRow, Ports, RemoteFile, WrongFileError

BATCH = 500  # rows compared with one or a few Dataverse reads, then noted as done
DONE, REFUSED = "done", "refused"
TEMPORARY = (".part", ".tmp", ".filepart")  # what uploading programs call a file that they are still writing


@dataclass
class Tally:
    """What one run did; `bad` holds at most the first few bad lines of each file."""

    files: int = 0
    rows: int = 0
    hints: int = 0
    bad_rows: int = 0
    bad: list[str] = field(default_factory=list)


async def run(ports: Ports, settle_s: float) -> Tally:
    """Every complete file once, oldest first; a run that broke off goes on at its last batch. Raises an Outcome."""
    tally = Tally()
    for file in await _complete(ports, settle_s):
        done = await ports.watermarks.read(_watermark(file))
        if done not in (DONE, REFUSED):
            await _read(ports, file, int(done or 0), tally)
    return tally


async def _complete(ports: Ports, settle_s: float) -> Sequence[RemoteFile]:
    """Files that look the same in two listings, `settle_s` apart: nobody writes to them any more."""
    before = {file.identity for file in await ports.files.list()}
    if not before:
        return []
    await ports.clock.sleep(settle_s)
    rested = [file for file in await ports.files.list() if file.identity in before]
    return [file for file in rested if not file.name.endswith(TEMPORARY)]


def _watermark(file: RemoteFile) -> str:
    return f"optout-file/{file.identity}"


async def _read(ports: Ports, file: RemoteFile, skip: int, tally: Tally) -> None:
    try:
        async with ports.files.open(file.name) as lines:
            async for rows in _batches(ports.read_export(lines)):
                if rows[-1].line > skip:
                    await _compare(ports, file, [row for row in rows if row.line > skip], tally)
                    await ports.watermarks.write(_watermark(file), str(rows[-1].line))
    except WrongFileError as error:
        ports.telemetry.alarm(file.name, Reason.WRONG_FILE, str(error))
        return await ports.watermarks.write(_watermark(file), REFUSED)
    tally.files += 1
    await ports.watermarks.write(_watermark(file), DONE)


async def _batches(rows: AsyncIterator[ExportedRow | BadRow]) -> AsyncIterator[list[ExportedRow | BadRow]]:
    batch: list[ExportedRow | BadRow] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _compare(ports: Ports, file: RemoteFile, rows: Sequence[ExportedRow | BadRow], tally: Tally) -> None:
    good = [row for row in rows if isinstance(row, ExportedRow)]
    mapping = ports.mappings().contact
    contacts = await read_rows(ports, mapping, [row.contact_id for row in good])
    differing = [
        row
        for row in good
        if (contact := contacts.get(row.contact_id)) is not None and optout.disagrees(mapping, contact, row.opted_out)
    ]
    await send_hints(ports, *(_hint(ports, file, row) for row in differing))
    bad = [f"{file.name}:{row.line}: {row.problem}" for row in rows if isinstance(row, BadRow)]
    tally.rows += len(rows)
    tally.hints += len(differing)
    tally.bad_rows += len(bad)
    tally.bad += bad[: max(0, 20 - len(tally.bad))]


def _hint(ports: Ports, file: RemoteFile, row: ExportedRow) -> Hint:
    """Named by file and contact, so that a batch read twice makes a duplicate."""
    name = hashlib.sha256(file.identity.encode()).hexdigest()[:16]
    key = RecordKey(ports.mappings().contact.table, row.contact_id)
    return Hint(f"file/{name}/{row.contact_id}", key, Why.OPTOUT, Source.FILE, ports.clock.now())
