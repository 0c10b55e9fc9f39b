"""`bridge deadletters`."""

from __future__ import annotations

import pytest

from shared.domain.change import Lane
from shared.errors import Reason
from shared.ports import BusUnavailableError
from tests.component.cli.typed import PARKED, Run, data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CONTACT_ID, a_letter


def test_waiting_messages_are_grouped_and_explained(bridge: Run):
    groups = data(bridge("deadletters", "list", "--json"))
    assert [(group["lane"], group["place"], group["reason"]["slug"], group["count"]) for group in groups] == [
        ("contact-upsert", "dead", "MaxDeliveryCountExceeded", 2),
        ("optout", "parked", "refused_email", 1),
    ]
    assert groups[1]["reason"]["action"] == Reason.REFUSED_EMAIL.action
    shown = bridge("deadletters", "list").stdout
    assert Reason.REFUSED_EMAIL.meaning in shown
    assert "2026-03-04 10:07:00Z" in shown


def test_a_list_narrows_and_shows_each(bridge: Run):
    lines = data(bridge("deadletters", "list", "--lane", "optout", "--reason", "refused_email", "--each", "--json"))
    assert [(line["number"], line["queue"], line["record"]) for line in lines] == [
        (7, "parked", f"contact/{CONTACT_ID}")
    ]
    assert "Nothing waits." in bridge("deadletters", "list", "--lane", "bulk").stdout
    assert bridge("deadletters", "list", "--lane", "nonsense").exit_code == 2


def test_one_message_is_shown(bridge: Run):
    shown = data(bridge("deadletters", "show", "7", "--lane", "optout", "--place", "parked", "--json"))
    assert (shown["line"]["reason"], shown["body"]["why"]) == ("refused_email", "upsert")
    assert f"contact/{CONTACT_ID}" in bridge("deadletters", "show", "7", "--lane", "parked").stdout


def test_a_message_that_does_not_wait_there_is_an_error(bridge: Run):
    result = bridge("deadletters", "show", "7", "--lane", "optout", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no message 7" in result.stderr


def test_a_foreign_body_shows_only_when_asked_for(bridge: Run, fake: FakeApp):
    fake.dead_letters.letters = [a_letter(3, body=b'{"name": "Canaria"}', properties={"sender": "Canaria"})]
    words = ("deadletters", "show", "3", "--lane", "contact-upsert")
    for form in ([], ["--json"]):
        assert "Canaria" not in bridge(*words, *form).output
        assert "Canaria" in bridge(*words, *form, "--show-values").stdout


def test_a_replay_sends_reports_and_leaves_the_rest(bridge: Run, fake: FakeApp):
    result = bridge("deadletters", "replay", "--lane", "contact-upsert", "--yes", "--json")
    assert result.exit_code == 0
    report = data(result)
    assert (report["chosen"], report["done"], report["lanes"]) == (2, 2, {"contact-upsert": 2})
    assert fake.dead_letters.letters == [PARKED]
    assert "0 of 0 replayed." in bridge("deadletters", "replay", "--lane", "contact-upsert", "--yes").stdout


def test_a_dry_run_changes_nothing(bridge: Run, fake: FakeApp):
    result = bridge("deadletters", "replay", "--all", "--dry-run")
    assert result.exit_code == 0
    assert "contact-upsert: 2 would be replayed" in result.stdout
    assert (fake.dead_letters.replayed, len(fake.dead_letters.letters)) == ([], 3)


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 1), ("n\n", 1, 3), ("", 1, 3)])
def test_it_asks_before_it_acts(bridge: Run, fake: FakeApp, answer: str, code: int, left: int):
    result = bridge("deadletters", "discard", "--lane", "contact-upsert", input=answer)
    assert (result.exit_code, len(fake.dead_letters.letters)) == (code, left)
    assert "Discard 2 (contact-upsert: 2)?" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--yes"],
        ["--all", "--lane", "optout"],
        ["--ids", "1"],
        ["--ids", "x", "--lane", "optout"],
        ["--ids", "1,,2", "--lane", "optout"],
    ],
)
@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_a_choice_that_is_none_is_a_matter_of_usage(bridge: Run, fake: FakeApp, verb: str, words: list[str]):
    result = bridge("deadletters", verb, *words)
    assert (result.exit_code, result.stdout, fake.built) == (2, "", 0)
    assert len(fake.dead_letters.letters) == 3


def test_numbers_choose_within_a_lane(bridge: Run, fake: FakeApp):
    result = bridge("deadletters", "replay", "--lane", "contact-upsert", "--ids", "2", "--ids", "9,10", "--yes")
    assert result.exit_code == 0
    assert [letter.sequence_number for letter in fake.dead_letters.replayed] == [2]


def test_a_number_that_two_messages_have_asks_for_the_place(bridge: Run, fake: FakeApp):
    fake.dead_letters.letters.append(a_letter(7, queue=Lane.OPTOUT, lane=Lane.OPTOUT))
    words = ("deadletters", "replay", "--lane", "optout", "--ids", "7", "--yes")
    assert "--place" in (result := bridge(*words)).stderr
    assert (result.exit_code, fake.dead_letters.replayed) == (2, [])
    assert bridge(*words, "--place", "parked").exit_code == 0
    assert fake.dead_letters.replayed == [PARKED]


def test_what_is_left_is_a_failure(bridge: Run, fake: FakeApp):
    fake.dead_letters.held = frozenset({2})
    result = bridge("deadletters", "replay", "--all", "--yes")
    assert result.exit_code == 1
    assert "left: contact-upsert dead 2" in result.stdout


def test_a_broker_that_does_not_answer_is_told(bridge: Run, fake: FakeApp):
    fake.dead_letters.failure = BusUnavailableError("contact-upsert: ServiceBusConnectionError")
    result = bridge("deadletters", "list", "--json")
    assert (result.exit_code, result.stdout, fake.closed) == (1, "", 1)
    assert "ServiceBusConnectionError" in result.stderr
