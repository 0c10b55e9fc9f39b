"""What a timer remembers between starts, and whether it missed a run meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbox.host.errors import HostFileError
from sandbox.host.ncrontab import Schedule

Clock = Callable[[], datetime]
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ScheduleStatus:
    """When a timer last ran (None: never), when it runs next, and when this was written; all in UTC."""

    last: datetime | None
    next: datetime
    updated: datetime

    def to_json(self) -> dict[str, str]:
        """The names and the "year 1" for never are those that a function finds in `timer.schedule_status`."""
        return {
            "Last": (self.last or _NEVER).isoformat(),
            "LastUpdated": self.updated.isoformat(),
            "Next": self.next.isoformat(),
        }

    @classmethod
    def from_json(cls, document: dict[str, str]) -> ScheduleStatus:
        last = datetime.fromisoformat(document["Last"])
        return cls(
            last=None if last == _NEVER else last,
            next=datetime.fromisoformat(document["Next"]),
            updated=datetime.fromisoformat(document["LastUpdated"]),
        )


class TimerState:
    """A small JSON file with a ScheduleStatus for every timer; without a path it lives in memory only."""

    def __init__(self, path: Path | None) -> None:
        """Raises HostFileError, naming the file, when it exists and is not such a file."""
        self._path = path
        self._statuses: dict[str, ScheduleStatus] = {}
        if path is not None and path.exists():
            self._statuses = _read(path)

    def get(self, timer: str) -> ScheduleStatus | None:
        return self._statuses.get(timer)

    def put(self, timer: str, status: ScheduleStatus) -> None:
        self._statuses[timer] = status
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".tmp")
        fresh.write_text(json.dumps({name: known.to_json() for name, known in self._statuses.items()}, indent=2))
        fresh.replace(self._path)


def _read(path: Path) -> dict[str, ScheduleStatus]:
    try:
        document = json.loads(path.read_text())
        return {name: ScheduleStatus.from_json(status) for name, status in document.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostFileError(f"{path} is not a file of timer states ({error}); delete it to start afresh") from error


def opening_status(known: ScheduleStatus | None, schedule: Schedule, now: datetime) -> tuple[ScheduleStatus, bool]:
    """Return a timer's status at start-up and whether it is past due.

    A timer seen for the first time is not late. Neither is one whose schedule changed and whose new schedule would
    have run in the meantime: it starts over from `now`. This follows the schedule monitor of Azure's timer extension.
    """
    if known is None:
        return ScheduleStatus(last=None, next=schedule.next_after(now), updated=now), False
    base = known.last or known.updated
    expected = schedule.next_after(base)
    if known.next != expected:
        restart = now if now > expected else base
        known = ScheduleStatus(last=None, next=schedule.next_after(restart), updated=restart)
    return known, now > known.next
