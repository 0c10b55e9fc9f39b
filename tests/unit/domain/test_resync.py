"""How a resync is cut: slices that leave no row out, pages that do not outlast their function."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.resync import (
    LEAST_TRIED,
    PAGE_ROWS,
    PAGE_S,
    Ending,
    Partition,
    Slice,
    Tally,
    by_number,
    by_time,
    most_partitions,
    page_rows,
    rather_look,
    totals,
)

BEGIN = datetime(2023, 1, 1, tzinfo=UTC)


@given(st.integers(0, 10**9), st.integers(1, 32))
def test_slices_of_time_follow_each_other_from_end_to_end(seconds: int, count: int) -> None:
    slices = by_time(BEGIN, BEGIN + timedelta(seconds=seconds), count)
    assert 1 <= len(slices) <= count
    assert (slices[0].start, slices[-1].end) == (None, None)
    assert [one.end for one in slices[:-1]] == [one.start for one in slices[1:]]
    marks = [one.start for one in slices[1:] if one.start]
    assert marks == sorted(set(marks))


@given(st.integers(0, 10_000), st.integers(1, 32))
def test_slices_of_a_list_hold_each_id_once(ids: int, count: int) -> None:
    slices = by_number(ids, count)
    assert [number for one in slices for number in range(one.first, one.last)] == list(range(ids))
    assert len(slices) <= count


def test_rows_of_one_moment_are_one_slice() -> None:
    assert by_time(BEGIN, BEGIN, 8) == [Slice()]


@pytest.mark.parametrize(("wanted", "per_second"), [(4, None), (4, 100.0), (8, 0.1), (32, 0.02)])
def test_a_page_ends_in_time_at_the_rate_asked_for(wanted: int, per_second: float | None) -> None:
    partitions = most_partitions(wanted, per_second)
    rows = page_rows(partitions, per_second)
    assert 1 <= rows <= PAGE_ROWS
    assert per_second is None or rows / (per_second / partitions) <= PAGE_S


@given(st.integers(LEAST_TRIED, 10_000), st.data())
def test_a_look_is_taken_first_where_it_costs_less(tried: int, data: st.DataObject) -> None:
    """There: a refusal, a look and an update, or the last two. Not there: a creation, or a look and a creation."""
    there = data.draw(st.integers(0, tried))
    creating_first = (tried - there) * 1 + there * 3
    looking_first = (tried - there) * 2 + there * 2
    assert rather_look(tried, there) == (looking_first < creating_first)


def test_a_run_is_the_sum_of_its_partitions() -> None:
    written, same = (Ending.SETTLED, "written"), (Ending.SETTLED, "unchanged")
    parts = [
        Partition("r1", 0, Slice(), counts={written: 2, same: 1}, calls=5, done=True, moved_at=BEGIN),
        Partition("r1", 1, Slice(), counts={written: 3}, calls=3, moved_at=BEGIN + timedelta(minutes=1)),
        Partition("r1", 2, Slice()),
    ]
    found = totals(parts)
    assert (found.rows, found.calls, found.done) == (6, 8, 1)
    assert found.counts == {written: 5, same: 1}
    assert found.moved_at == BEGIN + timedelta(minutes=1)
    assert totals([]).moved_at is None


def test_a_few_refusals_say_nothing() -> None:
    assert not rather_look(LEAST_TRIED - 1, LEAST_TRIED - 1)


def test_a_partition_that_met_many_profiles_looks_first_from_then_on() -> None:
    part = Partition("r1", 0, Slice())
    assert not part.with_tally(Tally(tried=500, refused=250), BEGIN).looks_first
    met = part.with_tally(Tally(tried=LEAST_TRIED, refused=LEAST_TRIED), BEGIN)
    assert met.looks_first
    assert met.at_next_page("x").with_tally(Tally(), BEGIN).looks_first
