"""Which contacts the filters let pass, held against a reference that was written on its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import filters
from shared.domain.contact import Contact, Value
from shared.domain.filters import All, Condition, Filter, Not, Operator, columns, passes
from tests.unit.examples import ID, NOW

O = Operator  # noqa: E741 - one row a line
LABELS = {"gender": "Female", "company": "Contoso Ltd", "drinks": "Tea; Coffee", "vip": "Yes", "born": "10/24/1980"}
COLUMNS: dict[str, Value] = {
    "name": "Ada Lovelace",
    "gender": 2,
    "vip": True,
    "company": "5b6f4a1c-77d2-ef11-8ee9-000d3a4b5c6d",
    "drinks": "1,12",
    "income": 12.5,
    "born": "1980-10-24",
    "seen": "2026-03-01T23:30:00Z",
    "nothing": None,
    "blank": "",
    "mixed": "1,x",
}


def contact(values: dict[str, Value] | None = None, labels: dict[str, str] | None = None) -> Contact:
    return Contact(ID, "1", NOW, COLUMNS if values is None else values, LABELS if labels is None else labels)


@pytest.mark.parametrize(
    ("column", "operator", "value", "holds"),
    [
        # Texts, in any case.
        ("name", O.EQUALS, "ADA lovelace", True),
        ("name", O.EQUALS, "Ada", False),
        ("name", O.NOT_EQUALS, "Ada", True),
        ("name", O.IN, ("x", "ada LOVELACE"), True),
        ("name", O.NOT_IN, ("x", "ada LOVELACE"), False),
        ("name", O.CONTAINS, "A L", True),
        ("name", O.NOT_CONTAINS, "a l", False),
        ("name", O.BEGINS_WITH, "ADA", True),
        ("name", O.BEGINS_WITH, "Love", False),
        ("name", O.ENDS_WITH, "LACE", True),
        ("name", O.EQUALS, 7, False),
        ("name", O.EQUALS, True, False),
        ("name", O.GREATER, 7, False),
        # Choices by code or label.
        ("gender", O.EQUALS, 2, True),
        ("gender", O.EQUALS, "female", True),
        ("gender", O.EQUALS, "2", False),
        ("gender", O.NOT_EQUALS, 2, False),
        ("gender", O.IN, (1, 2), True),
        ("gender", O.IN, ("Male", "Female"), True),
        ("gender", O.BEGINS_WITH, "fe", True),
        ("gender", O.CONTAINS, 2, True),
        ("vip", O.EQUALS, True, True),
        ("vip", O.EQUALS, False, False),
        ("vip", O.EQUALS, 1, False),
        ("vip", O.EQUALS, "yes", True),
        ("vip", O.GREATER, 0, False),
        ("income", O.EQUALS, True, False),
        # Several choices.
        ("drinks", O.CONTAINS, 1, True),
        ("drinks", O.CONTAINS, 2, False),
        ("drinks", O.NOT_CONTAINS, 2, True),
        ("drinks", O.EQUALS, 1, False),
        ("drinks", O.CONTAINS, "coffee", True),
        ("mixed", O.CONTAINS, 1, False),
        # References by id or name.
        ("company", O.EQUALS, "contoso ltd", True),
        ("company", O.EQUALS, "5B6F4A1C-77D2-EF11-8EE9-000D3A4B5C6D", True),
        # Numbers.
        ("income", O.GREATER, 12, True),
        ("income", O.GREATER, 12.5, False),
        ("income", O.GREATER_OR_EQUAL, 12.5, True),
        ("income", O.LESS, 13, True),
        ("income", O.LESS_OR_EQUAL, 12.5, True),
        ("income", O.LESS_OR_EQUAL, 12, False),
        ("income", O.EQUALS, 12.5, True),
        ("income", O.LESS, "13", False),
        ("income", O.BEFORE, "2026-01-01", False),
        # Dates and times.
        ("born", O.ON_OR_AFTER, "1980-10-24", True),
        ("born", O.BEFORE, "1980-10-24", False),
        ("born", O.BEFORE, "1980-10-25", True),
        ("seen", O.ON_OR_AFTER, "2026-03-02T00:00:00+01:00", True),
        ("seen", O.ON_OR_AFTER, "2026-03-02", False),
        ("seen", O.BEFORE, "soon", False),
        ("seen", O.BEFORE, 2026, False),
        ("name", O.BEFORE, "2026-03-02", False),
        ("born", O.EQUALS, "1980-10-24", True),
        # Nothing.
        ("nothing", O.IS_EMPTY, None, True),
        ("blank", O.IS_EMPTY, None, True),
        ("absent", O.IS_EMPTY, None, True),
        ("name", O.IS_EMPTY, None, False),
        ("income", O.IS_EMPTY, None, False),
        ("name", O.IS_NOT_EMPTY, None, True),
        ("blank", O.IS_NOT_EMPTY, None, False),
        ("nothing", O.NOT_EQUALS, 1, True),
        ("nothing", O.NOT_IN, (1,), True),
        ("nothing", O.NOT_CONTAINS, "x", True),
        ("nothing", O.EQUALS, "", False),
        ("nothing", O.LESS, 1, False),
        ("nothing", O.BEFORE, "2026-01-01", False),
        ("nothing", O.CONTAINS, "", False),
    ],
)
def test_a_condition(column: str, operator: Operator, value: Any, holds: bool) -> None:
    assert passes(Condition(column, operator, value), contact()) is holds
    assert passes(Not(Condition(column, operator, value)), contact()) is not holds


def test_groups() -> None:
    yes, no = Condition("nothing", O.IS_EMPTY), Condition("name", O.IS_EMPTY)
    assert passes(All((yes, filters.Any((no, yes)), Not(no))), contact())
    assert not passes(All((yes, no)), contact())
    assert not passes(filters.Any((no, Not(yes))), contact())
    assert columns(All((yes, filters.Any((no,)), Not(Condition("x", O.IS_EMPTY))))) == {"nothing", "name", "x"}


def reference(tree: Filter, row: dict[str, Value], labels: dict[str, str]) -> bool:
    """The rules once more, the long way round: by cases of what is compared with what."""
    if isinstance(tree, Not):
        return not reference(tree.of, row, labels)
    if isinstance(tree, All | filters.Any):
        found = [reference(branch, row, labels) for branch in tree.of]
        return False not in found if isinstance(tree, All) else True in found
    own, label, name = row.get(tree.column), labels.get(tree.column), tree.operator.value
    empty = own in (None, "")
    if name in ("is_empty", "is_not_empty"):
        return empty == (name == "is_empty")
    if name.startswith("not_"):
        positive = Operator(name.removeprefix("not_"))
        return not reference(Condition(tree.column, positive, tree.value), row, labels)
    given = list(tree.value) if isinstance(tree.value, tuple) else [tree.value]
    return not empty and any(_matches(name, own, label, one) for one in given)


def _matches(name: str, own: Value, label: str | None, given: Value) -> bool:
    kinds = (_kind(own), _kind(given))
    if name in ("on_or_after", "before"):
        if kinds != ("text", "text") or not (_when(own) and _when(given)):
            return False
        return (_when(own) >= _when(given)) == (name == "on_or_after")  # type: ignore[operator]
    if name in ("greater", "greater_or_equal", "less", "less_or_equal"):
        if kinds != ("number", "number"):
            return False
        sign = (own > given) - (own < given)  # type: ignore[operator]
        return sign in {"greater": (1,), "greater_or_equal": (0, 1), "less": (-1,), "less_or_equal": (-1, 0)}[name]
    if kinds[1] == "text":
        candidates = [shown.casefold() for shown in ([own] if kinds[0] == "text" else []) + ([label] if label else [])]  # type: ignore[union-attr]
        wanted = str(given).casefold()
        tests = {
            "equals": lambda one: one == wanted,
            "in": lambda one: one == wanted,
            "contains": lambda one: one.find(wanted) >= 0,
            "begins_with": lambda one: one[: len(wanted)] == wanted,
            "ends_with": lambda one: one[max(0, len(one) - len(wanted)) :] == wanted,
        }
        return any(map(tests[name], candidates))
    if kinds[1] == "number" and kinds[0] != "boolean" and name in ("equals", "in", "contains"):
        codes = [own] if kinds[0] == "number" else [int(p) if p.isdigit() else None for p in str(own).split(",")]
        return None not in codes and (given in codes if name == "contains" else codes == [given])
    return kinds == ("boolean", "boolean") and name in ("equals", "in") and own == given


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "nothing" if value is None else "text" if isinstance(value, str) else "number"


def _when(value: Value) -> datetime | None:
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(str(value), form).replace(tzinfo=UTC)
        except ValueError:
            pass
    return None


NAMES = st.sampled_from(["a", "b", "c"])
WORDS = st.sampled_from(
    ["", "Ada", "ADA", "ada l", "1,2", "2", "x", "2026-03-01", "2026-03-02", "2026-03-01T23:30:00Z"]
)
VALUES = st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from([0.5, 2.0]) | WORDS
CONDITIONS = st.builds(Condition, NAMES, st.sampled_from(Operator), VALUES | st.lists(VALUES, max_size=3).map(tuple))
TREES: st.SearchStrategy[Filter] = st.recursive(
    CONDITIONS,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(All, st.lists(inner, max_size=3).map(tuple))
        | st.builds(filters.Any, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=6,
)


@given(TREES, st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, st.sampled_from(["Ada", "Female", "2"])))
def test_filters_are_as_the_reference_says(tree: Filter, row: dict[str, Value], labels: dict[str, str]) -> None:
    assert passes(tree, contact(row, labels)) is reference(tree, row, labels)
