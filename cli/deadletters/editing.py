"""A hint or a fact corrected by hand before its replay; only what a person may mean to change, and checked whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from shared.wire import UnreadableError, decode

HINT_FIELDS = ("why", "table", "record", "columns", "created")
FACT_FIELDS = ("event", "contact", "campaign", "delivery", "at", "tracking_url", "mirror_page_url")


class EditError(ValueError):
    """The edit cannot be made; the text says why and names no value of the letter."""


def edited(body: bytes, changes: Sequence[str], fact: str | None) -> bytes:
    """The body with `NAME=VALUE` changes applied; `fact`: the id of the event that they are about.

    Raises EditError. What comes out is a message that the bridge reads.
    """
    try:
        decode(body)
    except UnreadableError as error:
        raise EditError(f"only a message of ours can be edited, and this is none: {error}") from None
    document: dict[str, Any] = json.loads(body)
    target, allowed = _target(document, fact)
    for name, value in map(_change, changes):
        if name not in allowed:
            raise EditError(f"{name} cannot be changed; these can: {', '.join(allowed)}")
        target[name] = _value(name, value)
    result = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    try:
        decode(result)
    except UnreadableError as error:
        raise EditError(f"it would be no message of ours any more: {error}") from None
    return result


def _target(document: dict[str, Any], fact: str | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    if document["kind"] == "hint":
        if fact is not None:
            raise EditError("this is a hint; leave out --fact")
        return document, HINT_FIELDS
    if document["kind"] == "page":
        raise EditError("this orders a page of a resync; `bridge resync resume` orders it anew")
    facts = document["facts"]
    found = [one for one in facts if fact in (None, one["id"])]
    if len(found) != 1:
        raise EditError(
            f"it holds {len(facts)} e-mail events: name one with --fact ID (`show --show-values` lists them)"
        )
    return found[0], FACT_FIELDS


def _change(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise EditError(f"{text}: a change looks like NAME=VALUE")
    return name.strip(), value.strip()


def _value(name: str, text: str) -> object:
    match name:
        case "columns":
            return [column.strip() for column in text.split(",") if column.strip()]
        case "created":
            return text.lower() in ("true", "yes", "1")
        case "tracking_url" | "mirror_page_url" if not text:
            return None
        case _:
            return text
