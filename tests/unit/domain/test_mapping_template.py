"""Templates: several columns in one text, and nothing but that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.template import Slot, TemplateError, fill, parse

COLUMNS = {"first": "Ada", "last": "Lovelace", "none": "", "odd": "{first}  x"}


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("{first} {last}", "Ada Lovelace"),
        ("{first} {none} {last}", "Ada Lovelace"),
        ("{none} {first}", "Ada"),
        ("{first} {none}", "Ada"),
        ("{first} {none} {none} {last}", "Ada Lovelace"),
        ("{none}  {none} {first} {none}  {none}", "Ada"),
        ("{none} {none}", ""),
        ("Dear {none}", ""),
        ("Dear {first}!", "Dear Ada!"),
        ("  {first}  ", "  Ada  "),
        ("{first}  {last}", "Ada  Lovelace"),
        ("{last}, {first} {none}.", "Lovelace, Ada ."),
        ("{{{first}}}", "{Ada}"),
        ("{{first}}{none}{first}", "{first}Ada"),
        ("{odd}", "{first}  x"),
    ],
)
def test_an_empty_column_takes_its_space_along(template: str, shown: str) -> None:
    assert fill(parse(template), COLUMNS.__getitem__) == shown


def test_the_parts() -> None:
    assert parse("a {b}{c_1}") == ("a ", Slot("b"), Slot("c_1"))
    assert parse("") == ()


@pytest.mark.parametrize(
    ("template", "at"),
    [
        ("{", 0),
        ("a {b", 2),
        ("a }", 2),
        ("{}", 0),
        ("x{ a}", 1),
        ("{a.b}", 0),
        ("{a!r}", 0),
        ("{a:>9}", 0),
        ("{0}", 0),
        ("{_x_value}", 0),
        ("{First}", 0),
        ("{é}", 0),
        (f"{{{'a' * 101}}}", 0),
        ("{a{b}}", 0),
    ],
)
def test_nothing_else_can_be_asked_for(template: str, at: int) -> None:
    with pytest.raises(TemplateError) as refused:
        parse(template)
    assert refused.value.at == at


@given(st.text(alphabet="{} ab_1.", max_size=12), st.dictionaries(st.sampled_from("ab"), st.text(max_size=3)))
def test_any_text_is_a_template_or_is_refused(template: str, columns: dict[str, str]) -> None:
    try:
        parts = parse(template)
    except TemplateError:
        return
    shown = fill(parts, lambda column: columns.get(column, ""))
    assert "  " not in shown or "  " in template or any(" " in value for value in columns.values())


@given(st.text())
def test_braces_can_be_written(text: str) -> None:
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert fill(parse(escaped + "{x}"), lambda _: "!") == text + "!"
