"""Announcements that Dynamics gave up, each told once: ids and codes only. What they were about the sweep finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.errors import Reason
from shared.ports import Ports
from shared.ports.sweep import FailedJob, FailedJobs

WATERMARK = "failed-jobs"
TALLY = "failed_job"
FIRST_LOOK = timedelta(days=1)
# A job's end is stamped before it can be read: one may appear a little after a later one.
OVERLAP = timedelta(minutes=2)
MOST = 500


@dataclass(frozen=True)
class Mark:
    """Up to when jobs were told, and the ids of those told that the next look may show again."""

    until: datetime
    told: tuple[str, ...] = ()


async def report(ports: Ports, jobs: FailedJobs) -> int:
    """How many were told: a line each. The mark is kept after every page. Raises an Outcome."""
    mark, told = await _read(ports), 0
    while True:
        listed = await jobs.since(mark.until, MOST)
        new = [job for job in listed if job.id not in mark.told]
        for job in new:
            await _tell(ports, job)
        if new:
            mark = _after(mark, listed)
            await ports.watermarks.write(WATERMARK, json.dumps([mark.until.isoformat(), mark.told]))
        told += len(new)
        if len(listed) < MOST or not new:
            return told


async def _tell(ports: Ports, job: FailedJob) -> None:
    ports.telemetry.counted(
        TALLY,
        reason=Reason.ANNOUNCEMENT_FAILED.slug,
        job=job.id,
        table=job.table,
        message=job.message,
        code=job.code,
        completed=job.completed_at.isoformat(),
    )
    await ports.tallies.add(TALLY, job.table, job.completed_at.date())


def _after(mark: Mark, listed: Sequence[FailedJob]) -> Mark:
    """A full page goes on from its last job; else the next look begins a little earlier."""
    last = listed[-1].completed_at
    until = last if len(listed) == MOST else max(mark.until, last - OVERLAP)
    return Mark(until, tuple(job.id for job in listed if job.completed_at >= until))


async def _read(ports: Ports) -> Mark:
    text = await ports.watermarks.read(WATERMARK)
    if text is None:
        return Mark(ports.clock.now() - FIRST_LOOK)
    until, told = json.loads(text)
    return Mark(datetime.fromisoformat(until), tuple(told))
