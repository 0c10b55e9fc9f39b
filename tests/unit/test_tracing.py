"""One change is one trace, through hint, retry, park and replay; and the metrics say what the log lines say."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import metrics, tracing
from shared.domain.change import Hint, Lane, RecordKey, Source, Why
from shared.errors import Reason
from shared.telemetry import Telemetry

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVENT = "0123456789abcdef0123456789abcdef"


def hint(name: str = f"{EVENT}/upsert", why: Why = Why.UPSERT) -> Hint:
    return Hint(name, RecordKey("contact", "1"), why, Source.WEBHOOK, NOW)


@pytest.fixture
def spans(monkeypatch) -> InMemorySpanExporter:
    """What a process with an exporter would send."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("bridge"))
    return exporter


@pytest.mark.parametrize(
    ("message_id", "common"),
    [
        (f"{EVENT}/upsert", EVENT),
        (f"{EVENT}/optout", EVENT),
        (f"{EVENT}/upsert/optout-a1b2", EVENT),
        (f"{EVENT}/upsert/optout-a1b2/verify-c3", EVENT),
        ("file/recipients.txt/5e08399a", "file/recipients.txt/5e08399a"),
        ("chunk-17", "chunk-17"),
    ],
)
def test_what_a_changes_messages_have_in_common(message_id: str, common: str) -> None:
    assert tracing.correlation(message_id) == common


def test_every_message_of_a_change_is_in_its_trace() -> None:
    first = hint()
    caused = first.follow_up(Why.OPTOUT, "a1b2")
    others = (hint(f"{EVENT}/optout", Why.OPTOUT), replace(first, attempt=7), caused, caused.follow_up(Why.VERIFY, "c"))
    assert {tracing.trace_of(one) for one in others} == {tracing.trace_of(first)}
    assert tracing.trace_of(hint("f" * 32 + "/upsert")) != tracing.trace_of(first)


def test_announcement_and_tries_are_spans_of_one_trace(spans: InMemorySpanExporter) -> None:
    with tracing.announced(hint(), hint(f"{EVENT}/optout", Why.OPTOUT)):
        pass
    with tracing.worked_on(Lane.CONTACT_UPSERT, replace(hint(), attempt=2)):
        tracing.told("written")
    announced, tried = spans.get_finished_spans()
    assert announced.context.trace_id == tried.context.trace_id == tracing.trace_of(hint())
    assert (announced.name, tried.name) == ("announce", "contact-upsert")
    assert tried.attributes == {
        "bridge.message": f"{EVENT}/upsert:2",
        "bridge.attempt": 2,
        "bridge.reason": "written",
    }


def test_the_hosts_own_span_is_linked(spans: InMemorySpanExporter) -> None:
    with tracing._tracer.start_as_current_span("invocation") as invocation, tracing.announced(hint()):
        pass
    (announced, _) = spans.get_finished_spans()
    assert [link.context.span_id for link in announced.links] == [invocation.get_span_context().span_id]


def test_an_announcement_without_hints_needs_no_span(spans: InMemorySpanExporter) -> None:
    with tracing.announced():
        pass
    assert not spans.get_finished_spans()


def test_what_an_unexpected_error_says_is_not_exported(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="canary"), tracing.worked_on(Lane.OPTOUT, hint()):
        raise ValueError("canary@example.com")
    (span,) = spans.get_finished_spans()
    assert "canary" not in span.to_json()


class Counted:
    """Stands in for an instrument."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, dict[str, str]]] = []

    def add(self, number: float, attributes: dict[str, str]) -> None:
        self.seen.append((number, attributes))

    record = add


@pytest.mark.parametrize(
    ("again_in_s", "parked", "outcome"), [(None, False, "settled"), (5.0, False, "retried"), (None, True, "parked")]
)
def test_a_decision_is_counted_by_lane_and_reason(monkeypatch, caplog, again_in_s, parked, outcome) -> None:
    messages, lag = Counted(), Counted()
    monkeypatch.setattr(metrics, "_messages", messages)
    monkeypatch.setattr(metrics, "_lag", lag)
    caplog.set_level(logging.INFO)
    Telemetry().decision(
        lane=Lane.OPTOUT,
        message=hint(),
        reason=Reason.WRITTEN,
        detail="",
        lag_s=1.5,
        again_in_s=again_in_s,
        parked=parked,
        mapping="1",
    )
    assert messages.seen == [(1, {"lane": "optout", "reason": "written", "outcome": outcome})]
    assert lag.seen == ([(1.5, {"lane": "optout"})] if outcome == "settled" else [])
