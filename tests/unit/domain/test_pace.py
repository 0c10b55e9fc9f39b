"""The pace of calls: when the next may go, what a complaint does, and what lets it climb."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.pace import PER_SECOND_MAX, START_IN_FLIGHT, Pace, Ticket, Verdict

OK, BUSY, LOST, NOTHING = Verdict.ANSWERED, Verdict.BUSY, Verdict.UNANSWERED, Verdict.NOTHING


def fill(pace: Pace, now: float) -> list[Ticket]:
    """Send as much as is allowed at this moment."""
    tickets = []
    while pace.opens_at(now) == now:
        tickets.append(pace.send("profile", now))
    return tickets


def go_round(pace: Pace, now: float, latency_s: float = 0.1) -> float:
    """Fill, and answer everything; the time after that."""
    for ticket in fill(pace, now):
        pace.end(ticket, now + latency_s, OK)
    return now + latency_s


def go_rounds(pace: Pace, now: float, rounds: int, latency_s: float = 0.1) -> float:
    for _ in range(rounds):
        now = go_round(pace, now, latency_s)
    return now


def test_it_starts_low_and_waits_for_an_answer_when_full():
    pace = Pace(16)
    assert len(fill(pace, 0)) == START_IN_FLIGHT
    assert pace.opens_at(0) is None


def test_a_ceiling_below_the_start_is_the_start():
    assert len(fill(Pace(2), 0)) == 2


def test_it_climbs_by_one_a_round_up_to_the_ceiling():
    pace, now, sizes = Pace(8), 0.0, []
    for _ in range(20):
        sizes.append(int(pace.window.value))
        now = go_round(pace, now)
    assert sizes[0] == START_IN_FLIGHT
    assert all(later - earlier in (0, 1) for earlier, later in pairwise(sizes))
    assert sizes[-1] == 8


def test_what_is_not_used_does_not_climb():
    pace = Pace(16)
    for second in range(100):
        pace.end(pace.send("profile", second), second + 0.1, OK)
    assert pace.window.value == START_IN_FLIGHT


def test_what_it_takes_in_a_time_is_told_by_what_the_last_calls_took_answered_or_not():
    pace = Pace(16)
    assert pace.takes(10) == 0
    pace.end(pace.send("profile", 0), 0.1, OK)
    assert pace.takes(10) == START_IN_FLIGHT * 10 / 0.1
    pace.end(pace.send("privacy", 1), 2.9, LOST)
    assert pace.takes(10) == START_IN_FLIGHT * 10
    pace.end(pace.send("profile", 3), 3.001, BUSY, 5)  # says nothing of how long a call takes
    assert pace.takes(10) == int(pace.window.value * 10)


def test_a_refusal_closes_for_exactly_as_long_as_it_asks():
    pace = Pace(16)
    first, *_others = fill(pace, 0)
    pace.end(first, 1.0, BUSY, 7.5)
    assert pace.opens_at(1.0) == 8.5
    assert pace.opens_at(8.5) == 8.5


def test_after_the_pause_one_call_goes_alone_and_its_answer_opens():
    pace = Pace(16)
    for ticket in fill(pace, 0):
        pace.end(ticket, 1.0, BUSY, 5)
    (probe,) = fill(pace, 6.0)
    assert probe.probe
    assert pace.opens_at(6.0) is None
    pace.end(probe, 6.2, OK)
    assert len(fill(pace, 6.2)) == int(START_IN_FLIGHT * 0.7)


def test_a_refused_probe_closes_again_and_cuts_nothing_more():
    pace = Pace(16)
    for ticket in fill(pace, 0):
        pace.end(ticket, 1.0, BUSY, 5)
    after_one = pace.window.value
    (probe,) = fill(pace, 6.0)
    pace.end(probe, 6.2, BUSY, 30)
    assert pace.opens_at(6.2) == 36.2
    assert pace.window.value == after_one


def test_a_probe_without_an_answer_is_followed_by_another():
    for verdict in (LOST, NOTHING):
        pace = Pace(16)
        for ticket in fill(pace, 0):
            pace.end(ticket, 1.0, BUSY, 5)
        (probe,) = fill(pace, 6.0)
        pace.end(probe, 9.0, verdict)
        (second,) = fill(pace, 9.0)
        assert second.probe


def test_of_several_refusals_the_latest_moment_holds_and_they_cut_once():
    pace = Pace(16)
    one, two, three, _four = fill(pace, 0)
    pace.end(one, 1.0, BUSY, 10)
    cut = pace.window.value
    pace.end(two, 1.1, BUSY, 2)
    pace.end(three, 1.2, BUSY, 20)
    assert pace.opens_at(2.0) == 21.2
    assert pace.window.value == cut


def test_a_pause_asked_for_while_the_probe_is_under_way_holds():
    pace = Pace(16)
    one, two, *_others = fill(pace, 0)
    pace.end(one, 1.0, BUSY, 1)
    (probe,) = fill(pace, 2.0)
    pace.end(two, 2.1, BUSY, 10)
    pace.end(probe, 2.2, OK)
    assert pace.opens_at(2.2) == 12.1


def test_an_old_call_refused_without_a_time_does_not_close_what_has_opened():
    pace = Pace(16)
    one, two, *_others = fill(pace, 0)
    pace.end(one, 1.0, BUSY, 1)
    pace.end(fill(pace, 2.0)[0], 2.1, OK)
    pace.end(two, 2.2, BUSY)
    assert pace.opens_at(2.2) == 2.2


def test_without_a_time_the_pauses_double_up_to_a_minute_and_begin_anew_after_an_answer():
    pace, now, pauses = Pace(1), 0.0, []
    for _ in range(9):
        pace.end(fill(pace, now)[0], now, BUSY)
        opens_at = pace.opens_at(now)
        assert opens_at is not None
        pauses.append(opens_at - now)
        now = opens_at
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    pace.end(fill(pace, now)[0], now + 1, OK)
    pace.end(fill(pace, now + 2)[0], now + 3, BUSY)
    assert pace.opens_at(now + 3) == now + 4


def test_it_rests_below_the_wall_and_then_tries_it_again():
    pace = Pace(48)
    now = go_rounds(pace, 0, 20)
    tickets = fill(pace, now)
    refused_at = len(tickets)
    pace.end(tickets[-1], now, BUSY, 0)
    for ticket in tickets[:-1]:
        pace.end(ticket, now, OK)
    assert pace.window.value == refused_at * 0.7
    now = go_rounds(pace, now, 15)
    assert int(pace.window.value) == refused_at - 1
    go_rounds(pace, now, 200)
    assert pace.window.value > refused_at


def test_slowness_cuts_but_never_below_the_start():
    pace = Pace(32)
    now = go_rounds(pace, 0, 40)
    assert pace.window.value == 32
    go_rounds(pace, now, 12, latency_s=1.0)
    assert START_IN_FLIGHT <= pace.window.value < 16


def test_a_kind_that_is_always_slow_cuts_nothing():
    pace, now = Pace(16), 0.0
    for _ in range(60):
        for number, ticket in enumerate(fill(pace, now)):
            slow = replace(ticket, kind="privacy")
            pace.end(ticket if number % 2 else slow, now + (0.1 if number % 2 else 3.0), OK)
        now += 3.0
    assert pace.window.value == 16


def test_a_few_outliers_cut_nothing():
    pace, now = Pace(16), 0.0
    for number in range(100):
        now = go_round(pace, now, 20.0 if number % 40 == 39 else 0.1)
        if number == 30:
            assert pace.window.value == 16
    assert pace.window.value > 8


def test_lasting_slowness_becomes_the_measure():
    pace = Pace(16)
    now = go_rounds(pace, 0, 40)
    go_rounds(pace, now, 600, latency_s=1.0)
    assert pace.window.value == 16


def test_missing_answers_cut_once_a_round():
    pace = Pace(16)
    now = go_rounds(pace, 0, 40)
    for ticket in fill(pace, now):
        pace.end(ticket, now + 30, LOST)
    assert pace.window.value == 16 * 0.7


def test_a_refusal_just_after_slowness_was_noticed_still_closes():
    pace = Pace(16)
    one, two, *_others = fill(pace, 0)
    pace.end(one, 30, LOST)
    pace.end(two, 31, BUSY)
    assert pace.opens_at(31) == 32


def test_a_call_that_was_not_sent_says_nothing():
    pace = Pace(16)
    for ticket in fill(pace, 0):
        pace.end(ticket, 1, NOTHING)
    assert (pace.window.value, pace.in_flight) == (START_IN_FLIGHT, 0)


def test_calls_a_second_are_bounded_from_the_start():
    pace, sent, now = Pace(48), 0, 0.0
    while now < 10:
        for ticket in fill(pace, now):
            pace.end(ticket, now, OK)
            sent += 1
        now += 0.001
    assert sent <= 10 * PER_SECOND_MAX * 1.02


def test_where_the_rate_is_used_up_and_the_window_is_not_the_rate_is_to_blame():
    pace, now = Pace(48), 0.0
    pace.rate.value = 20.0
    for _ in range(40):
        pace.end(pace.send("profile", now), now, OK)
        now += 0.05
    window = pace.window.value
    first, second, third = (pace.send("profile", now) for _ in range(3))
    assert (first.paced, third.paced) == (False, True)
    pace.end(third, now + 0.01, BUSY, 1)
    assert (pace.window.value, pace.rate.value < 20) == (window, True)
    for ticket in (first, second):
        pace.end(ticket, now + 0.01, OK)


def test_a_refused_rate_is_cut_and_spaces_the_calls():
    pace, now = Pace(48), 0.0
    for number in range(20):
        pace.end(pace.send("profile", now), now + 0.01, BUSY if number == 19 else OK, 0)
        now += 0.05
    assert 10 < pace.rate.value < 16
    (probe,) = fill(pace, now)
    pace.end(probe, now, OK)
    sent = 0
    while pace.opens_at(now) == now:
        pace.end(pace.send("profile", now), now, NOTHING)
        sent += 1
    assert sent <= 3
    assert pace.opens_at(now) is not None


@given(st.data())
def test_whatever_happens_the_bounds_hold(data: st.DataObject):
    ceiling = data.draw(st.integers(1, 48))
    pace, now, out = Pace(ceiling), 0.0, list[Ticket]()
    closed_until = 0.0
    for _ in range(data.draw(st.integers(1, 120))):
        now += data.draw(st.floats(0, 3))
        ends: bool = data.draw(st.booleans())
        if out and ends:
            verdict = data.draw(st.sampled_from(Verdict))
            pause_s = data.draw(st.floats(0, 20))
            pace.end(out.pop(data.draw(st.integers(0, len(out) - 1))), now, verdict, pause_s)
            if verdict is BUSY:
                closed_until = max(closed_until, now + pause_s)
        elif pace.opens_at(now) == now:
            assert now >= closed_until
            out.append(pace.send("profile", now))
        assert pace.in_flight == len(out) <= ceiling
        assert 1 <= pace.window.value <= ceiling
        assert pace.in_flight > 0 or pace.opens_at(now) is not None
