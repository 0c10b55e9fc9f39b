"""Every reason by its slug: the bridge's own, and those of Service Bus, with meaning and action."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from shared.errors import Reason


@dataclass(frozen=True)
class Entry:
    """`by`: who gives this reason to a message."""

    slug: str
    meaning: str
    action: str
    by: Literal["bridge", "broker", "unknown"]


# Service Bus writes these itself when it moves a message to a dead-letter queue.
_BROKER = (
    Entry(
        "MaxDeliveryCountExceeded",
        "The function failed on every delivery: an error that the bridge does not expect, that is, its bug, or a host"
        " that was stopped each time.",
        "Find the exception in the function's log by the message id; after the fix, replay.",
        "broker",
    ),
    Entry(
        "TTLExpiredException",
        "The message waited longer than its queue keeps messages: no worker took it.",
        "Check that the function app runs and its queue triggers are enabled; then replay.",
        "broker",
    ),
    Entry(
        "HeaderSizeExceeded",
        "The message's properties have outgrown what Service Bus takes.",
        "The bridge sends none that large: find the sender by the message's properties; discard.",
        "broker",
    ),
)


def entries() -> tuple[Entry, ...]:
    """The bridge's in the order of the registry, then the broker's."""
    return tuple(Entry(reason.slug, reason.meaning, reason.action, "bridge") for reason in Reason) + _BROKER


def entry(slug: str) -> Entry:
    """Also for a slug that is not known: another tool, or another version, gave it."""
    return _by_slug().get(slug) or _unknown(slug)


@cache
def _by_slug() -> dict[str, Entry]:
    return {entry.slug: entry for entry in entries()}


def _unknown(slug: str) -> Entry:
    meaning = "Another tool or version gave this reason." if slug else "The message says no reason."
    return Entry(slug, meaning, "`bridge deadletters show` shows the message; replay or discard it.", "unknown")
