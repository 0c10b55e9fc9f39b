"""Templates such as `{firstname} {lastname}`: several columns in one text, and nothing else that could be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_LONGEST_NAME = 100


class TemplateError(ValueError):
    """Not a template; the text says what is wrong. `at`: the place in the template, from 0."""

    def __init__(self, problem: str, at: int) -> None:
        super().__init__(problem)
        self.at = at


@dataclass(frozen=True)
class Slot:
    """The place of a column's value."""

    column: str


Part = str | Slot


def parse(template: str) -> tuple[Part, ...]:
    """Texts and slots in their order; `{{` and `}}` are braces. Raises TemplateError."""
    return tuple(_parts(template))


def fill(parts: tuple[Part, ...], value: Callable[[str], str]) -> str:
    """The text with every slot filled by `value(column)`; empty when all slots are.

    An empty slot takes the spaces along that only separated it from its neighbours.
    """
    filled, gap, found_any = "", False, False
    for part in parts:
        if isinstance(part, Slot):
            found = value(part.column)
            gap, found_any = not found, found_any or bool(found)
        else:
            found = part.lstrip(" ") if gap and filled[-1:] in ("", " ") else part
            gap = gap and not found
        filled += found
    return "" if not found_any else filled.rstrip(" ") if gap else filled


def _parts(template: str) -> Iterator[Part]:
    literal, at = "", 0
    while at < len(template):
        here, pair = template[at], template[at : at + 2]
        if pair in ("{{", "}}"):
            literal, at = literal + here, at + 2
        elif here == "{":
            if literal:
                yield literal
            column, literal = _column(template, at), ""
            yield Slot(column)
            at += len(column) + 2
        elif here == "}":
            raise TemplateError("a } has no { before it", at)
        else:
            literal, at = literal + here, at + 1
    if literal:
        yield literal


def _column(template: str, at: int) -> str:
    name, end, _ = template[at + 1 :].partition("}")
    if not end:
        raise TemplateError("a { is not closed", at)
    if not _is_column(name):
        raise TemplateError(f"{{{name[:_LONGEST_NAME]}}} does not name a column", at)
    return name


def _is_column(name: str) -> bool:
    letters = name.replace("_", "a")
    ascii_name = letters.isascii() and letters.isalnum() and name == name.lower()
    return ascii_name and name[0].isalpha() and len(name) <= _LONGEST_NAME
