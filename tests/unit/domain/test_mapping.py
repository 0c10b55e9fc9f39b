"""What a contact's profile should hold, and when it differs from the one that is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contact import OLDEST, Contact, Flag, Profile, Value
from shared.domain.mapping import Desired, FieldRow, FromColumn, Picklist, Types, digest
from tests.unit.examples import FIELDS, ID, MAPPING, NOW, contact, profile

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


def row(**columns: Value) -> Contact:
    return Contact(ID, "1", NOW, columns, {"code": "Female", "empty": ""})


@pytest.mark.parametrize(
    ("rule", "columns", "value"),
    [
        pytest.param(FieldRow("x", FromColumn("a")), {"a": "Ada"}, "Ada", id="as it is"),
        pytest.param(FieldRow("x", FromColumn("a")), {}, None, id="absent"),
        pytest.param(FieldRow("x", FromColumn("a")), {"a": None}, None, id="null"),
        pytest.param(FieldRow("x", FromColumn("a"), default="?"), {}, "?", id="default for absent"),
        pytest.param(FieldRow("x", FromColumn("a"), default="?"), {"a": None}, "?", id="default for null"),
        pytest.param(FieldRow("x", FromColumn("a"), default="?"), {"a": ""}, "?", id="default for an empty text"),
        pytest.param(FieldRow("x", FromColumn("a"), default="?"), {"a": 0}, 0, id="zero is a value"),
        pytest.param(FieldRow("x", FromColumn("a"), default=True), {"a": False}, False, id="false is a value"),
        pytest.param(FieldRow("x", FromColumn("a"), default="?"), {"a": " "}, " ", id="a blank is a value"),
        pytest.param(FieldRow("x", FromColumn("a")), {"a": ""}, None, id="an empty text is empty"),
        pytest.param(
            FieldRow("x", FromColumn("a"), replacements={"2": "female"}), {"a": 2}, "female", id="replaced by code"
        ),
        pytest.param(FieldRow("x", FromColumn("a"), replacements={"2": "female"}), {"a": 1}, 1, id="not replaced"),
        pytest.param(
            FieldRow("x", FromColumn("a"), replacements={"0": None}, default="?"), {"a": 0}, None, id="replaced by null"
        ),
        pytest.param(
            FieldRow("x", FromColumn("a"), replacements={"true": 1}), {"a": True}, 1, id="a boolean is replaced"
        ),
        pytest.param(
            FieldRow("x", FromColumn("a"), replacements={"": "none"}, default="?"),
            {"a": ""},
            "none",
            id="empty replaced",
        ),
        pytest.param(FieldRow("x", FromColumn("code", Picklist.CODE)), {"code": 2}, 2, id="code"),
        pytest.param(FieldRow("x", FromColumn("code", Picklist.LABEL)), {"code": 2}, "Female", id="label"),
        pytest.param(
            FieldRow("x", FromColumn("code", Picklist.LABEL), replacements={"Female": "f"}),
            {"code": 2},
            "f",
            id="label replaced",
        ),
        pytest.param(
            FieldRow("x", FromColumn("code", Picklist.LABEL), replacements={"2": "f"}),
            {"code": 2},
            "Female",
            id="not by its code",
        ),
        pytest.param(FieldRow("x", FromColumn("a", Picklist.LABEL)), {"a": "Ada"}, "Ada", id="no label: the value"),
        pytest.param(
            FieldRow("x", FromColumn("empty", Picklist.LABEL), default="?"), {"empty": 9}, "?", id="empty label"
        ),
    ],
)
def test_a_row_of_the_mapping_gives_one_value(rule: FieldRow, columns: dict[str, Value], value: Value) -> None:
    found = rule.filled(row(**columns), Types()).value
    assert found == value
    assert type(found) is type(value)


def test_a_contact_gives_fields_and_opt_outs() -> None:
    desired = MAPPING.desired(contact(no_mail=True))
    assert desired.fields == FIELDS
    assert desired.opted_out == {"blackListEmail": True, "blackListPhone": False}


@pytest.mark.parametrize("empty", [None, "", ...])
def test_an_empty_opt_out_column_means_not_opted_out(empty: object) -> None:
    columns = {} if empty is ... else {"no_mail": empty}
    assert MAPPING.opted_out(row(**columns))["blackListEmail"] is False  # type: ignore[arg-type]


def test_the_columns_that_each_lane_asks_for() -> None:
    assert MAPPING.field_columns == {"first", "town"}
    assert MAPPING.opt_out_columns == {"no_mail", "no_phone"}
    assert MAPPING.columns == ("first", "no_mail", "no_phone", "town")


@pytest.mark.parametrize(
    ("seen", "differs"),
    [
        pytest.param({"firstName": "Ada", "location.city": "London"}, False, id="equal"),
        pytest.param(
            {"firstName": "Ada", "location.city": "London", "more": 1}, False, id="fields that are not mapped"
        ),
        pytest.param({"firstName": "Ada", "location.city": "Paris"}, True, id="another value"),
        pytest.param({"firstName": "Ada"}, True, id="a field is missing"),
        pytest.param({"firstName": "Ada", "location.city": ""}, True, id="empty there"),
    ],
)
def test_a_profile_differs_where_a_mapped_field_does(seen: dict[str, Value], differs: bool) -> None:
    assert MAPPING.desired(contact()).differs_from(profile(fields=seen)) is differs


@pytest.mark.parametrize(
    ("wanted", "seen", "differs"),
    [
        (None, None, False),
        (None, "", False),
        (None, ..., False),
        ("", None, False),
        (None, 0, True),
        (None, False, True),
        (0, "", True),
        (False, "", True),
        (0, None, True),
        (0, 0, False),
        (" ", "", True),
    ],
)
def test_campaign_shows_an_empty_field_as_an_empty_text(wanted: Value, seen: object, differs: bool) -> None:
    fields = {} if seen is ... else {"x": seen}
    there = Profile("@1", fields)  # type: ignore[arg-type]
    assert Desired({}, {"x": wanted}, "digest", {}, "id").differs_from(there) is differs


def test_opt_outs_differ_only_where_both_sides_have_them() -> None:
    desired = MAPPING.desired(contact(no_mail=True))
    assert desired.opt_outs_differ_from(profile())
    assert not desired.opt_outs_differ_from(profile(blackListEmail=True))
    assert not desired.opt_outs_differ_from(Profile("@1", {}, {"blackListPhone": Flag(False, OLDEST)}))
    assert not desired.opt_outs_differ_from(Profile("@1", {}))


def test_a_digest_holds_no_value_and_is_the_same_for_ever() -> None:
    """Pinned: a release that changed it would write every profile once more."""
    assert digest(ID, FIELDS) == "8e6d50e2eaab6b97cabfa78c99ee9378e52d3a6dc330a2df75a342dd459c69c3"


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_a_digest_does_not_depend_on_the_order_of_the_rows(fields: dict[str, Value]) -> None:
    assert digest(ID, fields) == digest(ID, dict(reversed(fields.items())))
    assert len(digest(ID, fields)) == 64


@given(st.dictionaries(st.text(), VALUES, min_size=1, max_size=5), VALUES, st.data())
def test_another_value_is_another_digest(fields: dict[str, Value], value: Value, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(fields)))
    same = repr(fields[name]) == repr(value)
    assert (digest(ID, fields) == digest(ID, {**fields, name: value})) is same


def test_equal_values_of_two_people_do_not_look_alike() -> None:
    assert digest(ID, FIELDS) != digest(ID.replace("5", "6"), FIELDS)


def test_no_value_can_slip_into_the_next_ones_place() -> None:
    assert digest(ID, {"a": "b", "c": None}) != digest(ID, {"a": "b,c", "c": None})
    assert digest(ID, {"a": 1}) != digest(ID, {"a": "1"})
    assert digest(ID, {"a": None}) != digest(ID, {"a": ""})


def test_a_text_cut_in_the_middle_of_a_character_still_has_a_desired_profile() -> None:
    r"""Dataverse counts UTF-16 units: a column's limit can leave half an emoji, which JSON carries as `\ud83d`."""
    desired = MAPPING.desired(contact(first="Ada \ud83d"))
    assert desired.digest != MAPPING.desired(contact(first="Ada \ud83e")).digest
