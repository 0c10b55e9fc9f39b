"""The opt-out folder kept in order: finished files put away and later removed, and what a person should know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.optout_file import (
    FINISHED,
    TO_BE_MOVED,
    FilePolicy,
    FileRecord,
    FileState,
    Folder,
    RemoteFile,
    kept_name,
)
from shared.errors import Outcome, Reason
from shared.flows import optout
from shared.ports import Ports

AGAIN_AFTER = timedelta(hours=24)  # an alarm about a state that lasts comes once a day
QUOTA_SHARE = 0.8
RECORDS_KEPT = timedelta(days=90)
WATCHED_SINCE = "optout-file/watched-since"


def is_expected(ports: Ports, policy: FilePolicy) -> bool:
    """Whether the mapping and the settings want a file to come regularly."""
    return policy.late_hours > 0 and optout.hears_campaign(ports.mappings().contact)


async def tell_if_late(ports: Ports, policy: FilePolicy) -> None:
    """An alarm when no file was finished for longer than a day may take; counted from the first run at the earliest."""
    if not is_expected(ports, policy):
        return
    finished = [record.finished_at for record in await ports.file_ledger.all() if record.state in FINISHED]
    last = max(filter(None, finished), default=None) or await _watched_since(ports)
    if ports.clock.now() - last > timedelta(hours=policy.late_hours):
        await _tell_daily(ports, Reason.FILE_LATE, f"the last was finished at {last:%Y-%m-%d %H:%M}Z")


async def tidy(ports: Ports, policy: FilePolicy) -> None:
    """Move what is finished, remove what was kept long enough, and look at the sizes.

    A file that cannot be moved holds up no other. Raises an Outcome, also that of such a file.
    """
    inbox = await ports.files.list()
    trouble: Outcome | None = None
    for record in await ports.file_ledger.all():
        try:
            await _settle(ports, policy, record, inbox)
        except Outcome as outcome:
            if outcome.reason is not Reason.FILES_UNREACHABLE:
                raise
            trouble = outcome
    await _look_at_own_folders(ports, policy)
    if trouble is not None:
        raise trouble


async def _settle(ports: Ports, policy: FilePolicy, record: FileRecord, inbox: Sequence[RemoteFile]) -> None:
    if record.state in TO_BE_MOVED:
        await _put_away(ports, policy, record, inbox)
    elif any(file.identity == record.file.identity for file in inbox):
        await _put_away_again(ports, record)
    elif _is_forgotten(record, ports.clock.now()):
        await ports.file_ledger.delete(record)


async def _put_away(ports: Ports, policy: FilePolicy, record: FileRecord, inbox: Sequence[RemoteFile]) -> None:
    """The marker goes first: without its file it would be taken for that of a later one."""
    target, state = TO_BE_MOVED[record.state]
    if policy.marker:
        for marker in (file for file in inbox if file.name == record.file.name + policy.marker):
            await ports.files.delete(marker)
    await ports.files.move(record.file, target, record.file.kept_name)
    await ports.file_ledger.put(replace(record, state=state))


async def _put_away_again(ports: Ports, record: FileRecord) -> None:
    """The very same file once more in the inbox is not read again."""
    for target, state in TO_BE_MOVED.values():
        if record.state is state:
            await ports.files.move(record.file, target, record.file.kept_name)


def _is_forgotten(record: FileRecord, now: datetime) -> bool:
    """Seen while it was written, or done long ago, and not in the inbox any more."""
    return record.state is FileState.SEEN or now - record.first_seen > RECORDS_KEPT


async def _look_at_own_folders(ports: Ports, policy: FilePolicy) -> None:
    inbox, archive, quarantine = [await ports.files.list(folder) for folder in Folder]
    names = {file.name for file in inbox}
    for file in (*archive, *quarantine):
        await _bring_back_if_changed(ports, file, names)
    if policy.keep_days > 0:
        limit = ports.clock.now() - timedelta(days=policy.keep_days)
        for file in (file for file in archive if file.modified_at < limit):
            await ports.files.delete(file)
    size = sum(file.size for file in (*inbox, *archive, *quarantine))
    if policy.quota_bytes and size > policy.quota_bytes * QUOTA_SHARE:
        share = 100 * size / policy.quota_bytes
        await _tell_daily(ports, Reason.FILES_QUOTA, f"{size} of {policy.quota_bytes} bytes ({share:.0f} %)")


async def _bring_back_if_changed(ports: Ports, file: RemoteFile, inbox: set[str]) -> None:
    """Somebody went on writing after it was put away, or corrected it in quarantine: it is a new file."""
    kept = kept_name(file.name)
    if kept is None or kept.size == file.size:
        return
    ports.telemetry.alarm(kept.name, Reason.FILE_CHANGED, f"{kept.size} bytes when it was put away, {file.size} now")
    await ports.files.move(file, Folder.INBOX, file.name if kept.name in inbox else kept.name)


async def _watched_since(ports: Ports) -> datetime:
    known = await ports.watermarks.read(WATCHED_SINCE)
    if known is not None:
        return datetime.fromisoformat(known)
    now = ports.clock.now()
    await ports.watermarks.write(WATCHED_SINCE, now.isoformat())
    return now


async def _tell_daily(ports: Ports, reason: Reason, detail: str) -> None:
    name = f"optout-file/told/{reason.slug}"
    told, now = await ports.watermarks.read(name), ports.clock.now()
    if told is None or now - datetime.fromisoformat(told) >= AGAIN_AFTER:
        ports.telemetry.alarm("optout_file", reason, detail)
        await ports.watermarks.write(name, now.isoformat())
