"""A filter as Dataverse is asked: it may let more rows pass than the filter, never fewer."""

from __future__ import annotations

import pytest

from shared.clients.dynamics.wire_filter import condition
from shared.domain.contact import Value
from shared.domain.conversion import ColumnType
from shared.domain.filters import Condition, Operator
from shared.mapping_file import MappingError, filter_text

TYPES = {
    "lastname": ColumnType.STRING,
    "statecode": ColumnType.STATE,
    "donotemail": ColumnType.BOOLEAN,
    "birthdate": ColumnType.DATE,
    "modifiedon": ColumnType.DATETIME,
    "parentcustomerid": ColumnType.CUSTOMER,
    "interests": ColumnType.MULTI_SELECT,
    "revenue": ColumnType.MONEY,
}
GUID = "5B6F4A1C-77D2-EF11-8EE9-000D3A4B5C6D"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("{column: statecode, is: equals, value: 0}", "statecode eq 0"),
        ("{column: statecode, is: equals, value: Active}", None),
        ("{column: statecode, is: not_equals, value: 0}", "(statecode eq null or (statecode ne 0))"),
        ("{column: statecode, is: in, value: [0, 1]}", "(statecode eq 0 or statecode eq 1)"),
        ("{column: statecode, is: in, value: [0, Inactive]}", None),
        ("{column: statecode, is: not_in, value: [0]}", "(statecode eq null or (statecode ne 0))"),
        ("{column: statecode, is: not_in, value: [0, Inactive]}", None),
        ("not: {not: {column: statecode, is: equals, value: 0}}", "statecode eq 0"),
        ("{column: donotemail, is: equals, value: true}", "donotemail eq true"),
        ("{column: lastname, is: equals, value: O'Neil}", "lastname eq 'O''Neil'"),
        ("{column: lastname, is: not_equals, value: Jose}", None),
        ("{column: lastname, is: contains, value: son}", "contains(lastname,'son')"),
        ("{column: lastname, is: begins_with, value: 100%}", None),
        ("{column: lastname, is: not_contains, value: son}", None),
        ("{column: lastname, is: is_empty}", "(lastname eq null or lastname eq '')"),
        ("{column: lastname, is: is_not_empty}", "lastname ne null"),
        ("{column: revenue, is: greater, value: 10.5}", "revenue gt 10.5"),
        ("{column: birthdate, is: before, value: 2000-01-01}", "birthdate lt 2000-01-01"),
        ("{column: birthdate, is: on_or_after, value: 2000-01-01T10:00Z}", None),
        ("{column: modifiedon, is: on_or_after, value: 2026-01-01T10:00+02:00}", "modifiedon ge 2026-01-01T08:00:00Z"),
        (f"{{column: parentcustomerid, is: equals, value: {GUID}}}", f"_parentcustomerid_value eq {GUID.lower()}"),
        ("{column: parentcustomerid, is: equals, value: Contoso}", None),
        ("{column: parentcustomerid, is: is_empty}", "_parentcustomerid_value eq null"),
        ("{column: interests, is: contains, value: 1}", None),
    ],
)
def test_one_condition(text: str, asked: str | None) -> None:
    found = condition(filter_text.read(text), TYPES)
    assert found in (asked, f"({asked})")


@pytest.mark.parametrize(("column", "value"), [("birthdate", "soon"), ("lastname", None)])
def test_a_value_that_the_column_cannot_have_is_not_asked_for(column: str, value: Value) -> None:
    operator = Operator.BEFORE if column == "birthdate" else Operator.EQUALS
    assert condition(Condition(column, operator, value), TYPES) is None


def test_what_cannot_be_asked_widens_all_and_spoils_any() -> None:
    state, label = "{column: statecode, is: equals, value: 0}", "{column: statecode, is: equals, value: Active}"
    assert condition(filter_text.read(f"all: [{state}, {label}]"), TYPES) == "((statecode eq 0))"
    assert condition(filter_text.read(f"any: [{state}, {label}]"), TYPES) is None


def test_not_goes_down_to_the_conditions() -> None:
    text = "not: {any: [{column: statecode, is: equals, value: 1}, {column: lastname, is: is_empty}]}"
    asked = condition(filter_text.read(text), TYPES)
    assert asked == "((statecode eq null or (statecode ne 1)) and lastname ne null)"
    twice = filter_text.read("not: {not: {column: statecode, is: equals, value: 1}}")
    assert condition(twice, TYPES) == "(statecode eq 1)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{column: statecode, is: equal, value: 0}", "Did you mean `equals`?"),
        ("{column: statecode}", "`is` is missing"),
        ("{colum: statecode, is: equals, value: secret-value}", "colum"),
        ("[1", "not YAML"),
        ("all: []", "is empty"),
    ],
)
def test_a_filter_that_does_not_do_says_why(text: str, said: str) -> None:
    with pytest.raises(MappingError, match="the filter does not do") as caught:
        filter_text.read(text)
    assert said in str(caught.value)
    assert "secret-value" not in str(caught.value)
