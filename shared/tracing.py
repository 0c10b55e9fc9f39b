"""One trace a change, whichever worker has it: the trace's id is computed from the id that its messages carry.

So messages need no trace context of their own, and a retry, a parked message that is replayed weeks later, or the hint
that the work on another one caused, all stand under one trace. Without an exporter it costs next to nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from shared.domain.change import Hint, Why
from shared.wire import Message

_tracer = trace.get_tracer("bridge")
# The endings that a hint's id gets: which lane it is for, and what caused it (`Hint.follow_up`).
_ENDING = re.compile(rf"/({'|'.join(Why)})(-[^/]*)?$")


def correlation(message_id: str) -> str:
    """What a change's messages have in common: the id without the endings that tell them apart."""
    shorter = _ENDING.sub("", message_id)
    return shorter if shorter == message_id else correlation(shorter)


def trace_of(message: Message) -> int:
    """The trace's id, 128 bits; the same for every message of one change."""
    return int.from_bytes(_hash(message)[:16], "big")


@contextmanager
def announced(*hints: Hint) -> Iterator[None]:
    """A way in makes the hints of one change durable, if it gives any: they share a trace."""
    with _span("announce", hints[0], SpanKind.PRODUCER, hints=len(hints)) if hints else nullcontext():
        yield


@contextmanager
def worked_on(lane: str, message: Message) -> Iterator[None]:
    """One try at a message, in its change's trace."""
    with _span(lane, message, SpanKind.CONSUMER, attempt=message.attempt):
        yield


def told(reason: str) -> None:
    """How the try under way ended."""
    trace.get_current_span().set_attribute("bridge.reason", reason)


@contextmanager
def _span(name: str, message: Message, kind: SpanKind, **numbers: int) -> Iterator[None]:
    """Linked with the span that the host began for this call. An exception's text may hold a value: it is left out."""
    attributes: dict[str, str | int] = {f"bridge.{key}": value for key, value in numbers.items()}
    attributes["bridge.message"] = message.message_id
    caller = trace.get_current_span().get_span_context()
    links = [Link(caller)] if caller.is_valid else []
    with _tracer.start_as_current_span(
        name,
        trace.set_span_in_context(NonRecordingSpan(_origin(message))),
        kind,
        attributes,
        links,
        record_exception=False,
        set_status_on_exception=False,
    ):
        yield


def _origin(message: Message) -> SpanContext:
    """Where the trace began, as if another process had told: that process may be long gone."""
    span_id = int.from_bytes(_hash(message)[16:24], "big")
    return SpanContext(trace_of(message), span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _hash(message: Message) -> bytes:
    return hashlib.sha256(correlation(message.id).encode()).digest()
