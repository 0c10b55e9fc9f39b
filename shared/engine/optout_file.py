"""The file timer's work: each complete file of Campaign's opt-out export is checked, compared, and put away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from statistics import median

from shared.domain.optout_file import (
    FINISHED,
    BadRow,
    FilePolicy,
    FileRecord,
    FileState,
    RemoteFile,
    WrongFileError,
)
from shared.engine import optout_folder
from shared.engine.optout_comparison import compare
from shared.errors import Outcome, Reason
from shared.ports import Ports

TEMPORARY = (".part", ".tmp", ".filepart")  # what uploading programs call a file that they are still writing
MOST_WAIT_S = 30  # a file that must rest for longer is left to the next run
FREE_BAD_ROWS = 10  # so many never condemn a file, however short it is
SHOWN_BAD_ROWS = 20
FEWEST_FILES, MOST_FILES = 5, 14  # what is usual is said by the last files, once there are some
FEWEST_ROWS = 1000  # below this a file may be of any length


@dataclass
class Tally:
    """What one run did; `bad` holds at most the first few bad lines of each file."""

    files: int = 0
    rows: int = 0
    hints: int = 0
    bad_rows: int = 0
    bad: list[str] = field(default_factory=list)


async def run(ports: Ports, policy: FilePolicy) -> Tally:
    """Every complete file once, the oldest first; a run that broke off goes on at its last checkpoint.

    A file that cannot be reached or read holds up no other. Raises an Outcome, also that of such a file.
    """
    tally = Tally()
    await optout_folder.tell_if_late(ports, policy)
    trouble: Outcome | None = None
    for record in await _complete(ports, policy):
        try:
            await _work(ports, policy, record, tally)
        except Outcome as outcome:
            if outcome.reason is not Reason.FILES_UNREACHABLE:
                raise
            trouble = outcome
    await optout_folder.tidy(ports, policy)
    if trouble is not None:
        raise trouble
    return tally


async def _complete(ports: Ports, policy: FilePolicy) -> Sequence[FileRecord]:
    """Files that nobody writes to any more: they have rested, or their marker is there."""
    listed = await ports.files.list()
    records = [await _noted(ports, file) for file in listed if _is_export(policy, file)]
    if policy.marker:
        names = {file.name for file in listed}
        return [record for record in records if record.file.name + policy.marker in names or _is_under_way(record)]
    wait_s = max((w for record in records if (w := _rest_s(ports, policy, record)) <= MOST_WAIT_S), default=0)
    if wait_s > 0:
        await ports.clock.sleep(wait_s)
        still = {file.identity for file in await ports.files.list()}
        records = [record for record in records if record.file.identity in still]
    return [record for record in records if _rest_s(ports, policy, record) <= 0]


def _is_export(policy: FilePolicy, file: RemoteFile) -> bool:
    mark = policy.marker and file.name.endswith(policy.marker)
    return not mark and not file.name.endswith(TEMPORARY) and fnmatchcase(file.name, policy.pattern)


def _is_under_way(record: FileRecord) -> bool:
    return record.state is not FileState.SEEN


def _rest_s(ports: Ports, policy: FilePolicy, record: FileRecord) -> float:
    """How much longer it must look as it does."""
    if _is_under_way(record):
        return 0
    return policy.settle_s - (ports.clock.now() - record.first_seen).total_seconds()


async def _noted(ports: Ports, file: RemoteFile) -> FileRecord:
    record = await ports.file_ledger.get(file)
    if record is None:
        record = FileRecord(file, first_seen=ports.clock.now())
        await ports.file_ledger.put(record)
    return record


async def _work(ports: Ports, policy: FilePolicy, record: FileRecord, tally: Tally) -> None:
    """Checked to its end before the first hint is sent, so that a file that is refused has sent none."""
    try:
        if record.state is FileState.SEEN:
            record = await _check(ports, policy, record, tally)
        if record.state is FileState.CHECKED:
            await _compare(ports, record, tally)
    except WrongFileError as error:
        await _refuse(ports, record, str(error))


async def _check(ports: Ports, policy: FilePolicy, record: FileRecord, tally: Tally) -> FileRecord:
    """Read once through, without a look at Dynamics. Raises WrongFileError."""
    bad: list[BadRow] = []
    async with ports.files.open(record.file) as pieces:
        async for batch in ports.read_export(pieces):
            bad += batch.bad[: SHOWN_BAD_ROWS - len(bad)]
            record = replace(
                record,
                rows=record.rows + len(batch.rows),
                strangers=record.strangers + batch.strangers,
                bad_rows=record.bad_rows + len(batch.bad),
                newest=batch.newest,
            )
    tally.bad_rows += record.bad_rows
    tally.bad += [f"{record.file.name}:{row.line}: {row.problem}" for row in bad]
    lines = record.rows + record.strangers + record.bad_rows
    if record.bad_rows > max(FREE_BAD_ROWS, lines * policy.most_bad_percent / 100):
        raise WrongFileError(f"{record.bad_rows} of {lines} rows are bad, the first in line {bad[0].line}")
    await _tell_if_unusual(ports, policy, record)
    record = replace(record, state=FileState.CHECKED)
    await ports.file_ledger.put(record)
    return record


async def _compare(ports: Ports, record: FileRecord, tally: Tally) -> None:
    already = record.hints
    record = await compare(ports, record)
    tally.hints += record.hints - already
    if record.state is FileState.COMPARED:
        tally.files += 1
        tally.rows += record.rows


async def _refuse(ports: Ports, record: FileRecord, problem: str) -> None:
    """The alarm first: after a crash in between it comes twice rather than never."""
    ports.telemetry.alarm(record.file.name, Reason.WRONG_FILE, problem)
    refused = replace(record, state=FileState.REFUSED, problem=problem, finished_at=ports.clock.now())
    await ports.file_ledger.put(refused)


async def _tell_if_unusual(ports: Ports, policy: FilePolicy, record: FileRecord) -> None:
    """Far more or far fewer rows than the last files had; it is worked on all the same, as hints decide nothing."""
    rows = [done.rows for done in await ports.file_ledger.all() if done.state in FINISHED][-MOST_FILES:]
    if policy.unusual_factor <= 0 or len(rows) < FEWEST_FILES:
        return
    usual, factor = median(rows), policy.unusual_factor
    if max(record.rows, usual) >= FEWEST_ROWS and not usual / factor <= record.rows <= usual * factor:
        detail = f"{record.rows} rows; the last {len(rows)} files had some {usual:.0f}"
        ports.telemetry.alarm(record.file.name, Reason.FILE_UNUSUAL, detail)
