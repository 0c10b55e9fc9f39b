"""The copy that a replay sends: its id, its lineage, and what it leaves behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.change import Lane
from shared.stores.letter import LONGEST_ID, DeadLetter, NotReplayableError, copy_of, lane_of

LETTER = DeadLetter(
    queue=Lane.PARKED,
    place="parked",
    lane=Lane.OPTOUT,
    sequence_number=17,
    message_id="parked/hint-1:3",
    body=b'{"v": 1}',
    reason="refused_value",
    description="f",
    enqueued_at=None,
    delivery_count=0,
    properties={
        "reason": "refused_value",
        "lane": "optout",
        "detail": "field: gender",
        "Diagnostic-Id": "00-1",
        "share": 0.5,
    },
)


def test_the_copy_has_the_body_a_new_id_and_no_marks() -> None:
    copy = copy_of(LETTER, run="r")
    assert (copy.body, copy.message_id, copy.enqueue_at) == (b'{"v": 1}', "hint-1:3:replay1", None)
    assert copy.properties == {
        "Diagnostic-Id": "00-1",
        "share": 0.5,
        "replay_of": "hint-1:3",
        "replays": 1,
        "replay_run": "r",
    }


def test_each_replay_counts_on_from_the_one_before() -> None:
    name, seen = "parked/hint-1", set()
    for times in range(1, 12):
        copy = copy_of(replace(LETTER, message_id=name), run="r")
        assert copy.properties["replays"] == times
        assert copy.properties["replay_of"] == "hint-1"
        assert copy.message_id not in seen
        seen.add(copy.message_id)
        name = f"parked/{copy.message_id}"


def test_an_edit_replaces_the_body_and_says_so() -> None:
    copy = copy_of(LETTER, run="r", edited=b"{}")
    assert (copy.body, copy.properties["edited"]) == (b"{}", 1)
    again = copy_of(replace(LETTER, properties=copy.properties), run="s")
    assert "edited" not in again.properties
    assert again.properties["replay_run"] == "s"


def test_a_long_id_is_shortened_and_stays_its_own() -> None:
    long = [replace(LETTER, message_id="x" * 125 + end) for end in ("1", "2")]
    first, second = (copy_of(letter, run="r").message_id for letter in long)
    assert first != second
    assert max(len(first), len(second)) <= LONGEST_ID
    assert first == copy_of(long[0], run="r").message_id


def test_a_message_without_an_id_gets_one_by_its_place() -> None:
    assert copy_of(replace(LETTER, message_id=""), run="r").message_id == "parked-17:replay1"


def test_a_letter_without_a_lane_cannot_be_sent() -> None:
    assert lane_of(LETTER) is Lane.OPTOUT
    with pytest.raises(NotReplayableError, match="parked 17"):
        lane_of(replace(LETTER, lane=None))
