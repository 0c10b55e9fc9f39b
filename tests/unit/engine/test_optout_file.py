"""The export's rows that disagree become hints: each file once, whatever breaks in the middle."""

from __future__ import annotations

import pytest

from shared.domain.change import Lane, Source, Why
from shared.engine.optout_file import BATCH, run
from shared.engine.timers import Timers
from shared.errors import Halt, Reason, Retry
from shared.stores.files import FileUnreadableError
from shared.wire import decode_hint
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known
from tests.unit.examples import ID, NOW, contact

HEADER = "externalId;blackListEmail;blackListPhone"
AGREES, DIFFERS = f"{ID};false;false", f"{ID};true;false"
STRANGER = "00000000-0000-4000-8000-000000000001;true;true"
MARK = f"optout-file/a.csv|0|{int(NOW.timestamp())}"


def hinted(world: Known) -> list[str]:
    return [decode_hint(message.body).record.id for message in world.in_lane(Lane.OPTOUT)]


async def test_a_row_that_disagrees_becomes_a_hint(world: Known) -> None:
    world.folder.files["a.csv"] = [HEADER, DIFFERS, STRANGER]
    tally = await run(world.ports, 0)
    assert (tally.files, tally.rows, tally.hints, tally.bad_rows) == (1, 2, 1, 0)
    (message,) = world.in_lane(Lane.OPTOUT)
    hint = decode_hint(message.body)
    assert (hint.why, hint.source, hint.first_seen, hint.record.id) == (Why.OPTOUT, Source.FILE, NOW, ID)
    assert world.watermarks.values == {MARK: "done"}


@pytest.mark.parametrize("lines", [[AGREES], [STRANGER], ["4711;true;true"], []])
async def test_rows_that_agree_or_are_not_ours_give_none(world: Known, lines: list[str]) -> None:
    world.folder.files["a.csv"] = [HEADER, *lines]
    assert (await run(world.ports, 10)).hints == 0
    assert world.everything_sent() == []
    assert world.watermarks.values == {MARK: "done"}


async def test_a_file_is_read_once(world: Known) -> None:
    world.folder.files["a.csv"] = [HEADER, DIFFERS]
    assert (await run(world.ports, 10)).files == 1
    assert (await run(world.ports, 10)).files == 0
    assert len(world.dynamics.compared) == 1


async def test_a_file_of_the_same_name_that_changed_is_another_file(world: Known) -> None:
    world.folder.files["a.csv"] = [HEADER, DIFFERS]
    await run(world.ports, 10)
    world.folder.sizes["a.csv"] = 99
    assert (await run(world.ports, 10)).files == 1


async def test_half_a_file_is_left_alone_until_it_rests(world: Known) -> None:
    world.folder.files["a.csv"] = [HEADER, DIFFERS]
    world.folder.growing.add("a.csv")
    assert (await run(world.ports, 10)).files == 0
    assert world.watermarks.values == {}
    world.folder.growing.clear()
    assert (await run(world.ports, 10)).files == 1


@pytest.mark.parametrize("name", ["a.csv.part", "a.csv.tmp", "a.csv.filepart"])
async def test_a_file_that_is_still_uploaded_is_none(world: Known, name: str) -> None:
    """Its program may pause for longer than the settling time."""
    world.folder.files[name] = [HEADER, DIFFERS]
    assert (await run(world.ports, 10)).files == 0
    assert world.watermarks.values == {}


async def test_the_two_looks_are_that_far_apart_and_an_empty_folder_is_looked_at_once(world: Known) -> None:
    await run(world.ports, 10)
    assert world.clock.now() == NOW
    world.folder.files["a.csv"] = [HEADER]
    await run(world.ports, 10)
    assert (world.clock.now() - NOW).total_seconds() == 10


async def test_a_run_that_broke_off_goes_on_at_its_last_batch(world: Known) -> None:
    world.folder.files["a.csv"] = [HEADER, *[STRANGER] * BATCH, DIFFERS, *[STRANGER] * 9]
    world.folder.broken_at["a.csv"] = BATCH + 5
    with pytest.raises(ConnectionError):
        await run(world.ports, 10)
    assert world.watermarks.values == {MARK: str(BATCH + 1)}
    assert hinted(world) == []
    world.folder.broken_at.clear()
    tally = await run(world.ports, 10)
    assert (tally.files, tally.rows, tally.hints) == (1, 10, 1)
    assert hinted(world) == [ID]
    assert [len(ids) for ids in world.dynamics.compared] == [BATCH, 10]


