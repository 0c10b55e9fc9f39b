"""Service protection: counts each user's requests, execution time and calls at once, and refuses the excess."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime

from sandbox.dataverse.config import Limits
from sandbox.dataverse.faults import throttled


class Protection:
    """A sliding window per user. With `limits` None nothing is refused, but calls at once are still known."""

    def __init__(self, limits: Limits | None, now: Callable[[], datetime]) -> None:
        self.limits = limits
        self._now = now
        self._calls: dict[str, deque[tuple[float, float]]] = {}
        self._at_once: Counter[str] = Counter()

    def enter(self, user_id: str) -> None:
        """Admit a call, to be closed by `leave`. Raises ApiError 429."""
        limits = self.limits
        if limits is not None:
            calls = self._recent(user_id, limits)
            if self._at_once[user_id] >= limits.at_once:
                raise throttled("concurrency", 1)
            if len(calls) >= limits.requests:
                raise throttled("requests", self._wait_s(calls, limits))
            if sum(duration for _, duration in calls) >= limits.busy_s:
                raise throttled("time", self._wait_s(calls, limits))
        self._at_once[user_id] += 1

    def leave(self, user_id: str, duration_s: float) -> None:
        """Close an admitted call."""
        self._at_once[user_id] -= 1
        if self.limits is not None:
            self._calls.setdefault(user_id, deque()).append((self._now().timestamp(), duration_s))

    def headers(self, user_id: str) -> dict[str, str]:
        """What is left for this user, as every answer tells."""
        limits = self.limits or Limits()
        calls = self._recent(user_id, limits)
        busy_s = sum(duration for _, duration in calls)
        return {
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(max(0, limits.requests - len(calls))),
            "x-ms-ratelimit-time-remaining-xrm-requests": f"{max(0.0, limits.busy_s - busy_s):.2f}",
        }

    def clear(self) -> None:
        self._calls.clear()

    def _recent(self, user_id: str, limits: Limits) -> deque[tuple[float, float]]:
        calls = self._calls.setdefault(user_id, deque())
        oldest = self._now().timestamp() - limits.window_s
        while calls and calls[0][0] <= oldest:
            calls.popleft()
        return calls

    def _wait_s(self, calls: deque[tuple[float, float]], limits: Limits) -> int:
        """Until the oldest call leaves the window."""
        return max(1, math.ceil(calls[0][0] + limits.window_s - self._now().timestamp()))
