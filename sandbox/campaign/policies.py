"""Data policies: what Campaign rejects or silently rewrites before it stores a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sandbox.campaign import problems

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>.]+(\.[^@\s,;<>.]+)+")
_WORD = re.compile(r"[^\W\d_]+")


def _email(field: str, text: str) -> str:
    if text and not _EMAIL.fullmatch(text):
        raise problems.bad_email(field)
    return text


def _smart_case(_field: str, text: str) -> str:
    return _WORD.sub(lambda word: word[0].capitalize(), text)


POLICIES: Mapping[str, Callable[[str, str], str]] = {
    "email": _email,
    "smartCase": _smart_case,
    "upperCase": lambda _field, text: text.upper(),
    "lowerCase": lambda _field, text: text.lower(),
}


def apply(policy: str | None, field: str, text: str) -> str:
    """Return the text that is stored instead; raises Problem when the policy rejects it."""
    return POLICIES[policy](field, text) if policy else text
