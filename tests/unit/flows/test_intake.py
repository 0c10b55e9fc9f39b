"""Which lanes an announced change concerns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.change import RecordKey, RowChange, RowEvent, Source, Why
from shared.domain.mapping import Mapping, Mappings
from shared.flows.intake import decide
from tests.unit.examples import KEY, MAPPING, NOW

NO_OPT_OUTS = replace(MAPPING, opt_outs=())
CREATE, UPDATE, DELETE = RowChange


def whys(change: RowChange, columns: set[str] | None, mapping: Mapping = MAPPING) -> list[tuple[Why, set[str]]]:
    event = RowEvent(KEY, change, None if columns is None else frozenset(columns), "user")
    hints = decide(Mappings(mapping), event, Source.WEBHOOK, "event", NOW)
    assert all(
        (hint.record, hint.source, hint.first_seen, hint.by) == (KEY, Source.WEBHOOK, NOW, "user") for hint in hints
    )
    assert [hint.id for hint in hints] == [f"event/{hint.why}" for hint in hints]
    return [(hint.why, set(hint.columns)) for hint in hints]


@pytest.mark.parametrize(
    ("change", "columns", "expected"),
    [
        pytest.param(UPDATE, {"first"}, [(Why.UPSERT, {"first"})], id="a mapped column"),
        pytest.param(UPDATE, {"first", "town", "more"}, [(Why.UPSERT, {"first", "town"})], id="and others"),
        pytest.param(UPDATE, {"no_mail"}, [(Why.OPTOUT, {"no_mail"})], id="an opt-out"),
        pytest.param(
            UPDATE,
            {"first", "no_mail"},
            [(Why.UPSERT, {"first"}), (Why.OPTOUT, {"no_mail"})],
            id="a column and an opt-out",
        ),
        pytest.param(UPDATE, {"more", "modifiedon"}, [], id="nothing that is mapped"),
        pytest.param(UPDATE, set(), [], id="no column"),
        pytest.param(UPDATE, None, [(Why.UPSERT, set()), (Why.OPTOUT, set())], id="columns unsaid: look at everything"),
        pytest.param(
            CREATE,
            {"first"},
            [(Why.UPSERT, set())],
            id="a creation carries the opt-outs itself",
        ),
        pytest.param(CREATE, None, [(Why.UPSERT, set())], id="a large creation"),
        pytest.param(DELETE, set(), [(Why.DELETE, set())], id="a deletion"),
        pytest.param(DELETE, None, [(Why.DELETE, set())], id="a large deletion"),
    ],
)
def test_a_change_gives_these_hints(change: RowChange, columns: set[str] | None, expected: object) -> None:
    assert whys(change, columns) == expected


def test_without_opt_outs_in_the_mapping_nobody_looks_at_them() -> None:
    assert whys(UPDATE, None, NO_OPT_OUTS) == [(Why.UPSERT, set())]
    assert whys(UPDATE, {"no_mail"}, NO_OPT_OUTS) == []
    assert whys(CREATE, set(), NO_OPT_OUTS) == [(Why.UPSERT, set())]


@pytest.mark.parametrize("change", RowChange)
def test_a_hint_says_whether_the_announcement_was_of_a_creation(change: RowChange) -> None:
    hints = decide(Mappings(MAPPING), RowEvent(KEY, change, None, "user"), Source.WEBHOOK, "event", NOW)
    assert {hint.created for hint in hints} == {change is RowChange.CREATE}
    assert {hint.by for hint in hints} == {"user"}


@pytest.mark.parametrize("change", RowChange)
def test_a_table_that_is_not_mapped_gives_none(change: RowChange) -> None:
    event = RowEvent(RecordKey("account", KEY.id), change, None, None)
    assert decide(Mappings(MAPPING), event, Source.WEBHOOK, "event", NOW) == []


def test_an_opt_out_hint_says_when_dynamics_stored_the_change() -> None:
    event = RowEvent(KEY, UPDATE, frozenset({"first", "no_mail"}), "user", NOW)
    hints = decide(Mappings(MAPPING), event, Source.WEBHOOK, "event", NOW)
    assert {hint.why: hint.changed_at for hint in hints} == {Why.UPSERT: None, Why.OPTOUT: NOW}
