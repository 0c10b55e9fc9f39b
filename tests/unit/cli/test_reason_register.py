"""Every reason has words."""

from __future__ import annotations

import pytest

from cli.reason_register import entries, entry
from shared.errors import Reason


def test_every_reason_of_the_bridge_is_there_once():
    slugs = [one.slug for one in entries()]
    assert {reason.slug for reason in Reason} <= set(slugs)
    assert len(slugs) == len(set(slugs))
    assert all(one.meaning and one.action for one in entries())


@pytest.mark.parametrize("slug", ["MaxDeliveryCountExceeded", "TTLExpiredException"])
def test_the_brokers_own_are_explained(slug):
    assert entry(slug).by == "broker"


def test_what_nobody_knows_still_says_what_to_do():
    assert (entry("x").by, entry("").meaning) == ("unknown", "The message says no reason.")
    assert "deadletters show" in entry("x").action
