"""NCRONTAB expressions with seconds, as Azure's timer trigger reads them, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class ScheduleError(ValueError):
    """The expression is not NCRONTAB, or names a day that no month has."""


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _WEEKDAYS),
)


@dataclass(frozen=True)
class Schedule:
    """The allowed values of each field, ascending; day of month and day of week must *both* match, unlike in Unix."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def next_after(self, moment: datetime) -> datetime:
        """Return the first occurrence later than `moment` (an aware datetime), in UTC."""
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        first = self._time_from(start.time()) if self._has(start.date()) else None
        if first is not None:
            return datetime.combine(start.date(), first, UTC)
        day = start.date() + timedelta(days=1)
        while not self._has(day):
            day += timedelta(days=1)
        return datetime.combine(day, time(self.hours[0], self.minutes[0], self.seconds[0]), UTC)

    def _has(self, day: date) -> bool:
        # Sunday is 0 here and 7 for ISO.
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _time_from(self, earliest: time) -> time | None:
        for hour in self.hours:
            for minute in self.minutes if hour >= earliest.hour else ():
                if (hour, minute) < (earliest.hour, earliest.minute):
                    continue
                floor = earliest.second if (hour, minute) == (earliest.hour, earliest.minute) else 0
                second = next((value for value in self.seconds if value >= floor), None)
                if second is not None:
                    return time(hour, minute, second)
        return None


def parse(expression: str) -> Schedule:
    """Read six fields (second minute hour day month weekday), or five with the second taken as 0.

    A field is `*`, a number, a name or its beginning (months, weekdays), a range `a-b`, any of these with `/step`
    (`a/step` runs to the field's end), or a comma-separated list of them. Raises ScheduleError otherwise.
    """
    tokens = expression.split()
    if len(tokens) == 5:
        tokens.insert(0, "0")
    if len(tokens) != 6:
        raise ScheduleError(f"{expression!r} is not NCRONTAB: six fields are needed, {_explain(expression, tokens)}")
    schedule = Schedule(*(_values(token, field) for token, field in zip(tokens, _FIELDS, strict=True)))
    if all(day > _LONGEST_MONTH[month - 1] for day in schedule.days for month in schedule.months):
        raise ScheduleError(f"{expression!r} never occurs: none of its months has such a day")
    return schedule


def _explain(expression: str, tokens: list[str]) -> str:
    if len(tokens) == 1 and ":" in expression:
        return "a time span works on dedicated plans only"
    return f"not {len(tokens)}"


def _values(token: str, field: _Field) -> tuple[int, ...]:
    return tuple(sorted({value for item in token.split(",") for value in _item(item, field)}))


def _item(item: str, field: _Field) -> range:
    span, slash, step_text = item.partition("/")
    step = _step(step_text, field) if slash else 1
    if span == "*":
        return range(field.low, field.high + 1, step)
    low_text, dash, high_text = span.partition("-")
    low = _value(low_text, field)
    alone = field.high if slash else low
    high = _value(high_text, field) if dash else alone
    if low > high:
        raise ScheduleError(
            f"{item!r}: the {field.name} range runs backwards; Azure would swap its ends, not wrap around"
        )
    return range(low, high + 1, step)


def _step(text: str, field: _Field) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ScheduleError(f"{text!r} is not a step for the {field.name} field; it must be 1 or more")
    return int(text)


def _value(text: str, field: _Field) -> int:
    number = int(text) if text.isdecimal() else _by_name(text, field)
    if not field.low <= number <= field.high:
        raise ScheduleError(f"{text!r} is outside the {field.name} field: {field.low} to {field.high}")
    return number


def _by_name(text: str, field: _Field) -> int:
    for offset, name in enumerate(field.names):
        if text and name.lower().startswith(text.lower()):
            return field.low + offset
    raise ScheduleError(f"{text!r} is not a value of the {field.name} field")
