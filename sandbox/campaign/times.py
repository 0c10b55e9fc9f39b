"""Campaign's way of writing times and dates."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

Clock = Callable[[], datetime]
Sleep = Callable[[float], Awaitable[object]]


def wall_clock() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


def written(moment: datetime) -> str:
    """Return a time as Campaign writes it: UTC, milliseconds, a blank and not a T, as `2018-05-17 08:44:49.366Z`."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def iso(moment: datetime) -> str:
    """Return a time as events carry it: `2018-05-17T08:44:49.366Z`."""
    return written(moment).replace(" ", "T")


def parse_time(text: str) -> datetime:
    """Read a time in Campaign's form or in ISO 8601; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def years_between(born: date, today: date) -> int:
    """Return a person's age in full years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