async def test_a_batch_whose_mark_was_not_kept_is_read_again_as_a_duplicate(world: Known) -> None:
    world.folder.files["a.csv"] = [HEADER, DIFFERS]
    await run(world.ports, 10)
    world.watermarks.values.clear()
    await run(world.ports, 10)
    assert len(hinted(world)) == 1


async def test_the_next_days_file_is_news_about_the_same_person(world: Known) -> None:
    world.folder.files = {"a.csv": [HEADER, DIFFERS], "b.csv": [HEADER, DIFFERS]}
    await run(world.ports, 10)
    assert hinted(world) == [ID, ID]


async def test_hints_that_are_not_durable_leave_no_mark(world: Known) -> None:
    world.folder.files["a.csv"] = [HEADER, DIFFERS]
    world.bus.refusing = True
    with pytest.raises(Exception, match="does not answer"):
        await run(world.ports, 10)
    assert world.watermarks.values == {}


async def test_a_file_of_another_form_is_refused_with_one_alarm_and_the_next_is_read(
    world: Known, lines: Lines
) -> None:
    world.folder.files = {"a.csv": ["email;blackListEmail", "ada@example.org;true"], "b.csv": [HEADER, DIFFERS]}
    for _ in range(2):
        await run(world.ports, 10)
    assert hinted(world) == [ID]
    assert world.watermarks.values[MARK] == "refused"
    assert [(line["where"], line["reason"]) for line in lines("alarm")] == [("a.csv", "wrong_file")]


async def test_a_file_that_is_not_text_does_not_hold_up_the_next(world: Known, lines: Lines) -> None:
    """As the file store reports one; read again and again, it would block the folder until somebody notices."""
    world.folder.files = {"a.csv": [HEADER, DIFFERS], "b.csv": [HEADER, DIFFERS]}
    world.folder.broken_at["a.csv"] = 2
    world.folder.failure = FileUnreadableError("sftp://server/a.csv: not UTF-8 text soon after line 1")
    await run(world.ports, 10)
    assert hinted(world) == [ID]
    assert [line["reason"] for line in lines("alarm")] == ["wrong_file"]


async def test_bad_rows_are_counted_named_and_skipped(world: Known, lines: Lines) -> None:
    world.folder.files["a.csv"] = [HEADER, f"{ID};maybe;false", *[f"{ID};x"] * 30, DIFFERS]
    await Timers(world.ports, settle_s=1, event_limit=1).optout_file()
    counted = lines("counted")
    assert counted[0] == {"what": "optout_file", "files": 1, "rows": 32, "hints": 1, "bad_rows": 31}
    assert counted[1] == {"what": "optout_file_bad_row", "where": "a.csv:2: not a boolean: blackListEmail"}
    assert len(counted) == 1 + 20  # enough to see what is wrong


async def test_a_timer_that_cannot_go_on_says_so_and_leaves_the_rest_to_the_next_run(
    world: Known, lines: Lines
) -> None:
    world.folder.files["a.csv"] = [HEADER, DIFFERS]
    world.dynamics.failure = Retry(Reason.DYNAMICS_BUSY)
    await Timers(world.ports, settle_s=1, event_limit=1).optout_file()
    assert lines("counted") == [{"what": "optout_file_cut_short", "reason": "dynamics_busy"}]
    assert lines("alarm") == []
    world.dynamics.failure = None
    await Timers(world.ports, settle_s=1, event_limit=1).optout_file()
    assert hinted(world) == [ID]


async def test_a_timer_that_meets_a_halt_raises_the_alarm(world: Known, lines: Lines) -> None:
    world.folder.files["a.csv"] = [HEADER, DIFFERS]
    world.dynamics.failure = Halt(Reason.DYNAMICS_CREDENTIALS)
    await Timers(world.ports, settle_s=1, event_limit=1).optout_file()
    assert [(line["where"], line["reason"]) for line in lines("alarm")] == [("optout_file", "dynamics_credentials")]


async def test_a_contact_that_agrees_by_an_empty_column_gives_no_hint(world: Known) -> None:
    world.dynamics.row = contact(no_mail=None)
    world.folder.files["a.csv"] = [HEADER, AGREES]
    assert (await run(world.ports, 10)).hints == 0
