"""NCRONTAB expressions against the times at which Azure would fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.host.ncrontab import ScheduleError, parse


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("* * * * * *", "2026-01-31T23:59:59", "2026-02-01T00:00:00"),
        ("0 * * * * *", "2026-03-01T10:00:00", "2026-03-01T10:01:00"),
        ("0 * * * * *", "2026-03-01T10:00:00.000001", "2026-03-01T10:01:00"),
        ("0 */5 * * * *", "2026-03-01T10:02:07", "2026-03-01T10:05:00"),
        ("0 */5 * * * *", "2026-03-01T10:55:00", "2026-03-01T11:00:00"),
        ("*/20 * * * * *", "2026-03-01T10:00:41", "2026-03-01T10:01:00"),
        ("0 7/20 * * * *", "2026-03-01T10:28:00", "2026-03-01T10:47:00"),
        ("0 7/20 * * * *", "2026-03-01T10:47:00", "2026-03-01T11:07:00"),
        ("0 0-30/10 * * * *", "2026-03-01T10:30:00", "2026-03-01T11:00:00"),
        ("30 15,45 8-10 * * *", "2026-03-01T10:45:30", "2026-03-02T08:15:30"),
        ("0 0 6 * * *", "2026-12-31T06:00:00", "2027-01-01T06:00:00"),
        ("0 30 9 * * MON-FRI", "2026-11-20T09:30:00", "2026-11-23T09:30:00"),
        ("0 0 0 * * 0", "2026-11-21T12:00:00", "2026-11-22T00:00:00"),
        ("0 0 0 * * sun", "2026-11-22T00:00:00", "2026-11-29T00:00:00"),
        ("0 0 0 * * Saturday,TUE", "2026-11-22T00:00:00", "2026-11-24T00:00:00"),
        ("0 0 12 1 jan *", "2026-11-21T00:00:00", "2027-01-01T12:00:00"),
        ("0 0 12 1 Jan-Mar *", "2026-02-01T12:00:00", "2026-03-01T12:00:00"),
        ("0 0 0 31 * *", "2026-03-31T00:00:00", "2026-05-31T00:00:00"),
        ("0 0 0 15,31 * *", "2026-01-31T00:00:00", "2026-02-15T00:00:00"),
        ("0 0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        # Both day fields must match: the next Friday that is a 13th.
        ("0 0 0 13 * FRI", "2026-11-13T00:00:00", "2027-08-13T00:00:00"),
        ("0 0 0 29 2 MON", "2026-01-01T00:00:00", "2044-02-29T00:00:00"),
        ("59 59 23 31 12 *", "2026-12-31T23:59:58", "2026-12-31T23:59:59"),
        ("*/5 * * * *", "2026-03-01T10:02:07", "2026-03-01T10:05:00"),
        ("0  0   6 * * *", "2026-03-01T05:59:59.9", "2026-03-01T06:00:00"),
    ],
)
def test_next_time(expression: str, after: str, expected: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert parse(expression).next_after(moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "six fields"),
        ("* * * *", "not 4"),
        ("* * * * * * *", "not 7"),
        ("00:05:00", "dedicated plans"),
        ("60 * * * * *", "outside the second field"),
        ("0 0 24 * * *", "outside the hour field"),
        ("0 0 0 0 * *", "outside the day field"),
        ("0 0 0 * 13 *", "outside the month field"),
        ("0 0 0 * * 7", "outside the day of week field"),
        ("0 0 0 * * FRI-MON", "backwards"),
        ("0 */0 * * * *", "not a step"),
        ("0 */x * * * *", "not a step"),
        ("0 1,,2 * * * *", "not a value"),
        ("0 0 0 L * *", "not a value of the day field"),
        ("0 0 0 ? * *", "not a value"),
        ("0 -5 * * * *", "not a value"),
        ("0 0 0 31 2,4 *", "never occurs"),
    ],
)
def test_refused(expression: str, reason: str) -> None:
    with pytest.raises(ScheduleError, match=reason):
        parse(expression)


def test_another_time_zone_is_read_as_its_instant() -> None:
    moment = datetime.fromisoformat("2026-03-01T07:30:00+02:00")
    assert parse("0 0 6 * * *").next_after(moment) == datetime(2026, 3, 1, 6, tzinfo=UTC)


@given(
    st.sampled_from(["*/7 * * * * *", "5 1-50/9 */3 * * *", "0 0 0 1,15,30 * MON-WED", "1,2 3 4 * 2,6 *"]),
    st.integers(min_value=0, max_value=3_786_912_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
)
def test_next_is_later_matches_and_is_the_first(expression: str, moment: datetime) -> None:
    schedule = parse(expression)
    found = schedule.next_after(moment)
    assert found > moment
    assert found.second in schedule.seconds
    assert found.minute in schedule.minutes
    assert found.hour in schedule.hours
    assert found.day in schedule.days
    assert found.isoweekday() % 7 in schedule.weekdays
    between = moment + (found - moment) / 2
    assert schedule.next_after(between) == found
    assert schedule.next_after(found - timedelta(seconds=1)) == found
