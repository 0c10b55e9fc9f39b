"""E-mail events: the same event always asks for the same activity, and for a task by the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from shared.domain.effects import FollowUpTask, RecordActivity
from shared.domain.fact import EmailEvent, Fact
from shared.domain.timeline import OnePer, TaskRule, TimelineRules
from shared.flows import engagement
from shared.flows.engagement import subject
from tests.unit.examples import ID, NOW, fact

TASK = TaskRule("Follow up", "{delivery} of {campaign} at {date}: {url}", timedelta(days=2), max_age=timedelta(days=7))
BARE = TimelineRules()
WITH_TASKS = TimelineRules(tasks={EmailEvent.CLICK: TASK})


def decided(event: Fact, rules: TimelineRules = BARE) -> RecordActivity:
    order = engagement.decide(event, rules, NOW)
    assert order is not None
    return order


def task(event: Fact, rules: TimelineRules = WITH_TASKS) -> FollowUpTask:
    found = decided(event, rules).task
    assert found is not None
    return found


def test_the_activitys_id_is_the_events() -> None:
    """Pinned: another rule would show every event of the last days twice."""
    assert decided(fact(1)) == RecordActivity(fact(1), "37fa4132-2942-58c8-b2d5-501bbaa42f32")
    assert decided(replace(fact(1), campaign="corrected")).activity_id == decided(fact(1)).activity_id


def test_other_events_have_other_activities() -> None:
    ids = {decided(fact(number)).activity_id for number in range(100)}
    assert len(ids) == 100
    assert all(UUID(text).version == 5 for text in ids)


def test_the_subject_names_campaign_and_delivery() -> None:
    assert subject(fact()) == "Campaign Name: SPRING; Delivery Name: DM1"
    assert len(subject(replace(fact(), campaign="c" * 300, delivery="d" * 300))) == 400


@pytest.mark.parametrize("event", list(EmailEvent))
def test_each_kind_can_be_turned_off(event: EmailEvent) -> None:
    one = replace(fact(), event=event)
    assert engagement.decide(one, TimelineRules(events=frozenset(EmailEvent) - {event}), NOW) is None
    assert decided(one, TimelineRules(events=frozenset({event}))).fact is one


def test_a_task_has_the_rules_texts_and_a_due_date_counted_from_the_event() -> None:
    """Its id is pinned: another rule would give every seller the tasks of the last days again."""
    assert task(fact(1, url="https://x.test/a")) == FollowUpTask(
        id="291eb502-8d12-5af3-b5d9-94baa4ab2f03",
        subject="Follow up",
        description="DM1 of SPRING at 2026-03-04 05:06 UTC: https://x.test/a",
        due=NOW + timedelta(days=2),
        owner="contact_owner",
    )


def test_no_task_without_a_rule_for_the_kind() -> None:
    assert decided(fact()).task is None
    assert decided(replace(fact(), event=EmailEvent.OPEN), WITH_TASKS).task is None


def test_an_old_event_gets_its_activity_but_no_task() -> None:
    barely = replace(fact(), at=NOW - timedelta(days=7))
    assert decided(barely, WITH_TASKS).task is not None
    assert decided(replace(barely, at=NOW - timedelta(days=7, seconds=1)), WITH_TASKS).task is None


def test_events_of_one_contact_and_delivery_share_a_task_or_have_their_own() -> None:
    assert task(fact(1)).id == task(fact(2)).id
    others = (replace(fact(2), delivery="DM2"), replace(fact(2), contact_id=ID.replace("5", "6")))
    assert len({task(one).id for one in (fact(1), *others)}) == 3
    each = TimelineRules(tasks={EmailEvent.CLICK: replace(TASK, one_per=OnePer.EVENT)})
    assert task(fact(1), each).id != task(fact(2), each).id


def test_texts_are_no_longer_than_dataverse_takes() -> None:
    long = task(fact(url="https://x.test/" + "a" * 3000))
    assert len(long.description) == 2000
