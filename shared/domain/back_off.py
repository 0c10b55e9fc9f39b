"""How long a message waits before it is tried again."""

from __future__ import annotations


def back_off_s(first_s: float, longest_s: float, attempt: int, waited_s: float) -> float:
    """Seconds: doubled at each attempt, but never longer than it has waited already.

    `attempt` also counts the short waits for another worker's claim, which say nothing of an outage: after ten of them
    in half a minute the next wait is half a minute at most.
    """
    return min(longest_s, first_s * 2.0 ** min(attempt, 20), max(first_s, waited_s))
