"""What the bridge counts, for OpenTelemetry; without an exporter in the process it costs next to nothing.

docs/operations.md lists the instruments. Attributes hold lanes, reasons, systems and the like: no ids, so that their
number stays small.
"""

from __future__ import annotations

from typing import Literal

from opentelemetry import metrics

Outcome = Literal["settled", "retried", "parked"]
# From what a waiting person does not notice to what an alarm is about; in seconds.
LAG_BOUNDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400)
CALL_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_meter = metrics.get_meter("bridge")
_messages = _meter.create_counter("bridge.messages", "{message}", "How messages were settled.")
_lag = _meter.create_histogram(
    "bridge.lag", "s", "From a change being seen to its end.", explicit_bucket_boundaries_advisory=LAG_BOUNDS
)
_calls = _meter.create_counter("bridge.calls", "{call}", "Calls to Dynamics and Campaign.")
_durations = _meter.create_histogram(
    "bridge.call.duration", "s", "How long calls took.", explicit_bucket_boundaries_advisory=CALL_BOUNDS
)
_alarms = _meter.create_counter("bridge.alarms", "{alarm}", "Alarms raised.")


def message(lane: str, reason: str, outcome: Outcome, lag_s: float | None) -> None:
    """One message was settled, in whatever way. The lag counts only where that was the end of it."""
    _messages.add(1, {"lane": lane, "reason": reason, "outcome": outcome})
    if outcome == "settled" and lag_s is not None:
        _lag.record(lag_s, {"lane": lane})


def call(system: str, kind: str, status: int | None, seconds: float) -> None:
    """One call ended. `status` None: without an answer."""
    _calls.add(1, {"system": system, "kind": kind, "status": str(status) if status is not None else "none"})
    _durations.record(seconds, {"system": system, "kind": kind})


def alarm(reason: str) -> None:
    """Somebody should look."""
    _alarms.add(1, {"reason": reason})
