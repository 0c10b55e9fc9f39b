"""E-mail events → timeline: one activity per event, under an id derived from the event's own."""

from __future__ import annotations

import uuid

from shared.domain.effects import RecordActivity
from shared.domain.fact import Fact

ACTIVITIES = uuid.UUID("6f1cbe3f-2d0f-5d4e-9a0c-5c8f3a1f7f10")


def decide(fact: Fact) -> RecordActivity:
    """The id makes the write repeatable: the same event always asks for the same activity."""
    return RecordActivity(fact, str(uuid.uuid5(ACTIVITIES, fact.id)))


def subject(fact: Fact) -> str:
    """As Adobe's timeline shows it."""
    return f"Campaign Name: {fact.campaign}; Delivery Name: {fact.delivery}"
