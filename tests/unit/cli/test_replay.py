"""Many messages, some at a time, with an account of each."""

from __future__ import annotations

from cli.replay import AT_ONCE, carry_out, rehearse
from shared.domain.change import Lane
from shared.ports import BusUnavailableError
from tests.unit.cli.fakes import FakeDeadLetters
from tests.unit.cli.samples import a_letter

LOST = a_letter(900, queue=Lane.PARKED, place="parked", lane=None, reason="malformed")


async def test_all_are_replayed_and_progress_is_told():
    letters = [a_letter(number) for number in range(1, AT_ONCE + 51)]
    waiting, steps = FakeDeadLetters(letters), list[int]()
    report = await carry_out(waiting, "replay", list(reversed(letters)), steps.append)
    assert (report.done, report.lanes, report.complete) == (AT_ONCE + 50, {"contact-upsert": AT_ONCE + 50}, True)
    assert steps == [AT_ONCE, 50]
    assert waiting.replayed == letters
    assert waiting.letters == []


async def test_a_message_without_a_lane_is_refused_but_can_be_discarded():
    waiting = FakeDeadLetters([a_letter(1), LOST])
    report = await carry_out(waiting, "replay", [a_letter(1), LOST], lambda _: None)
    assert ([line.number for line in report.refused], report.done, report.complete) == ([900], 1, False)
    report = await carry_out(waiting, "discard", [LOST], lambda _: None)
    assert (report.refused, report.done, waiting.letters) == ((), 1, [])


async def test_what_another_tool_holds_is_left_and_said():
    waiting = FakeDeadLetters([a_letter(1), a_letter(2)])
    waiting.held = frozenset({2})
    report = await carry_out(waiting, "replay", list(waiting.letters), lambda _: None)
    assert ([line.number for line in report.left], report.done, report.complete) == ([2], 1, False)


async def test_a_broker_that_fails_on_the_way_ends_it_with_an_account():
    letters = [a_letter(number) for number in range(1, 2 * AT_ONCE + 1)]
    waiting = FakeDeadLetters(letters)
    waiting.failure, waiting.fail_after = BusUnavailableError("contact-upsert: gone"), 1
    report = await carry_out(waiting, "replay", letters, lambda _: None)
    assert (report.done, report.not_tried, report.complete) == (AT_ONCE, AT_ONCE, False)
    assert report.failure is not None
    assert "contact-upsert: gone" in report.failure


async def test_a_rehearsal_only_counts():
    report = rehearse("replay", [a_letter(1), a_letter(2, queue=Lane.OPTOUT, lane=Lane.OPTOUT), LOST])
    assert report.dry_run
    assert report.lanes == {"contact-upsert": 1, "optout": 1}
    assert (report.done, report.not_tried, len(report.refused)) == (0, 2, 1)
