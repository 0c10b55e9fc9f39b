"""Pydantic's errors as findings: the place, the reason in this file's words, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from shared.mapping_file.document import Document
from shared.mapping_file.file_models import OWNERS, TAGGED
from shared.mapping_file.finding import Finding, Path
from shared.mapping_file.models import Model

_ONE_SOURCE = "A row has one source: `dynamics`, `template` or `constant`."
_ONE_GROUP = "A group is one of all, any and not: put the one into the other."
_REMEDIES = {
    "dynamics": _ONE_SOURCE,
    "template": _ONE_SOURCE,
    "all": _ONE_GROUP,
    "any": _ONE_GROUP,
    "not": _ONE_GROUP,
    "replacements": "Replacements go with `dynamics`: one column, whose values they name.",
}
_SHOWN_LENGTH = 40


def findings(error: ValidationError, document: Document) -> list[Finding]:
    """One for each error; a key that is only misspelt is not missing as well."""
    found = error.errors(include_url=False)
    misspelt = {
        (*one["loc"][:-1], _nearest(str(one["loc"][-1]), _owner(one["loc"]))) for one in found if _is_extra(one)
    }
    return [_finding(one, document) for one in found if one["type"] != "missing" or one["loc"] not in misspelt]


def suggestion(word: str, known: list[str]) -> str:
    """The nearest known word, or all of them."""
    near = _near(word, known)
    return f"Did you mean `{near}`?" if near else f"Write one of: {', '.join(known)}."


def _near(word: str, known: list[str]) -> str | None:
    return next(iter(get_close_matches(word, known, n=1, cutoff=0.6)), None)


def _nearest(key: str, owner: type[Model] | None) -> str | None:
    return _near(key, _keys(owner))


def _is_extra(error: ErrorDetails) -> bool:
    return error["type"] == "extra_forbidden"


def _finding(error: ErrorDetails, document: Document) -> Finding:
    path = tuple(part for part in error["loc"] if not _is_tag(part))
    if error["type"] == "mapping":
        context = error["ctx"]
        return document.finding((*path, context["at"]) if context["at"] else path, error["msg"], context["remedy"])
    if _is_extra(error):
        return _unknown_key(error, path, document)
    reason, remedy = _SAYINGS.get(error["type"], _form)(_Place(error, path))
    return document.finding(path, reason, remedy)


def _unknown_key(error: ErrorDetails, path: Path, document: Document) -> Finding:
    key = str(path[-1])
    remedy = _REMEDIES.get(key) or suggestion(key, _keys(_owner(error["loc"])))
    return document.finding_of_key(path, f"`{key}` is not a key here", remedy)


class _Place:
    """What a saying needs to know of the error and the key that it is about."""

    def __init__(self, error: ErrorDetails, path: Path) -> None:
        self.key = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
        self.subject = "the file" if not path else f"`{self.key}`"
        if path and isinstance(path[-1], int):
            self.subject = f"an entry of `{self.key}`"
        self.context: dict[str, Any] = error.get("ctx", {})
        self.given = str(error["input"])[:_SHOWN_LENGTH]
        self.field = _field(error["loc"])

    @property
    def wanted(self) -> str:
        """The key's description."""
        return self.field.description or "" if self.field else ""

    @property
    def values(self) -> list[str]:
        """Those that the field allows."""
        return re.findall("'([^']*)'", str(self.context["expected"]))


def _field(loc: tuple[int | str, ...]) -> FieldInfo | None:
    owner = _owner(loc)
    return next(iter(_named(owner, str(loc[-1]))), None) if owner else None


def _named(owner: type[Model], key: str) -> Iterator[FieldInfo]:
    return (field for name, field in owner.model_fields.items() if key == (field.alias or name))


def _keys(owner: type[Model] | None) -> list[str]:
    return [field.alias or name for name, field in owner.model_fields.items()] if owner else []


def _owner(loc: tuple[int | str, ...]) -> type[Model] | None:
    """The model in which the location's last part is a key."""
    if not loc:
        return None
    before = loc[:-1]
    if before and _is_tag(before[-1]):
        return TAGGED[str(before[-1])]
    return OWNERS.get(tuple(part for part in before if isinstance(part, str)))


def _is_tag(part: int | str) -> bool:
    return isinstance(part, str) and part in TAGGED


def _missing(at: _Place) -> tuple[str, str]:
    return f"`{at.key}` is missing", f"Add `{at.key}`: {at.wanted}."


def _other_value(at: _Place) -> tuple[str, str]:
    return f"`{at.key}: {at.given}` is not offered", suggestion(at.given, at.values)


def _form(at: _Place) -> tuple[str, str]:
    return f"`{at.key}: {at.given}` does not have the form that is needed", f"Write {at.wanted}."


def _kind(kind: str, remedy: str = "") -> Callable[[_Place], tuple[str, str]]:
    return lambda at: (f"{at.subject} must be {kind}", remedy or f"Write {at.wanted}.")


_KEYS = _kind("a set of keys", "Write `key: value` pairs, indented below it.")
_SAYINGS: dict[str, Callable[[_Place], tuple[str, str]]] = {
    "missing": _missing,
    "literal_error": _other_value,
    "enum": _other_value,
    "string_type": _kind("a text"),
    "bool_type": _kind("true or false", "Write true or false."),
    "int_type": _kind("a whole number", "Write a whole number, without quotes."),
    "greater_than": _kind("greater than 0", "Write 1 or more."),
    "too_short": lambda at: (f"{at.subject} is empty", f"Add one: {at.wanted}."),
    "list_type": _kind("a list", "Begin every entry with a dash."),
    "dict_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
}
