"""Rows of the mapping where types are known: what is cut, what must not be sent, and which columns are read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import filters
from shared.domain.contact import Contact, Value
from shared.domain.filters import Condition, Operator
from shared.domain.mapping import (
    ColumnType,
    Constant,
    FieldRow,
    FromColumn,
    FromTemplate,
    Lookup,
    Mapping,
    Mappings,
    Picklist,
    Target,
    TargetType,
    TooLong,
    Types,
    agree,
)
from tests.unit.domain.test_conversion import TARGETS, VALUES
from tests.unit.examples import ID, NOW

SHORT = Types({"a": ColumnType.STRING}, {"x": Target(TargetType.STRING, 3)})


def contact(**columns: Value) -> Contact:
    return Contact(ID, "1", NOW, columns)


def mapping(*rows: FieldRow, types: Types | None = None) -> Mapping:
    return Mapping("1", "contact", rows, types=types or Types())


@pytest.mark.parametrize(
    ("value", "kept", "cut"),
    [("Ada", "Ada", False), ("Adam", "Ada", True), ("🙂🙂🙂", "🙂🙂🙂", False), ("", None, False)],
)
def test_a_text_that_is_too_long_can_be_cut(value: str, kept: str | None, cut: bool) -> None:
    found = mapping(FieldRow("x", FromColumn("a"), too_long=TooLong.TRUNCATE), types=SHORT).desired(contact(a=value))
    assert found.fields == {"x": kept}
    assert found.truncated == ({"x"} if cut else set())
    assert not found.overlong


def test_or_it_is_named_and_must_not_be_sent() -> None:
    found = mapping(FieldRow("x", FromColumn("a")), types=SHORT).desired(contact(a="Adam"))
    assert found.overlong == {"x"}
    assert not found.truncated | found.unconvertible
    assert found.fields == {"x": "Adam"}


@pytest.mark.parametrize("source", [FromTemplate("{a}!"), Constant("Ada!")])
def test_every_kind_of_row_has_the_same_length(source: FromTemplate | Constant) -> None:
    assert mapping(FieldRow("x", source), types=SHORT).desired(contact(a="Ada")).overlong == {"x"}


def test_a_value_of_the_wrong_type_is_named_and_stays_visible() -> None:
    types = Types({"a": ColumnType.STRING}, {"x": Target(TargetType.INTEGER)})
    found = mapping(FieldRow("x", FromColumn("a"), default=0), types=types).desired(contact(a="many"))
    assert found.unconvertible == {"x"}
    assert found.fields == {"x": "many"}, "an empty value in its place would erase the field"


def test_replacements_and_defaults_are_sent_as_they_are_written() -> None:
    types = Types({"a": ColumnType.PICKLIST}, {"x": Target(TargetType.STRING)})
    row = FieldRow("x", FromColumn("a"), replacements={"1": 5}, default=7)
    assert mapping(row, types=types).desired(contact(a=1)).fields == {"x": 5}
    assert mapping(row, types=types).desired(contact(a=None)).fields == {"x": 7}
    assert mapping(row, types=types).desired(contact(a=2)).fields == {"x": "2"}


def test_one_of_several_choices_can_be_left_out() -> None:
    types = Types({"a": ColumnType.MULTI_SELECT}, {"x": Target(TargetType.STRING)})
    row = FieldRow("x", FromColumn("a"), replacements={"2": None, "3": "three"}, default="none")
    assert mapping(row, types=types).desired(contact(a="1,2,3")).fields == {"x": "1;three"}
    assert mapping(row, types=types).desired(contact(a="2")).fields == {"x": "none"}


def test_a_template_shows_what_it_can() -> None:
    types = Types({"born": ColumnType.DATE, "odd": ColumnType.DOUBLE, "vip": ColumnType.BOOLEAN}, {})
    row = FieldRow("x", FromTemplate("{born} {odd} {vip} {more}"))
    columns: dict[str, Value] = {"born": "1980-10-24", "odd": float("nan"), "vip": True, "more": 2.0}
    found = mapping(row, types=types).desired(contact(**columns))
    assert found.fields == {"x": "1980-10-24 true 2"}
    assert mapping(row).desired(contact()).fields == {"x": None}


def test_a_label_needs_a_value_and_a_reason() -> None:
    """Every formatted value comes as a label: a number's must not travel in its place."""
    types = Types({"money": ColumnType.MONEY}, {})
    row = Contact(ID, "1", NOW, {"money": 12.5, "gone": None}, {"money": "€ 12.50", "gone": "old", "free": "x"})
    assert FieldRow("x", FromColumn("money", Picklist.LABEL)).filled(row, types).value == 12.5
    assert FieldRow("x", FromColumn("gone", Picklist.LABEL)).filled(row, types).value is None
    assert FieldRow("x", FromColumn("money", lookup=Lookup.NAME)).filled(row, Types()).value == "€ 12.50"


