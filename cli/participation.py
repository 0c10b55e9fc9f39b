"""Whether a row takes part, and what keeps it out: conditions of the mapping's filters, or a parent that it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.domain import filters
from shared.domain.contact import Contact
from shared.domain.conversion import text
from shared.domain.filters import All, Any, Condition, Filter, Not
from shared.domain.mapping import Mapping, WhenFilteredOut


@dataclass(frozen=True)
class Participation:
    """`passes` None: there is no row to ask about. Conditions are the mapping's words, without the contact's values.

    `kept_out_by`: each of them would have to turn out otherwise, but of those behind `any of` one is enough. `lacks`:
    empty columns of links that Campaign needs.
    """

    filtered: bool
    passes: bool | None
    kept_out_by: tuple[str, ...]
    when_filtered_out: WhenFilteredOut
    lacks: tuple[str, ...] = ()


def participation(mapping: Mapping, contact: Contact | None) -> Participation:
    """The mapping decides, this only says why."""
    tree = mapping.filters
    if contact is None:
        return Participation(tree is not None, None, (), mapping.when_filtered_out)
    then = mapping.kept_out(contact)
    against = tuple(_against(tree, contact)) if tree is not None else ()
    lacks = tuple(link.column for link in mapping.links if link.required and not contact.columns.get(link.column))
    return Participation(tree is not None, then is None, against, then or mapping.when_filtered_out, lacks)


def words(tree: Filter) -> str:
    """A filter as one line."""
    match tree:
        case Condition():
            return _condition(tree)
        case Not():
            return f"not ({words(tree.of)})"
        case All():
            return f"all of ({', '.join(map(words, tree.of))})"
        case _:
            return f"any of ({', '.join(map(words, tree.of))})"


def _against(tree: Filter, contact: Contact) -> Iterator[str]:
    """Nothing, where the tree holds."""
    if filters.passes(tree, contact):
        return
    match tree:
        case All():
            for branch in tree.of:
                yield from _against(branch, contact)
        case Any(of=(only,)):
            yield from _against(only, contact)
        case _:
            yield words(tree)


def _condition(condition: Condition) -> str:
    operator = condition.operator.replace("_", " ")
    if condition.operator in filters.EMPTINESS:
        return f"{condition.column} {operator}"
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    return f"{condition.column} {operator} {', '.join(map(text, values))}"
