"""Waiting letters: chosen, grouped, noted on, and shown without personal data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from cli.deadletters.choice import Choice, group_of, readable
from cli.deadletters.export import write_csv, write_json
from cli.deadletters.listing import FUNCTIONS, first, grouped, waiting, with_notes
from cli.deadletters.view import REDACTED, line, view
from cli.screen import emit
from shared.domain.change import Lane
from shared.domain.fact import EmailEvent, Fact, FactChunk
from shared.ports import BusUnavailableError
from shared.stores.letter import Box, DeadLetter
from shared.wire import encode
from tests.architecture.declared import triggers
from tests.unit.cli.fakes import FakeApp, FakeDeadLetters
from tests.unit.cli.samples import CONTACT_ID, NOW, a_letter

DEAD = a_letter(1)
OPTOUT = a_letter(2, queue=Lane.OPTOUT, lane=Lane.OPTOUT)
PARKED = a_letter(2, queue=Lane.PARKED, place="parked", lane=Lane.OPTOUT, reason="refused_email")
EXPIRED = a_letter(4, queue=Lane.PARKED, lane=Lane.OPTOUT, reason="TTLExpiredException")
LOST = a_letter(5, queue=Lane.PARKED, place="parked", lane=None, reason="malformed", body=b"?")
ALL = (DEAD, OPTOUT, PARKED, EXPIRED, LOST)
CANARY_URL = "https://t.example.com/r?mail=canary@example.com"


async def chosen(choice: Choice) -> list[DeadLetter]:
    return [letter async for letter in waiting(FakeDeadLetters(ALL), choice)]


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
        (Choice(table="contact"), (DEAD, OPTOUT, PARKED, EXPIRED)),
        (Choice(table="account"), ()),
        (Choice(record=CONTACT_ID), (DEAD, OPTOUT, PARKED, EXPIRED)),
        (Choice(record="-"), (LOST,)),
        (Choice(group="optout/parked/refused_email/contact"), (PARKED,)),
        (Choice(group="optout/parked"), (PARKED,)),
        (Choice(group="optout/park"), ()),
        (Choice(group="-"), (LOST,)),
        (Choice(since=NOW + timedelta(minutes=4)), (EXPIRED, LOST)),
        (Choice(until=NOW + timedelta(minutes=4)), (DEAD, OPTOUT, PARKED)),
    ],
)
async def test_a_choice_narrows_and_outlives_being_written_down(choice, expected):
    for same in (choice, Choice.from_document(json.loads(json.dumps(choice.document())))):
        found = await chosen(same)
        assert sorted(found, key=ALL.index) == sorted(expected, key=ALL.index)


def test_a_letter_without_a_time_is_neither_old_nor_new():
    letter = replace(DEAD, enqueued_at=None)
    assert Choice().takes(letter)
    assert not Choice(since=NOW).takes(letter)
    assert not Choice(until=NOW).takes(letter)


async def test_groups_keep_counts_times_and_a_few_numbers():
    letters = FakeDeadLetters([a_letter(n) for n in range(1, 8)] + [LOST])
    lost, dead = await grouped(waiting(letters, Choice()))
    assert (lost.name, lost.lane, lost.place, lost.table, lost.count) == (
        "-/parked/malformed/-",
        None,
        "parked",
        None,
        1,
    )
    assert dead.name == "contact-upsert/dead/MaxDeliveryCountExceeded/contact"
    assert (dead.function, dead.count, dead.numbers) == ("contact_upsert", 7, (1, 2, 3))
    assert (dead.first_at, dead.last_at) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=7))
    assert dead.reason is not None
    assert dead.reason.by == "broker"


async def test_a_groups_name_chooses_the_group():
    for letter in ALL:
        found = await chosen(Choice(group=group_of(letter, readable(letter.body))))
        assert letter in found


async def test_groups_are_split_by_what_was_asked_for():
    now = NOW + timedelta(minutes=62)
    (under, over) = await grouped(waiting(FakeDeadLetters(ALL), Choice()), ("age",), now)
    assert (under.age, under.count, under.name, under.reason, under.place) == ("under an hour", 2, None, None, None)
    assert (over.age, over.count) == ("under a day", 3)


async def test_a_groups_notes_come_with_it():
    fake = FakeApp()
    desk = fake.build_desk()
    await desk.note("optout/parked/refused_email/contact", "ann", "asked the web team")
    groups = await with_notes(desk, await grouped(waiting(FakeDeadLetters(ALL), Choice(place="parked"))))
    assert {group.name: [note.text for note in group.notes] for group in groups} == {
        "optout/parked/refused_email/contact": ["asked the web team"],
        "-/parked/malformed/-": [],
    }


def test_every_lanes_function_is_named_as_it_is_declared():
    declared = {binding["queueName"]: name for name, binding in triggers("serviceBusTrigger").items()}
    assert declared == FUNCTIONS


async def test_a_first_look_leaves_nothing_open():
    letters = FakeDeadLetters([a_letter(1), a_letter(2)])
    assert await first(letters.letters(Box(Lane.CONTACT_UPSERT, "dead"))) == a_letter(1)
    assert await first(letters.letters(Box(Lane.PARKED, "parked"))) is None
    assert letters.open_listings == 0


async def test_a_broken_broker_is_passed_on():
    letters = FakeDeadLetters(ALL)
    letters.failure = BusUnavailableError("optout: gone")
    with pytest.raises(BusUnavailableError):
        await grouped(waiting(letters, Choice()))


def facts(events: Sequence[EmailEvent]) -> bytes:
    found = tuple(Fact(f"f{n}", event, CONTACT_ID, "DM1", "D1", NOW, CANARY_URL) for n, event in enumerate(events))
    return encode(FactChunk("chunk-1", found, NOW))


def test_a_hint_is_shown_as_it_is():
    shown = view(a_letter(1), show_values=False)
    assert isinstance(shown.body, dict)
    assert shown.body["record"] == f"contact/{CONTACT_ID}"
    assert shown.body["columns"] == ["lastname"]
    assert (shown.line.record, shown.line.table) == (f"contact/{CONTACT_ID}", "contact")


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


async def each(*letters: DeadLetter) -> AsyncIterator[DeadLetter]:
    for letter in letters:
        yield letter


async def test_an_export_is_one_document_whatever_the_number():
    for letters in ((), (DEAD,), ALL):
        out = io.StringIO()
        shown = (line(letter) async for letter in each(*letters))
        assert await write_json(out, shown) == len(letters)
        assert [one["number"] for one in json.loads(out.getvalue())] == [one.sequence_number for one in letters]


async def test_a_spreadsheet_is_given_no_formula():
    out = io.StringIO()
    letter = replace(DEAD, description='=HYPERLINK("http://x")', lane=None, queue=Lane.PARKED)
    assert await write_csv(out, each(letter, LOST), show_values=False) == 2
    one, lost = csv.DictReader(io.StringIO(out.getvalue()))
    assert one["detail"] == '\'=HYPERLINK("http://x")'
    assert (one["number"], one["lane"], one["enqueued_at"]) == ("1", "", "2026-03-04 10:01:00Z")
    assert json.loads(one["body"])["record"] == f"contact/{CONTACT_ID}"
    assert json.loads(lost["body"])["kind"] == "unknown"
