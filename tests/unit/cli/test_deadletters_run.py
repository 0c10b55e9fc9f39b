"""A replay under way: an account of every letter, canaries, a pace, and what has failed since."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cli.deadletters.audit import UnknownRunError, begin, end, unfinished
from cli.deadletters.choice import Choice
from cli.deadletters.plan import Plan, Verb, plan
from cli.deadletters.posting import Posting
from cli.deadletters.run import LOOK_EVERY, PATIENCE_S, Orders, Report, Run
from shared.domain.change import Lane, Why
from shared.errors import Reason, Retry
from shared.ports import BusUnavailableError
from shared.stores.dead_letters import Copy
from shared.stores.letter import Box, DeadLetter
from shared.stores.letter_desk import LetterDesk
from shared.stores.withdrawal import PAGE
from shared.wire import decode_hint, encode
from tests.unit.cli.fakes import FakeApp, FakeDeadLetters
from tests.unit.cli.samples import NOW, VALUES, a_letter

LOST = a_letter(900, queue=Lane.PARKED, place="parked", lane=None, reason="malformed")


class Desk:
    """A fake app with letters, and what a run of it said."""

    def __init__(self, *letters: DeadLetter) -> None:
        self.fake = FakeApp()
        self.fake.values = dict(VALUES)
        self.fake.clock.passes = True
        self.fake.dead_letters = FakeDeadLetters(letters)
        self.steps: list[int] = []
        self.said: list[str] = []

    @property
    def box(self) -> FakeDeadLetters:
        return self.fake.dead_letters

    @property
    def log(self) -> LetterDesk:
        return self.fake.build_desk()

    async def plan(self, verb: Verb = "replay", choice: Choice | None = None) -> Plan:
        return await plan(self.box, verb, choice or Choice())

    async def run(self, verb: Verb = "replay", made: Plan | None = None, **how: Any) -> Report:
        app = self.fake.wiring()
        opened = app.build(app.settings(None))
        posting = Posting(opened.letter_desk, await opened.letter_desk.edited(), "run-1")
        working = Run(
            opened,
            made or await self.plan(verb),
            Orders("run-1", **how),
            posting,
            self.steps.append,
            self.said.append,
        )
        return await working.carry_out()


def many(count: int) -> list[DeadLetter]:
    return [a_letter(number) for number in range(1, count + 1)]


def failed_again(copy: Copy, number: int, reason: str = "refused_email") -> DeadLetter:
    name = f"parked/{copy.message.message_id}"
    letter = a_letter(number, queue=Lane.PARKED, place="parked", lane=copy.lane, reason=reason, body=copy.message.body)
    return replace(letter, message_id=name)


async def test_all_are_replayed_and_progress_is_told():
    desk = Desk(*many(PAGE + 50))
    report = await desk.run()
    assert (report.done, report.lanes, report.complete) == (PAGE + 50, {"contact-upsert": PAGE + 50}, True)
    assert desk.steps == [PAGE, 50]
    assert [copy.message.message_id for copy in desk.box.copies[:2]] == [
        "event-1/upsert:replay1",
        "event-2/upsert:replay1",
    ]
    assert desk.box.letters_kept == []


async def test_a_message_without_a_lane_is_refused_but_can_be_discarded():
    desk = Desk(a_letter(1), LOST)
    report = await desk.run()
    assert ([line.number for line in report.refused_examples], report.done, report.complete) == ([900], 1, False)
    report = await desk.run("discard")
    assert (report.refused, report.done, desk.box.letters_kept) == (0, 1, [])


async def test_what_another_tool_holds_is_waited_for_and_then_left():
    desk = Desk(a_letter(1), a_letter(2))
    desk.box.held = frozenset({2})
    report = await desk.run()
    assert (report.done, report.left, report.gone, report.complete) == (1, 1, 0, False)
    assert sum(desk.fake.clock.slept) == pytest.approx(PATIENCE_S, abs=5)
    assert "locks" in desk.said[0]


async def test_what_a_killed_run_held_is_taken_when_its_locks_end():
    desk = Desk(*many(3))
    desk.box.held = frozenset({1, 2})
    sleep = desk.fake.clock.sleep

    async def lock_ends(seconds: float) -> None:
        await sleep(seconds)
        desk.box.held = frozenset()

    desk.fake.clock.sleep = lock_ends  # type: ignore[method-assign]
    report = await desk.run()
    assert (report.done, report.left, report.complete) == (3, 0, True)


async def test_what_somebody_else_took_is_said_to_be_gone():
    desk = Desk(*many(3))
    made = await desk.plan()
    del desk.box.letters_kept[1]
    report = await desk.run(made=made)
    assert (report.done, report.gone, report.left, report.complete) == (2, 1, 0, True)


async def test_a_broker_that_fails_on_the_way_ends_it_with_an_account():
    desk = Desk(*many(2 * PAGE))
    made = await desk.plan()
    desk.box.failure, desk.box.fail_after = BusUnavailableError("contact-upsert: gone"), 1
    report = await desk.run(made=made)
    assert (report.done, report.left, report.complete) == (PAGE, PAGE, False)
    assert report.failure is not None
    assert "contact-upsert: gone" in report.failure


async def test_storage_that_hides_an_edit_ends_it_before_the_wrong_body_is_sent():
    letter = a_letter(1)
    desk = Desk(letter)
    await desk.log.edit(letter, letter.body, "ann", "")
    made, entries = await desk.plan(), desk.fake.log.entries

    async def away(name: str) -> Any:
        if name.startswith("edits/"):
            raise Retry(Reason.LEDGER_UNREACHABLE, "HTTP 503")
        return await entries(name)

    desk.fake.log.entries = away  # type: ignore[method-assign]
    report = await desk.run(made=made)
    assert (report.done, report.left, desk.box.copies) == (0, 1, [])
    assert report.failure is not None
    assert "ledger_unreachable" in report.failure


async def test_what_fails_after_the_start_is_shown_and_not_replayed_again():
    desk = Desk(*many(3))
    desk.box.on_copy = lambda copy: desk.box.letters_kept.append(failed_again(copy, 100 + len(desk.box.letters_kept)))
    report = await desk.run()
    assert (report.done, len(desk.box.copies), report.complete) == (3, 3, False)
    (group,) = report.new_failures
    assert (group.name, group.count) == ("contact-upsert/parked/refused_email/contact", 3)


async def test_canaries_go_first_and_the_rest_follows_when_they_are_settled():
    desk = Desk(*many(30))
    report = await desk.run(canary=True)
    assert (desk.steps, report.done, report.complete) == ([1, 10, 19], 30, True)


async def test_a_failing_canary_stops_the_rest():
    desk = Desk(*many(30))
    desk.box.on_copy = lambda copy: desk.box.letters_kept.append(failed_again(copy, 100))
    report = await desk.run(canary=True)
    assert (report.done, report.left, report.complete) == (1, 29, False)
    assert report.stopped is not None
    assert "refused_email" in report.stopped
    assert len(desk.box.copies) == 1


async def test_a_failure_behind_a_retry_is_still_the_canarys():
    """A retried copy has the hint's own id again; only the body's tells whose failure it is."""
    desk = Desk(*many(2))

    def retried_and_parked(copy: Copy) -> None:
        hint = replace(decode_hint(copy.message.body), attempt=3)
        letter = replace(failed_again(copy, 100), message_id=f"parked/{hint.message_id}", body=encode(hint))
        desk.box.letters_kept.append(letter)

    desk.box.on_copy = retried_and_parked
    report = await desk.run(canary=True)
    assert report.stopped is not None
    assert report.done == 1


async def test_a_canary_that_is_not_settled_in_time_stops_the_rest():
    desk = Desk(*many(30))

    def stays(copy: Copy) -> None:
        desk.box.lanes.setdefault(copy.lane, []).append((copy.message.message_id, copy.message.body))

    desk.box.on_copy = stays
    report = await desk.run(canary=True, canary_s=10)
    assert (report.done, report.left) == (1, 29)
    assert report.stopped is not None
    assert "not settled after 10 s" in report.stopped


async def test_with_canaries_a_later_failure_stops_the_rest_too():
    desk = Desk(*many(LOOK_EVERY + 500))

    def fail_late(copy: Copy) -> None:
        if len(desk.box.copies) > 500:
            desk.box.letters_kept.append(failed_again(copy, 5000 + len(desk.box.letters_kept)))

    desk.box.on_copy = fail_late
    report = await desk.run(canary=True)
    assert LOOK_EVERY <= report.done < LOOK_EVERY + PAGE
    assert report.stopped is not None


async def test_a_rate_is_kept_in_small_pages():
    desk = Desk(*many(20))
    report = await desk.run(rate=4)
    assert desk.steps == [4] * 5
    assert report.seconds == pytest.approx(5)


async def test_a_copy_is_sent_as_it_was_edited_to_the_lane_of_what_it_has_become():
    letter, other = many(2)
    desk = Desk(letter, other)
    hint = replace(decode_hint(letter.body), why=Why.OPTOUT)
    await desk.log.edit(letter, encode(hint), "ann", "an opt-out after all")
    await desk.run()
    (edited, plain) = desk.box.copies
    assert (edited.lane, edited.message.properties["edited"]) == (Lane.OPTOUT, 1)
    assert b'"optout"' in edited.message.body
    assert (plain.lane, plain.message.body) == (Lane.CONTACT_UPSERT, other.body)
    kept = await desk.log.edit_of(letter, await desk.log.edited())
    assert kept is not None
    assert kept.original == letter.body


async def test_an_interrupted_run_can_go_on_and_one_that_ended_cannot():
    desk = Desk(*many(5))
    choice = Choice(lane=Lane.CONTACT_UPSERT, since=NOW - timedelta(hours=1))
    made = await desk.plan(choice=choice)
    await begin(desk.log, made, Orders("run-1", rate=5, canary=True), "after the fix", resumed=False)
    begun = await unfinished(desk.log, None)
    assert begun == await unfinished(desk.log, "run-1")
    assert (begun.choice, begun.why, begun.orders(9)) == (choice, "after the fix", Orders("run-1", 5, True, 9))
    assert begun.horizon[Box(Lane.CONTACT_UPSERT, "dead")] == 5
    desk.box.letters_kept.append(a_letter(6))
    again = await plan(desk.box, "replay", begun.choice, begun.horizon)
    assert again.count == 5, "what came after the start is not the run's"
    assert (await end(desk.log, await desk.run(made=again))).failure is None
    with pytest.raises(UnknownRunError):
        await unfinished(desk.log, None)
    with pytest.raises(UnknownRunError, match="run-2"):
        await unfinished(desk.log, "run-2")


async def test_a_run_that_broke_has_not_ended_and_a_log_that_fails_is_told():
    desk = Desk(*many(1))
    made = await desk.plan()
    await begin(desk.log, made, Orders("run-1"), "", resumed=False)
    report = await desk.run(made=made)
    assert (await end(desk.log, replace(report, failure="broken"))).failure == "broken"
    assert (await unfinished(desk.log, None)).run == "run-1"
    desk.fake.log.failure = Retry(Reason.LEDGER_UNREACHABLE)
    told = await end(desk.log, report)
    assert told.failure is not None
    assert "audit log" in told.failure


async def test_a_number_in_two_boxes_is_seen():
    one, two = a_letter(7), a_letter(7, queue=Lane.PARKED, place="parked")
    assert (await Desk(one, two).plan(choice=Choice(numbers=frozenset({7})))).doubled
    assert not (await Desk(one).plan(choice=Choice(numbers=frozenset({7})))).doubled
