"""`bridge deadletters`."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from shared.domain.change import Lane
from shared.domain.fact import EmailEvent, Fact, FactChunk
from shared.errors import Reason, Retry
from shared.ports import BusUnavailableError
from shared.wire import encode
from tests.component.cli.typed import PARKED, Run, data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CONTACT_ID, NOW, a_letter

GROUP = "optout/parked/refused_email/contact"
URL = "https://t.example.com/r?mail=canary@example.com"


def audited(fake: FakeApp) -> list[str]:
    return [entry["what"] for name, log in fake.log.logs.items() if name.startswith("audit/") for entry in log]


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
    fake.dead_letters.letters_kept = [a_letter(3, body=b'{"name": "Canaria"}', properties={"sender": "Canaria"})]
    words = ("deadletters", "show", "3", "--lane", "contact-upsert")
    for form in ([], ["--json"]):
        assert "Canaria" not in bridge(*words, *form).output
        assert "Canaria" in bridge(*words, *form, "--show-values").stdout


def test_a_replay_sends_reports_and_leaves_the_rest(bridge: Run, fake: FakeApp):
    result = bridge("deadletters", "replay", "--lane", "contact-upsert", "--why", "a test", "--yes", "--json")
    assert result.exit_code == 0
    report = data(result)
    assert (report["chosen"], report["done"], report["lanes"]) == (2, 2, {"contact-upsert": 2})
    assert fake.dead_letters.letters_kept == [PARKED]
    assert audited(fake) == ["replay", "replay ended"]
    assert (
        "0 of 0 replayed"
        in bridge("deadletters", "replay", "--lane", "contact-upsert", "--why", "a test", "--yes").stdout
    )


def test_a_dry_run_says_what_each_would_lead_to_and_changes_nothing(bridge: Run, fake: FakeApp):
    result = bridge("deadletters", "replay", "--all", "--dry-run", "--json")
    assert result.exit_code == 0
    assert [(one["line"]["number"], one["verdict"], one["reason"]) for one in data(result)] == [
        (1, "would_apply", "written"),
        (2, "would_apply", "written"),
        (7, "already_settled", "unchanged"),
    ]
    assert "3 engine calls made. Nothing was changed." in result.stderr
    assert (fake.dead_letters.copies, len(fake.dead_letters.letters_kept), audited(fake)) == ([], 3, [])
    shown = bridge("deadletters", "replay", "--all", "--dry-run", "--no-look")
    assert "cannot be known: 3" in shown.stdout
    assert "0 engine calls made" in shown.stderr


def test_a_discard_rehearsed_counts(bridge: Run, fake: FakeApp):
    result = bridge("deadletters", "discard", "--lane", "contact-upsert", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "contact-upsert: 2 would be discarded\n")
    assert len(fake.dead_letters.letters_kept) == 3


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 1), ("n\n", 1, 3), ("", 1, 3)])
def test_it_asks_before_it_acts(bridge: Run, fake: FakeApp, answer: str, code: int, left: int):
    result = bridge("deadletters", "discard", "--lane", "contact-upsert", "--why", "a test", input=answer)
    assert (result.exit_code, len(fake.dead_letters.letters_kept)) == (code, left)
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
    result = bridge("deadletters", verb, *words, "--why", "a test")
    assert (result.exit_code, result.stdout, fake.built) == (2, "", 0)
    assert len(fake.dead_letters.letters_kept) == 3


def test_numbers_choose_within_a_lane(bridge: Run, fake: FakeApp):
    result = bridge(
        "deadletters", "replay", "--lane", "contact-upsert", "--ids", "2", "--ids", "9,10", "--why", "a test", "--yes"
    )
    assert result.exit_code == 0
    assert [copy.message.message_id for copy in fake.dead_letters.copies] == ["event-2/upsert:replay1"]


def test_a_number_that_two_messages_have_asks_for_the_place(bridge: Run, fake: FakeApp):
    fake.dead_letters.letters_kept.append(a_letter(7, queue=Lane.OPTOUT, lane=Lane.OPTOUT))
    words = ("deadletters", "replay", "--lane", "optout", "--ids", "7", "--why", "a test", "--yes")
    assert "--place" in (result := bridge(*words)).stderr
    assert (result.exit_code, fake.dead_letters.copies) == (2, [])
    assert bridge(*words, "--place", "parked").exit_code == 0
    assert PARKED not in fake.dead_letters.letters_kept


def test_what_is_left_is_a_failure(bridge: Run, fake: FakeApp):
    fake.clock.passes = True
    fake.dead_letters.held = frozenset({2})
    result = bridge("deadletters", "replay", "--all", "--why", "a test", "--yes")
    assert result.exit_code == 1
    assert "left: 1; another tool holds them" in result.stdout


def test_a_broker_that_does_not_answer_is_told(bridge: Run, fake: FakeApp):
    fake.dead_letters.failure = BusUnavailableError("contact-upsert: ServiceBusConnectionError")
    result = bridge("deadletters", "list", "--json")
    assert (result.exit_code, result.stdout, fake.closed) == (1, "", 1)
    assert "ServiceBusConnectionError" in result.stderr


def test_nothing_is_done_that_the_audit_log_does_not_take(bridge: Run, fake: FakeApp):
    fake.log.failure = Retry(Reason.LEDGER_UNREACHABLE, "HTTP 503")
    result = bridge("deadletters", "replay", "--all", "--why", "a test", "--yes", "--json")
    assert (result.exit_code, result.stdout, len(fake.dead_letters.letters_kept)) == (1, "", 3)
    assert "ledger_unreachable" in result.stderr


def test_a_replay_at_the_terminal_is_asked_why_for_the_audit_log(bridge: Run):
    words = ("deadletters", "replay", "--lane", "optout")
    assert "Why" in bridge(*words, input="the address was corrected\nn\n").stderr
    assert bridge(*words, input="the address was corrected\ny\n").exit_code == 0
    begun, ended = data(bridge("deadletters", "audit", "--json"))
    assert (begun["what"], begun["why"], ended["what"]) == ("replay", "the address was corrected", "replay ended")


def test_a_replay_that_asks_nobody_says_why(bridge: Run):
    refused = bridge("deadletters", "replay", "--lane", "optout", "--yes")
    assert (refused.exit_code, "--why" in refused.stderr) == (2, True)
    assert bridge("deadletters", "replay", "--lane", "optout", "--yes", "--dry-run").exit_code == 0
    assert bridge("deadletters", "replay", "--lane", "optout", "--yes", "--why", "  mended ").exit_code == 0
    begun, _ended = data(bridge("deadletters", "audit", "--json"))
    assert begun["why"] == "mended"


def test_a_discard_says_why_and_the_log_keeps_it(bridge: Run):
    assert "--why" in bridge("deadletters", "discard", "--all").stderr
    assert bridge("deadletters", "discard", "--lane", "optout", "--why", "tested twice", "--yes").exit_code == 0
    begun, ended = data(bridge("deadletters", "audit", "--json"))
    assert (begun["what"], begun["why"], begun["detail"]["choice"]) == ("discard", "tested twice", {"lane": "optout"})
    assert (ended["what"], ended["run"], ended["detail"]["done"]) == ("discard ended", begun["run"], 1)
    assert "tested twice" in bridge("deadletters", "audit").stdout


def test_a_group_is_split_noted_on_and_replayed_by_its_name(bridge: Run, fake: FakeApp):
    assert bridge("deadletters", "note", GROUP, "asked the web team").exit_code == 0
    assert "asked the web team" in bridge("deadletters", "list").stdout
    for wrong in ("optout/parked", "a/b/c/d", "optout/elsewhere/refused_email/contact", "optout/parked//contact"):
        assert bridge("deadletters", "note", wrong, "no group's name").exit_code == 2
    assert bridge("deadletters", "note", GROUP, " ").exit_code == 2
    ages = data(bridge("deadletters", "list", "--by", "age,function", "--json"))
    assert [(group["function"], group["age"], group["count"]) for group in ages] == [
        ("contact_upsert", "under an hour", 2),
        ("optout_writeback", "under an hour", 1),
    ]
    assert bridge("deadletters", "list", "--by", "colour").exit_code == 2
    assert bridge("deadletters", "replay", "--group", GROUP, "--why", "a test", "--yes").exit_code == 0
    assert PARKED not in fake.dead_letters.letters_kept


def test_an_export_is_a_file_or_the_output(bridge: Run, tmp_path: Path):
    everything = data(bridge("deadletters", "export"))
    assert [one["line"]["number"] for one in everything] == [1, 2, 7]
    target = tmp_path / "letters.csv"
    assert bridge("deadletters", "export", "--lane", "optout", "--format", "csv", "--to", str(target)).exit_code == 0
    (row,) = csv.DictReader(target.read_text(encoding="utf-8").splitlines())
    assert (row["number"], row["reason"], json.loads(row["body"])["why"]) == ("7", "refused_email", "upsert")


@pytest.mark.parametrize("age", ["soon", "5", "-1d", "9999999999d"])
def test_an_age_is_a_number_and_a_unit(bridge: Run, age: str):
    assert bridge("deadletters", "list", "--older-than", age).exit_code == 2


def test_ages_choose(bridge: Run):
    assert len(data(bridge("deadletters", "list", "--newer-than", "1h", "--each", "--json"))) == 3
    assert data(bridge("deadletters", "list", "--older-than", "1h", "--each", "--json")) == []


def test_a_hint_is_edited_beside_its_original_and_replayed_as_edited(bridge: Run, fake: FakeApp):
    words = ("deadletters", "edit", "1", "--lane", "contact-upsert", "--set", "why=verify", "--why", "look at both")
    shown = data(bridge(*words, "--set", "columns=lastname,firstname", "--json"))
    assert (shown["body"]["why"], shown["edit"]["body"]["why"]) == ("upsert", "verify")
    assert shown["edit"]["body"]["columns"] == ["firstname", "lastname"]
    seen = data(bridge("deadletters", "show", "1", "--lane", "contact-upsert", "--json"))
    assert seen["edit"] == shown["edit"]
    assert audited(fake) == ["edit"]
    bridge("deadletters", "replay", "--lane", "contact-upsert", "--ids", "1", "--why", "a test", "--yes")
    (copy,) = fake.dead_letters.copies
    assert b'"verify"' in copy.message.body


@pytest.mark.parametrize(
    "change", ["id=other", "why=whatever", "record=nobody", "why", "first_seen=2026-01-01T00:00:00Z", "columns"]
)
def test_an_edit_that_would_make_no_message_of_ours_is_refused(bridge: Run, fake: FakeApp, change: str):
    result = bridge("deadletters", "edit", "1", "--lane", "contact-upsert", "--set", change, "--why", "x")
    assert (result.exit_code, fake.log.logs) == (2, {})


def test_one_event_of_a_chunk_is_edited_by_its_id(bridge: Run, fake: FakeApp):
    facts = tuple(Fact(f"f{n}", EmailEvent.OPEN, CONTACT_ID, "DM1", "D1", NOW, URL) for n in range(2))
    body = encode(FactChunk("chunk-1", facts, NOW))
    fake.dead_letters.letters_kept = [a_letter(1, queue=Lane.TIMELINE, lane=Lane.TIMELINE, body=body)]
    words = ("deadletters", "edit", "1", "--lane", "timeline", "--set", "tracking_url=", "--why", "x")
    assert "--fact" in bridge(*words).stderr
    result = bridge(*words, "--fact", "f1", "--show-values", "--json")
    before, after = data(result)["body"]["facts"], data(result)["edit"]["body"]["facts"]
    assert [fact["tracking_url"] for fact in before] == [URL, URL]
    assert [fact["tracking_url"] for fact in after] == [URL, None]
    assert "canary" not in bridge(*words, "--fact", "f1").output


def test_an_interrupted_replay_goes_on_with_its_own_messages(bridge: Run, fake: FakeApp):
    fake.dead_letters.failure, fake.dead_letters.fail_after = BusUnavailableError("optout: gone"), 1
    broken = bridge("deadletters", "replay", "--all", "--rate", "1", "--why", "a fix", "--yes", "--json")
    assert (broken.exit_code, data(broken)["done"]) == (1, 1)
    fake.dead_letters.failure = None
    fake.dead_letters.letters_kept.append(replace(PARKED, sequence_number=99))
    assert bridge("deadletters", "replay", "--resume", "last", "--all").exit_code == 2
    resumed = bridge("deadletters", "replay", "--resume", "last", "--yes", "--json")
    assert data(resumed)["run"] == data(broken)["run"]
    assert (data(resumed)["done"], len(fake.dead_letters.letters_kept)) == (2, 1)
    assert bridge("deadletters", "replay", "--resume", "last").exit_code == 2


def test_an_export_to_where_nothing_can_be_written_is_a_usage_error(bridge: Run, tmp_path: Path):
    result = bridge("deadletters", "export", "--to", str(tmp_path / "missing" / "x.json"))
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


def test_an_edit_without_a_reason_is_a_usage_error(bridge: Run, fake: FakeApp):
    words = ("deadletters", "edit", "1", "--lane", "contact-upsert", "--set", "why=verify", "--why", " ")
    assert bridge(*words).exit_code == 2
    assert audited(fake) == []
