"""Hints: the lane that each goes to, and the names of what they cause."""

from __future__ import annotations

import pytest

from shared.domain.change import Lane, RecordKey, Source, Why
from tests.unit import examples


@pytest.mark.parametrize(
    ("why", "lane"),
    [
        (Why.UPSERT, Lane.CONTACT_UPSERT),
        (Why.VERIFY, Lane.CONTACT_UPSERT),
        (Why.DELETE, Lane.CONTACT_DELETE),
        (Why.OPTOUT, Lane.OPTOUT),
    ],
)
def test_opt_outs_and_deletions_never_wait_behind_upserts(why: Why, lane: Lane) -> None:
    assert examples.hint(why).lane is lane


def test_a_record_is_shown_as_table_and_id() -> None:
    assert str(RecordKey("contact", "1")) == "contact/1"


def test_a_follow_up_is_a_new_chain_about_the_same_record() -> None:
    first = examples.hint(attempt=3, columns=frozenset({"no_mail"}))
    after = first.follow_up(Why.VERIFY, "token")
    assert (after.record, after.why, after.source, after.attempt) == (first.record, Why.VERIFY, Source.FLOW, 0)
    assert after.first_seen == first.first_seen
    assert after.message_id == "h1/verify-token"


def test_a_chain_of_follow_ups_stays_within_the_brokers_longest_message_id() -> None:
    """128 characters, attempts included: the broker would refuse a longer one, and the hint would be lost."""
    hint = examples.hint()
    for number in range(50):
        hint = hint.follow_up(Why.OPTOUT, f"{number:016x}")
    assert len(hint.message_id) <= 115
