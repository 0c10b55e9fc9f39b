"""E-mail events: the same event always asks for the same activity."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from shared.domain.effects import RecordActivity
from shared.flows.engagement import decide, subject
from tests.unit.examples import fact


def test_the_activitys_id_is_the_events() -> None:
    """Pinned: another rule would show every event of the last days twice."""
    assert decide(fact(1)) == RecordActivity(fact(1), "37fa4132-2942-58c8-b2d5-501bbaa42f32")
    assert decide(replace(fact(1), campaign="corrected")).activity_id == decide(fact(1)).activity_id


def test_other_events_have_other_activities() -> None:
    ids = {decide(fact(number)).activity_id for number in range(100)}
    assert len(ids) == 100
    assert all(UUID(text).version == 5 for text in ids)


def test_the_subject_names_campaign_and_delivery() -> None:
    assert subject(fact()) == "Campaign Name: SPRING; Delivery Name: DM1"
