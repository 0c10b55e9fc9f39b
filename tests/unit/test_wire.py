"""Messages survive the way through a queue; whatever else is found there is named, without its values."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import wire
from shared.domain.change import Hint, RecordKey, Source, Why
from shared.domain.fact import EmailEvent, Fact, FactChunk
from shared.domain.resync import PageOrder
from tests.unit import examples

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
IDS = st.uuids().map(str)
TIMES = st.datetimes(timezones=st.just(UTC))
TABLES = st.from_regex(r"[a-z][a-z0-9_]{0,99}", fullmatch=True)
HINTS = st.builds(
    Hint,
    id=TEXTS,
    record=st.builds(RecordKey, TABLES, IDS),
    why=st.sampled_from(Why),
    source=st.sampled_from(Source),
    first_seen=TIMES,
    columns=st.frozensets(TEXTS, max_size=5),
    by=st.none() | IDS,
    attempt=st.integers(0, 10_000),
    origin=st.none() | TEXTS,
    changed_at=st.none() | TIMES,
)
FACTS = st.builds(
    Fact,
    id=TEXTS,
    event=st.sampled_from(EmailEvent),
    contact_id=IDS,
    campaign=TEXTS,
    delivery=TEXTS,
    at=TIMES,
    tracking_url=st.none() | TEXTS,
    mirror_page_url=st.none() | TEXTS,
)
CHUNKS = st.builds(FactChunk, TEXTS, st.lists(FACTS, max_size=4).map(tuple), TIMES, st.integers(0, 10_000))
PAGES = st.builds(
    PageOrder,
    st.just("20260304-050607-00aa11"),
    st.integers(0, 99),
    st.integers(0),
    st.integers(1),
    TIMES,
    st.integers(0),
)

A_HINT: dict[str, Any] = json.loads(wire.encode(examples.hint()))
A_CHUNK: dict[str, Any] = json.loads(wire.encode(examples.chunk(examples.fact())))
A_FACT: dict[str, Any] = A_CHUNK["facts"][0]


@given(HINTS | CHUNKS | PAGES)
def test_what_is_written_is_read_again(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@given(HINTS)
def test_the_same_hint_is_always_the_same_bytes(message: Hint) -> None:
    """Whatever order its set of columns has in this process."""
    assert wire.encode(message) == wire.encode(wire.decode_hint(wire.encode(message)))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(wire.UnreadableError):
        wire.decode(body)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "json_invalid"),
        (b"{", "json_invalid"),
        (b"\xff\xfe", "json_invalid"),
        (b"null", "type"),
        (b"[]", "type"),
        (b'"text"', "type"),
        (b"{}", "union_tag_not_found"),
        (json.dumps({**A_HINT, "kind": "order"}).encode(), "union_tag_invalid"),
        (("[" * 100_000).encode(), "json_invalid"),
    ],
)
def test_what_is_no_message_is_refused(body: bytes, place: str) -> None:
    with pytest.raises(wire.UnreadableError, match=place):
        wire.decode(body)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        pytest.param({"v": 2}, "hint.v: literal_error", id="a later version"),
        pytest.param({"v": None}, "hint.v: literal_error", id="no version"),
        pytest.param({"id": "x" * 301}, "hint.id: string_too_long", id="long id"),
        pytest.param({"table": "Contact"}, "hint.table: string_pattern", id="no logical name"),
        pytest.param({"record": examples.ID.upper()}, "hint.record: string_pattern", id="upper-case GUID"),
        pytest.param({"record": "1 or 1=1"}, "hint.record: string_pattern", id="no GUID"),
        pytest.param({"why": "merge"}, "hint.why: enum", id="unknown why"),
        pytest.param({"source": "fax"}, "hint.source: enum", id="unknown source"),
        pytest.param({"first_seen": "yesterday"}, "hint.first_seen: datetime", id="no time"),
        pytest.param({"first_seen": "2026-01-01T00:00:00"}, "hint.first_seen: timezone", id="a time without a zone"),
        pytest.param({"columns": "name"}, "hint.columns: list_type", id="no list"),
        pytest.param({"columns": [1]}, "hint.columns.0: string_type", id="no name"),
        pytest.param({"attempt": "often"}, "hint.attempt: int", id="no number"),
        pytest.param({"value": "Ada"}, "hint.value: extra_forbidden", id="a value"),
    ],
)
def test_a_hint_that_is_not_right_is_refused_with_the_place(change: dict[str, Any], place: str) -> None:
    with pytest.raises(wire.UnreadableError, match=place):
        wire.decode(json.dumps({**A_HINT, **change}).encode())


@pytest.mark.parametrize("name", ["v", "id", "table", "record", "why", "source", "first_seen"])
def test_a_hint_needs_every_field_that_has_no_default(name: str) -> None:
    body = json.dumps({key: value for key, value in A_HINT.items() if key != name}).encode()
    with pytest.raises(wire.UnreadableError, match=f"hint.{name}: missing"):
        wire.decode(body)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        pytest.param({"event": "sent"}, "facts.0.event: enum", id="unknown event"),
        pytest.param({"at": "noon"}, "facts.0.at: datetime", id="no time"),
        pytest.param({"at": "2026-01-01T00:00:00"}, "facts.0.at: timezone", id="a time without a zone"),
        pytest.param({"id": None}, "facts.0.id: string_type", id="no id"),
        pytest.param({"more": 1}, "facts.0.more: extra_forbidden", id="one field more"),
    ],
)
def test_a_fact_that_is_not_right_is_refused_with_the_place(change: dict[str, Any], place: str) -> None:
    with pytest.raises(wire.UnreadableError, match=place):
        wire.decode(json.dumps({**A_CHUNK, "facts": [{**A_FACT, **change}]}).encode())


def test_a_refusal_names_at_most_five_places_and_no_value() -> None:
    body = json.dumps({"kind": "hint", "why": "Ada Lovelace", "record": "ada@example.org"}).encode()
    with pytest.raises(wire.UnreadableError) as refusal:
        wire.decode(body)
    assert str(refusal.value).count(";") == 4
    assert "da" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_each_lane_reads_its_own_kind_only() -> None:
    hint, chunk = examples.hint(), examples.chunk(examples.fact())
    page = PageOrder("20260304-050607-00aa11", 1, 2, 1, examples.NOW)
    assert wire.decode_hint(wire.encode(hint)) == hint
    assert wire.decode_facts(wire.encode(chunk)) == chunk
    with pytest.raises(wire.UnreadableError, match="not a hint"):
        wire.decode_hint(wire.encode(chunk))
    with pytest.raises(wire.UnreadableError, match="not facts"):
        wire.decode_facts(wire.encode(hint))
    for message in (hint, page):
        assert wire.decode_bulk(wire.encode(message)) == message
    with pytest.raises(wire.UnreadableError, match="neither"):
        wire.decode_bulk(wire.encode(chunk))


def test_a_retry_has_a_message_id_of_its_own() -> None:
    """Protocol rule M3: the broker drops a second copy of the same attempt, not the next attempt."""
    assert [examples.hint(attempt=attempt).message_id for attempt in (0, 1, 2)] == ["h1", "h1:1", "h1:2"]
    assert [examples.chunk(attempt=attempt).message_id for attempt in (0, 1)] == ["facts/f1", "facts/f1:1"]
