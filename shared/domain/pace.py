"""How fast one system may be called, learnt from its answers: a state machine that is told the time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

START_IN_FLIGHT = 4
PER_SECOND_MAX = 500.0
PER_SECOND_MIN = 0.2
# What is left of a bound after a complaint.
BACK_OFF = 0.7
# A bound rests just below the level of the last complaint for that many answers (so that trying again fails less than
# one call in a hundred) and that many times the pause that the complaint cost (so that pauses cost a few per cent), but
# not for longer than Dataverse's own limits look back.
REST_ANSWERS, REST_S, REST_PAUSES, LONGEST_REST_S = 400, 10.0, 40, 300.0
MARGIN = 0.03
# The share by which the calls a second climb, each second.
RATE_STEP = 0.05
BURST_S = 0.1
# Calls over which the rate is measured: at most, at least, and when a call alone was refused.
RATE_SAMPLE, RATE_SAMPLE_LEAST, RATE_SAMPLE_ALONE = 64, 16, 3
# Without a Retry-After: the first pause, doubled at each refusal in a row.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
SLOW_FACTOR = 2.5
SLOW_MEMORY, BEST_MEMORY, SAMPLES_LEAST, OUTLIER = 32, 500, 32, 4.0


class Verdict(Enum):
    """What the end of a call says about the system's load."""

    ANSWERED = "answered"
    BUSY = "busy"
    UNANSWERED = "unanswered"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Ticket:
    """The right to send one call now. `paced`: with it, the calls a second are used up."""

    kind: str
    sent_at: float
    probe: bool
    paced: bool


@dataclass
class Level:
    """A bound between `floor` and `ceiling` that falls by a factor and climbs by steps; `grain` is the smallest step.

    It climbs to just below `wall`, the level of the last complaint, rests there, and then forgets the wall.
    """

    value: float
    floor: float
    ceiling: float
    grain: float = 0.0
    share: float = 0.0
    wall: float | None = None
    _good: int = 0
    _rest_until: float = 0.0

    def cut(self, seen: float, now: float, pause_s: float) -> None:
        """The system complained at the level `seen`, and closes for `pause_s`."""
        self.wall = seen
        self.value = max(self.floor, min(self.value, seen) * BACK_OFF)
        self._good = 0
        self._rest_until = now + min(LONGEST_REST_S, max(REST_S, REST_PAUSES * pause_s))

    def ease(self, floor: float) -> None:
        """The system is slow: less, but not below `floor`."""
        self.value = max(min(self.value, floor), self.value * BACK_OFF)

    def climb(self, now: float) -> None:
        """A call at the full level went well."""
        rest = self.ceiling if self.wall is None else self._resting_place(self.wall)
        if self.value < rest:
            self.value = min(rest, self.value + max(self.grain, self.share * self.value) / self.value)
        elif self.wall is not None:
            self._good += 1
            if self._good >= REST_ANSWERS and now >= self._rest_until:
                self.value, self.wall = min(self.ceiling, self.wall), None

    def _resting_place(self, wall: float) -> float:
        return min(self.ceiling, max(self.floor, wall - max(self.grain, MARGIN * wall)))


@dataclass
class Latency:
    """How long one kind of call takes, smoothed, against the best of it; the best slowly forgets."""

    smooth: float = 0.0
    best: float = 0.0
    samples: int = 0

    def is_slow(self, seconds: float) -> bool:
        """Adds a sample. One outlier alone makes nothing slow."""
        self.samples += 1
        if self.samples == 1:
            self.smooth = self.best = seconds
        weight = 1 / min(self.samples, SLOW_MEMORY)
        self.smooth += weight * (min(seconds, OUTLIER * self.smooth) - self.smooth)
        self.best = min(self.smooth, self.best + (self.smooth - self.best) / BEST_MEMORY)
        if self.samples <= SAMPLES_LEAST:
            self.best = self.smooth
        return self.smooth > SLOW_FACTOR * self.best


class Throughput:
    """Calls a second over the last sends."""

    def __init__(self) -> None:
        self._sent_at: deque[float] = deque(maxlen=RATE_SAMPLE)

    def sent(self, now: float) -> None:
        """One more."""
        self._sent_at.append(now)

    def per_second(self, now: float, least: int) -> float | None:
        """None: fewer than `least`, too few to tell."""
        if len(self._sent_at) < least or now <= self._sent_at[0]:
            return None
        return len(self._sent_at) / (now - self._sent_at[0])

    def forget(self) -> None:
        """After a pause the old sends say nothing."""
        self._sent_at.clear()


