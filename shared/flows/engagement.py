"""E-mail events → timeline: one activity per event, and perhaps one task, under ids derived from the event."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from shared.domain import template
from shared.domain.effects import FollowUpTask, RecordActivity
from shared.domain.fact import Fact
from shared.domain.timeline import OnePer, TaskRule, TimelineRules

ACTIVITIES = uuid.UUID("6f1cbe3f-2d0f-5d4e-9a0c-5c8f3a1f7f10")
TASKS = uuid.UUID("a3b0f6f4-6a0d-5c77-8e0b-0d8c3f0c2f5e")
# What Dataverse takes for a task, and for any activity.
LONGEST_SUBJECT, LONGEST_DESCRIPTION = 200, 2000
LONGEST_ACTIVITY_SUBJECT = 400


def decide(fact: Fact, rules: TimelineRules, now: datetime) -> RecordActivity | None:
    """None: events of this kind are not shown. The ids make the write repeatable: the same event asks for the same."""
    if fact.event not in rules.events:
        return None
    return RecordActivity(fact, str(uuid.uuid5(ACTIVITIES, fact.id)), _task(fact, rules.tasks.get(fact.event), now))


def subject(fact: Fact) -> str:
    """As Adobe's timeline shows it; cut where labels instead of ids make it longer than a subject may be."""
    return f"Campaign Name: {fact.campaign}; Delivery Name: {fact.delivery}"[:LONGEST_ACTIVITY_SUBJECT]


def _task(fact: Fact, rule: TaskRule | None, now: datetime) -> FollowUpTask | None:
    if rule is None or now - fact.at > rule.max_age:
        return None
    return FollowUpTask(
        id=_task_id(fact, rule.one_per),
        subject=_filled(rule.subject, fact)[:LONGEST_SUBJECT],
        description=_filled(rule.description, fact)[:LONGEST_DESCRIPTION],
        due=fact.at + rule.due,
        owner=rule.owner,
    )


def _task_id(fact: Fact, one_per: OnePer) -> str:
    """Events that share a task derive the same id."""
    shared = fact.id if one_per is OnePer.EVENT else f"{fact.contact_id}/{fact.campaign}/{fact.delivery}"
    return str(uuid.uuid5(TASKS, f"{fact.event}/{shared}"))


def _filled(text: str, fact: Fact) -> str:
    values = {
        "campaign": fact.campaign,
        "delivery": fact.delivery,
        "date": f"{fact.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "url": fact.tracking_url or "",
    }
    parts = template.parse(text)
    return "".join(values[part.column] if isinstance(part, template.Slot) else part for part in parts)
