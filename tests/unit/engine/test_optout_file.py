"""The export's rows that disagree become hints: each file once, whatever breaks in the middle."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.clients.campaign import export
from shared.domain.change import Lane, Source, Why
from shared.domain.optout_file import FilePolicy, FileRecord, FileState, Folder, RemoteFile
from shared.engine import optout_comparison
from shared.engine.optout_file import Tally
from shared.engine.optout_file import run as run_with
from shared.engine.timers import Timers
from shared.errors import Halt, Reason, Retry
from shared.ports import BusUnavailableError
from shared.stores.files import FilesUnavailableError
from shared.wire import decode_hint
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known
from tests.unit.examples import ID, NOW, contact

HEADER = "externalId;blackListEmail;blackListPhone"
AGREES, DIFFERS = f"{ID};false;false", f"{ID};true;false"
STRANGER = "00000000-0000-4000-8000-000000000001;true;true"
POLICY = FilePolicy(settle_s=10, late_hours=0)


async def run(world: Known, policy: FilePolicy = POLICY) -> Tally:
    return await run_with(world.ports, policy)


def hinted(world: Known) -> list[str]:
    return [decode_hint(message.body).record.id for message in world.in_lane(Lane.OPTOUT)]


def record(world: Known) -> FileRecord:
    (found,) = world.file_ledger.records.values()
    return found


def alarms(lines: Lines) -> list[tuple[str, str]]:
    return [(line["where"], line["reason"]) for line in lines("alarm")]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> int:
    """Rows between two checkpoints."""
    monkeypatch.setattr(export, "BATCH", 2)
    monkeypatch.setattr(optout_comparison, "AT_ONCE", 2)
    return 4


async def test_a_row_that_disagrees_becomes_a_hint_that_names_its_line(world: Known) -> None:
    world.folder.write("a.csv", HEADER, STRANGER, DIFFERS)
    tally = await run(world)
    assert (tally.files, tally.rows, tally.hints, tally.bad_rows) == (1, 2, 1, 0)
    (message,) = world.in_lane(Lane.OPTOUT)
    hint = decode_hint(message.body)
    assert (hint.why, hint.source, hint.record.id, hint.origin) == (Why.OPTOUT, Source.FILE, ID, "a.csv:3")


async def test_a_finished_file_lies_in_the_archive_under_a_name_of_its_own(world: Known) -> None:
    world.folder.write("a.csv", HEADER, DIFFERS)
    await run(world)
    size = len(f"{HEADER}\n{DIFFERS}\n")
    assert world.folder.names() == []
    assert world.folder.names(Folder.ARCHIVE) == [f"{NOW:%Y%m%dT%H%M%SZ}.{size}.a.csv"]
    assert record(world) == FileRecord(
        RemoteFile("a.csv", size, NOW),
        first_seen=NOW,
        state=FileState.ARCHIVED,
        rows=1,
        line=2,
        hints=1,
        finished_at=NOW + timedelta(seconds=10),
    )


@pytest.mark.parametrize("lines", [[AGREES], [STRANGER], ["4711;true;true"], []])
async def test_rows_that_agree_or_are_not_ours_give_none(world: Known, lines: list[str]) -> None:
    world.folder.write("a.csv", HEADER, *lines)
    assert (await run(world)).hints == 0
    assert (world.everything_sent(), world.campaign.calls) == ([], []), "agreement costs no engine call"
    assert record(world).state is FileState.ARCHIVED


async def test_a_file_is_compared_once_however_often_the_timer_runs(world: Known) -> None:
    world.folder.write("a.csv", HEADER, DIFFERS)
    assert [(await run(world)).files for _ in range(3)] == [1, 0, 0]
    assert len(world.dynamics.compared) == 1


async def test_the_very_same_file_again_is_put_away_unread(world: Known) -> None:
    world.folder.write("a.csv", HEADER, DIFFERS)
    content = world.folder.contents[Folder.INBOX, "a.csv"]
    await run(world)
    world.folder.contents[Folder.INBOX, "a.csv"] = content
    assert (await run(world)).files == 0
    assert world.folder.names() == []
    assert len(world.dynamics.compared) == 1


async def test_a_file_of_the_same_name_that_changed_is_another_file(world: Known) -> None:
    for rows in ([DIFFERS], [DIFFERS, STRANGER]):
        world.folder.write("a.csv", HEADER, *rows)
        assert (await run(world)).files == 1
    assert len(world.folder.names(Folder.ARCHIVE)) == 2


async def test_half_a_file_is_left_alone_until_it_rests(world: Known) -> None:
    world.folder.write("a.csv", HEADER, DIFFERS)
    world.folder.growing.add("a.csv")
    assert (await run(world)).files == 0
    assert world.folder.opened == []
    world.folder.growing.clear()
    assert (await run(world)).files == 1
    assert [known.state for known in world.file_ledger.records.values()] == [FileState.ARCHIVED]


async def test_a_long_rest_is_waited_for_from_run_to_run(world: Known) -> None:
    world.folder.write("a.csv", HEADER, DIFFERS)
    policy = replace(POLICY, settle_s=600)
    assert (await run(world, policy)).files == 0
    assert world.clock.now() == NOW
    world.clock.pass_(599)
    assert (await run(world, policy)).files == 1


@pytest.mark.parametrize("name", ["a.csv.part", "a.csv.tmp", "a.csv.filepart", "other.txt"])
async def test_files_that_are_still_uploaded_or_of_another_name_are_left_alone(world: Known, name: str) -> None:
    world.folder.write(name, HEADER, DIFFERS)
    assert (await run(world, replace(POLICY, pattern="a*"))).files == 0
    assert world.folder.names() == [name]


async def test_with_a_marker_a_file_waits_for_it_and_both_go(world: Known) -> None:
    policy = replace(POLICY, marker=".done", settle_s=10_000)
    world.folder.write("a.csv", HEADER, DIFFERS)
    assert (await run(world, policy)).files == 0
    world.folder.write("a.csv.done")
    assert (await run(world, policy)).files == 1
    assert world.folder.names() == []
    assert len(world.folder.names(Folder.ARCHIVE)) == 1


async def test_an_empty_folder_is_looked_at_without_waiting(world: Known) -> None:
    await run(world)
    assert world.clock.now() == NOW


@pytest.mark.usefixtures("small_batches")
async def test_a_run_that_broke_off_goes_on_at_its_last_checkpoint(world: Known) -> None:
    world.folder.write("a.csv", HEADER, *[STRANGER] * 4, DIFFERS, *[STRANGER] * 9)
    world.dynamics.fails_after = 2
    with pytest.raises(Retry):
        await run(world)
    assert (record(world).state, record(world).line, hinted(world)) == (FileState.CHECKED, 5, [])
    world.dynamics.fails_after = None
    tally = await run(world)
    assert (tally.files, tally.rows, tally.hints) == (1, 14, 1)
    assert hinted(world) == [ID]
    assert sum(map(len, world.dynamics.compared)) == 4 + 10


@pytest.mark.usefixtures("small_batches")
async def test_a_run_ends_in_time_and_the_next_goes_on(world: Known) -> None:
    world.folder.write("a.csv", HEADER, *[STRANGER] * 10)
    world.dynamics.on_read = lambda: world.clock.pass_(100)
    assert [(await run(world)).files for _ in range(3)] == [0, 0, 1]
    assert sum(map(len, world.dynamics.compared)) == 10


async def test_hints_that_are_not_durable_leave_no_checkpoint(world: Known) -> None:
    world.folder.write("a.csv", HEADER, DIFFERS)
    world.bus.refusing = True
    with pytest.raises(BusUnavailableError):
        await run(world)
    assert record(world).line == 1
    world.bus.refusing = False
    await run(world)
    assert hinted(world) == [ID]


async def test_the_next_days_file_is_news_about_the_same_person(world: Known) -> None:
    for name in ("a.csv", "b.csv"):
        world.folder.write(name, HEADER, DIFFERS)
    await run(world)
    assert hinted(world) == [ID, ID]


async def test_a_file_of_another_form_is_quarantined_with_one_alarm_and_the_next_is_read(
    world: Known, lines: Lines
) -> None:
    world.folder.write("a.csv", "email;blackListEmail", "ada@example.org;true")
    world.folder.write("b.csv", HEADER, DIFFERS)
    for _ in range(2):
        await run(world)
    assert hinted(world) == [ID]
    assert [name.split(".", 2)[2] for name in world.folder.names(Folder.QUARANTINE)] == ["a.csv"]
    assert alarms(lines) == [("a.csv", "wrong_file")]


@pytest.mark.parametrize(("bad", "good", "refused"), [(10, 1, False), (11, 1, True), (11, 209, False), (11, 208, True)])
async def test_a_file_with_too_many_bad_rows_is_quarantined_before_its_first_hint(
    world: Known, lines: Lines, bad: int, good: int, refused: bool
) -> None:
    world.folder.write("a.csv", HEADER, *[DIFFERS] * good, *[f"{ID};maybe;0"] * bad)
    tally = await run(world)
    assert (tally.bad_rows, len(tally.bad)) == (bad, bad)
    assert bool(hinted(world)) is not refused
    assert len(world.folder.names(Folder.QUARANTINE)) == refused
    assert alarms(lines) == [("a.csv", "wrong_file")] * refused


async def test_a_corrected_file_in_quarantine_comes_back(world: Known, lines: Lines) -> None:
    world.folder.write("a.csv", "email")
    await run(world)
    (name,) = world.folder.names(Folder.QUARANTINE)
    world.folder.put(name, f"{HEADER}\n{DIFFERS}\n".encode(), world.clock.now(), Folder.QUARANTINE)
    assert (await run(world)).files == 0
    assert (await run(world)).files == 1
    assert hinted(world) == [ID]
    assert ("a.csv", "file_changed") in alarms(lines)


async def test_a_file_that_grew_after_it_was_archived_is_read_again(world: Known) -> None:
    """Its program paused for longer than the settling time, and went on writing to the renamed file."""
    world.folder.write("a.csv", HEADER, AGREES)
    await run(world)
    key = next(iter(world.folder.contents))
    world.folder.contents[key] = (f"{HEADER}\n{AGREES}\n{DIFFERS}\n".encode(), NOW)
    for _ in range(2):
        await run(world)
    assert hinted(world) == [ID]
    assert len(world.folder.contents) == 1


async def test_a_file_that_cannot_be_read_holds_up_no_other(world: Known) -> None:
    world.folder.write("a.csv", HEADER, DIFFERS)
    world.folder.write("b.csv", HEADER, DIFFERS)
    world.folder.broken_at["a.csv"] = 0
    with pytest.raises(FilesUnavailableError):
        await run(world)
    assert hinted(world) == [ID]
    assert world.folder.names() == ["a.csv"]
    world.folder.broken_at.clear()
    await run(world)
    assert hinted(world) == [ID, ID]


async def test_bad_rows_are_counted_named_and_skipped(world: Known, lines: Lines) -> None:
    world.folder.write("a.csv", HEADER, f"{ID};maybe;false", *[f"{ID};x"] * 30, *[DIFFERS] * 1000)
    await Timers(world.ports, files=POLICY, seals=world.seals, event_limit=1).optout_file()
    counted = lines("counted")
    told = {"files": 1, "rows": 1000, "hints": 1000, "bad_rows": 31, "expected": False}
    assert counted[0] == {"what": "optout_file", **told}
    assert counted[1] == {"what": "optout_file_bad_row", "where": "a.csv:2: not a boolean: blackListEmail"}
    assert len(counted) == 1 + 20  # enough to see what is wrong
    assert hinted(world) == [ID]


async def test_a_timer_that_cannot_go_on_says_so_and_leaves_the_rest_to_the_next_run(
    world: Known, lines: Lines
) -> None:
    world.folder.write("a.csv", HEADER, DIFFERS)
    world.dynamics.failure = Retry(Reason.DYNAMICS_BUSY, "contacts: status 429")
    timers = Timers(world.ports, files=POLICY, seals=world.seals, event_limit=1)
    await timers.optout_file()
    cut = {"what": "optout_file_cut_short", "reason": "dynamics_busy", "detail": "contacts: status 429"}
    assert (lines("counted"), lines("alarm")) == ([cut], [])
    world.dynamics.failure = None
    await timers.optout_file()
    assert hinted(world) == [ID]


async def test_a_timer_that_meets_a_halt_raises_the_alarm(world: Known, lines: Lines) -> None:
    world.folder.write("a.csv", HEADER, DIFFERS)
    world.dynamics.failure = Halt(Reason.DYNAMICS_CREDENTIALS)
    await Timers(world.ports, files=POLICY, seals=world.seals, event_limit=1).optout_file()
    assert alarms(lines) == [("optout_file", "dynamics_credentials")]


async def test_a_contact_that_agrees_by_an_empty_column_gives_no_hint(world: Known) -> None:
    world.dynamics.row = contact(no_mail=None)
    world.folder.write("a.csv", HEADER, AGREES)
    assert (await run(world)).hints == 0