class Pace:
    """Bounds calls in flight and calls a second of one system. `now`: seconds of any clock that never goes back.

    It starts with few calls in flight and climbs by one a round trip while the bound is in use and answers come about
    as fast as the best of their kind. 429 and 503 (BUSY) cut both bounds to a share and close the system for as long
    as it asks; then one call goes first, alone, and its answer opens the system again. Slow answers and missing ones
    (UNANSWERED) cut the calls in flight only, and never below the start. A complaint about calls that were sent before
    the last cut says nothing new.
    """

    def __init__(self, ceiling: int) -> None:
        start = min(START_IN_FLIGHT, ceiling)
        self.window = Level(start, floor=1.0, ceiling=ceiling, grain=1.0)
        self.rate = Level(PER_SECOND_MAX, PER_SECOND_MIN, PER_SECOND_MAX, share=RATE_STEP)
        self.in_flight = 0
        self.closed_until: float | None = None
        self._start = start
        self._probing = False
        self._refused_in_a_row = 0
        self._cut_at = float("-inf")
        self._refused_at = float("-inf")
        self._next_at = 0.0
        self._full_at = float("-inf")
        self._throughput = Throughput()
        self._latencies: dict[str, Latency] = {}
        self._took_s, self._ended = 0.0, 0

    def opens_at(self, now: float) -> float | None:
        """When the next call may be sent: `now` or later; None: not before a call in flight has ended."""
        if self.closed_until is not None:
            return None if self._probing else max(now, self.closed_until)
        if self.in_flight >= int(self.window.value):
            return None
        return max(now, self._next_at - BURST_S)

    def takes(self, seconds: float) -> int:
        """About how many calls it serves in that time, at what the last ones took; 0 as long as none has ended."""
        return int(self.window.value * seconds / self._took_s) if self._took_s else 0

    def send(self, kind: str, now: float) -> Ticket:
        """A call of that kind is sent now; allowed only if `opens_at(now) == now`."""
        self.in_flight += 1
        self._probing = probe = self.closed_until is not None
        self._throughput.sent(now)
        self._next_at = max(self._next_at, now) + 1 / self.rate.value
        if self.in_flight >= int(self.window.value):
            self._full_at = now
        return Ticket(kind, now, probe, paced=self._next_at - BURST_S > now)

    def end(self, ticket: Ticket, now: float, verdict: Verdict, retry_after_s: float | None = None) -> None:
        """The call is over. `retry_after_s`: what a BUSY answer asked for."""
        level = self.in_flight
        self.in_flight -= 1
        if ticket.probe:
            self._probing = False
        if verdict in (Verdict.ANSWERED, Verdict.UNANSWERED):
            self._ended = min(self._ended + 1, SLOW_MEMORY)
            self._took_s += (now - ticket.sent_at - self._took_s) / self._ended
        if verdict is Verdict.BUSY:
            self._refused(ticket, level, now, retry_after_s)
        elif verdict is Verdict.ANSWERED:
            self._answered(ticket, now)
        elif verdict is Verdict.UNANSWERED and self._is_news(ticket):
            self._ease(now)

    def _answered(self, ticket: Ticket, now: float) -> None:
        if ticket.probe:
            self._open(now)
        slow = self._latencies.setdefault(ticket.kind, Latency()).is_slow(now - ticket.sent_at)
        if not self._is_news(ticket) or self.closed_until is not None:
            return
        if slow:
            self._ease(now)
            return
        if self._full_at >= ticket.sent_at:
            self.window.climb(now)
        if ticket.paced:
            self.rate.climb(now)

    def _refused(self, ticket: Ticket, level: int, now: float, retry_after_s: float | None) -> None:
        news = ticket.sent_at >= self._refused_at
        if not news and retry_after_s is None:
            return
        if news:
            self._refused_in_a_row += 1
        back_off = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(max(0, self._refused_in_a_row - 1), 10))
        pause_s = back_off if retry_after_s is None else retry_after_s
        if news and not ticket.probe:
            self._cut(level, now, pause_s, paced=ticket.paced and level < int(self.window.value))
        if news:
            self._refused_at = self._cut_at = now
        self._throughput.forget()
        self.closed_until = max(self.closed_until or now, now + pause_s)

    def _cut(self, level: int, now: float, pause_s: float, *, paced: bool) -> None:
        """Cut what may be to blame. `paced`: the rate was used up and the window, at `level`, was not.

        Few calls in flight can be too much for either; how few depends on whether the rate is known.
        """
        if not paced:
            self.window.cut(level, now, pause_s)
        few = START_IN_FLIGHT if self.rate.wall is None else 1
        seen = self._throughput.per_second(now, RATE_SAMPLE_ALONE if level == 1 else RATE_SAMPLE_LEAST)
        if seen is not None and (paced or level <= few):
            self.rate.cut(min(seen, self.rate.value), now, pause_s)

    def _open(self, now: float) -> None:
        """A probe went well. A call sent earlier may have been told to wait longer meanwhile: that still holds."""
        self._refused_in_a_row = 0
        if self.closed_until is not None and now >= self.closed_until:
            self.closed_until, self._next_at = None, now

    def _ease(self, now: float) -> None:
        self.window.ease(self._start)
        self._cut_at = now

    def _is_news(self, ticket: Ticket) -> bool:
        return ticket.sent_at >= self._cut_at
