"""What is remembered of opt-outs ↔ table entities: exact, whole, and without what a person said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.change import RecordKey
from shared.domain.contact import OLDEST
from shared.domain.optout import Said
from shared.domain.recollection import OwnOptIn, Recollection
from shared.stores.recollections import from_entity, to_entity

KEY = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000001")
NOW = datetime(2026, 11, 21, 12, 0, 1, 234567, tzinfo=UTC)
FULL = Recollection(
    KEY,
    person_at=NOW,
    based_on='W/"7"',
    left={"donotbulkemail": True, "followemail": None},
    said={"donotbulkemail": Said(True, NOW), "followemail": Said(False, OLDEST)},
    opted_in={"blackListEmail": OwnOptIn(OLDEST, NOW, NOW + timedelta(seconds=150))},
)


@pytest.mark.parametrize("past", [Recollection(KEY), FULL])
def test_what_is_stored_comes_back(past: Recollection) -> None:
    entity = to_entity(past)
    assert from_entity(KEY, entity, "e1") == Recollection(
        past.key, past.person_at, past.based_on, past.left, past.said, past.opted_in, "e1"
    )
    assert all(isinstance(value, str) for value in entity.values())
