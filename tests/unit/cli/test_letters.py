"""Waiting messages: chosen, grouped, and shown without personal data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from cli.letters import REDACTED, Choice, first, grouped, view, waiting
from cli.screen import emit
from shared.domain.change import Lane
from shared.domain.fact import EmailEvent, Fact, FactChunk
from shared.ports import BusUnavailableError
from shared.stores.letter import DeadLetter
from shared.wire import encode
from tests.unit.cli.fakes import FakeDeadLetters
from tests.unit.cli.samples import CONTACT_ID, NOW, a_letter

DEAD = a_letter(1)
OPTOUT = a_letter(2, queue=Lane.OPTOUT, lane=Lane.OPTOUT)
PARKED = a_letter(2, queue=Lane.PARKED, place="parked", lane=Lane.OPTOUT, reason="refused_email")
EXPIRED = a_letter(4, queue=Lane.PARKED, lane=Lane.OPTOUT, reason="TTLExpiredException")
LOST = a_letter(5, queue=Lane.PARKED, place="parked", lane=None, reason="malformed")
ALL = (DEAD, OPTOUT, PARKED, EXPIRED, LOST)
CANARY_URL = "https://t.example.com/r?mail=canary@example.com"


async def chosen(choice: Choice) -> list[DeadLetter]:
    return await waiting(FakeDeadLetters(ALL), choice)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), ALL),
        (Choice(lane=Lane.OPTOUT), (OPTOUT, EXPIRED, PARKED)),
        (Choice(lane=Lane.PARKED), (EXPIRED, PARKED, LOST)),
        (Choice(place="parked"), (PARKED, LOST)),
        (Choice(lane=Lane.OPTOUT, place="dead"), (OPTOUT, EXPIRED)),
        (Choice(reason="ttlexpiredexception"), (EXPIRED,)),
        (Choice(lane=Lane.OPTOUT, numbers=frozenset({2})), (OPTOUT, PARKED)),
        (Choice(lane=Lane.TIMELINE), ()),
    ],
)
async def test_a_choice_narrows(choice, expected):
    found = await chosen(choice)
    assert sorted(found, key=ALL.index) == sorted(expected, key=ALL.index)


async def test_groups_keep_counts_times_and_a_few_numbers():
    letters = FakeDeadLetters([a_letter(n) for n in range(1, 8)] + [LOST])
    groups = await grouped(letters, Choice())
    assert [(group.lane, group.place, group.count) for group in groups] == [
        (None, "parked", 1),
        (Lane.CONTACT_UPSERT, "dead", 7),
    ]
    assert groups[1].numbers == (1, 2, 3)
    assert (groups[1].first_at, groups[1].last_at) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=7))
    assert groups[1].reason.by == "broker"
    assert groups[0].reason.action == "Show it; discard."


async def test_a_first_look_leaves_nothing_open():
    letters = FakeDeadLetters([a_letter(1), a_letter(2)])
    assert await first(letters.dead(Lane.CONTACT_UPSERT)) == a_letter(1)
    assert await first(letters.parked()) is None
    assert letters.open_listings == 0


async def test_groups_narrow_as_lists_do():
    groups = await grouped(FakeDeadLetters(ALL), Choice(lane=Lane.OPTOUT, place="parked"))
    assert [(group.reason.slug, group.count) for group in groups] == [("refused_email", 1)]


@pytest.mark.parametrize("look", [waiting, grouped])
async def test_a_broken_broker_is_passed_on(look):
    letters = FakeDeadLetters(ALL)
    letters.failure = BusUnavailableError("optout: gone")
    with pytest.raises(BusUnavailableError):
        await look(letters, Choice())


def facts(events: Sequence[EmailEvent]) -> bytes:
    found = tuple(Fact(f"f{n}", event, CONTACT_ID, "DM1", "D1", NOW, CANARY_URL) for n, event in enumerate(events))
    return encode(FactChunk("chunk-1", found, NOW))


def test_a_hint_is_shown_as_it_is():
    shown = view(a_letter(1), show_values=False)
    assert isinstance(shown.body, dict)
    assert shown.body["record"] == f"contact/{CONTACT_ID}"
    assert shown.body["columns"] == ["lastname"]
    assert shown.line.record == f"contact/{CONTACT_ID}"


def test_facts_are_counted_unless_values_were_asked_for(capsys: pytest.CaptureFixture[str]):
    letter = a_letter(1, body=facts([EmailEvent.OPEN, EmailEvent.OPEN, EmailEvent.CLICK]))
    shown = view(letter, show_values=False)
    assert isinstance(shown.body, dict)
    assert (shown.body["count"], shown.body["facts"]) == (3, {"open": 2, "click": 1})
    emit(shown)
    assert "canary" not in capsys.readouterr().out
    emit(view(letter, show_values=True))
    assert capsys.readouterr().out.count(CANARY_URL) == 3


def test_what_is_not_ours_shows_its_size_only():
    letter = a_letter(1, body=b'{"name": "Canaria"}', properties={"reason": "malformed", "sender": "Canaria"})
    shown = view(letter, show_values=False)
    assert isinstance(shown.body, dict)
    assert (shown.body["kind"], shown.body["bytes"], shown.body["text"]) == ("unknown", 19, REDACTED)
    assert shown.properties == {"reason": "malformed", "sender": REDACTED}
    assert "Canaria" in str(view(letter, show_values=True).body)