@pytest.mark.parametrize(
    ("value", "columns", "source", "raw"),
    [
        (FromColumn("a"), ("a",), "a", 1),
        (FromTemplate("{a}-{b}"), ("a", "b"), "{a}-{b}", "1-2"),
        (FromTemplate("{c}"), ("c",), "{c}", None),
        (Constant(True), (), "= true", True),
    ],
)
def test_where_a_value_comes_from(
    value: FromColumn | FromTemplate | Constant, columns: tuple[str, ...], source: str, raw: Value
) -> None:
    row = FieldRow("x", value)
    assert (row.columns, row.source, row.raw(contact(a=1, b=2))) == (columns, source, raw)


def test_a_bad_template_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="does not name a column"):
        FromTemplate("{a.__class__}")


def test_the_columns_to_read() -> None:
    rows = (
        FieldRow("x", FromTemplate("{a} {b}")),
        FieldRow("y", FromColumn("owner", lookup=Lookup.ID)),
        FieldRow("z", FromColumn("company")),
        FieldRow("c", Constant(1)),
    )
    tree = filters.Any((Condition("state", Operator.EQUALS, 0), Condition("boss", Operator.IS_EMPTY)))
    types = Types({"company": ColumnType.CUSTOMER, "boss": ColumnType.LOOKUP, "a": ColumnType.STRING}, {})
    found = replace(mapping(*rows, types=types), filters=tree)
    assert found.columns == ("a", "b", "boss", "company", "owner", "state")
    assert found.field_columns == set(found.columns)
    assert found.lookup_columns == {"boss", "company", "owner"}
    assert mapping(*rows).lookup_columns == {"owner"}


LABEL = FieldRow("x", FromColumn("a", Picklist.LABEL))
NAME = FieldRow("x", FromColumn("a", lookup=Lookup.NAME))
CODE = FieldRow("x", FromColumn("a", Picklist.CODE, Lookup.ID))


@pytest.mark.parametrize(
    ("rows", "tree", "wants"),
    [
        ((CODE, FieldRow("y", Constant("b"))), None, False),
        ((CODE, LABEL), None, True),
        ((CODE, NAME), None, True),
        ((CODE,), Condition("a", Operator.EQUALS, "Preferred"), True),
    ],
)
def test_labels_are_read_only_where_something_looks_at_them(
    rows: tuple[FieldRow, ...], tree: filters.Filter | None, wants: bool
) -> None:
    assert replace(mapping(*rows), filters=tree).wants_labels is wants


def test_types_go_to_the_table_that_they_are_of() -> None:
    pairs = Mappings(mapping(CODE), (Mapping("1", "new_car", (CODE,), types=SHORT),))
    other = Types({"a": ColumnType.MONEY}, {})
    typed = pairs.with_types({"contact": other, "new_boat": other})
    assert [pair.types for pair in typed.tables] == [other, SHORT]
    assert [pair.types for pair in pairs.tables] == [Types(), SHORT]


def test_two_values_that_look_the_same_in_campaign_agree() -> None:
    assert agree("", None)
    assert agree(5, 5.0)
    assert not agree("5", 5)


SOURCES = st.sampled_from([FromColumn("a"), FromColumn("a", Picklist.LABEL, Lookup.NAME), FromTemplate("{a} {b}")])


@given(
    value=VALUES,
    column=st.none() | st.sampled_from(ColumnType),
    target=TARGETS,
    source=SOURCES,
    labels=st.just({}) | st.just({"a": "Tea; Coffee"}),
    too_long=st.sampled_from(TooLong),
    replacements=st.just({}) | st.just({"1": "one", "Tea": None}),
)
def test_every_contact_has_a_desired_profile(
    value: Value,
    column: ColumnType | None,
    target: Target | None,
    source: FromColumn | FromTemplate,
    labels: dict[str, str],
    too_long: TooLong,
    replacements: dict[str, Value],
) -> None:
    """Over all column and field types; and what may be sent keeps to the field's length and type."""
    types = Types({"a": column} if column else {}, {"x": target} if target else {})
    row = FieldRow("x", source, replacements=replacements, too_long=too_long)
    rules = mapping(row, types=types)
    found = rules.desired(Contact(ID, "1", NOW, {"a": value, "b": 1}, labels))
    assert found == rules.desired(Contact(ID, "2", NOW, {"a": value, "b": 1}, labels)) or value != value
    sent = found.fields["x"]
    if found.unconvertible | found.overlong or sent is None or target is None:
        return
    assert json.dumps(sent)
    if isinstance(sent, str) and target.type is TargetType.STRING and target.length is not None:
        assert len(sent) <= target.length
