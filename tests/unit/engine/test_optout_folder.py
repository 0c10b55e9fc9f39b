"""The opt-out folder in order: what is removed, and the alarms about files that are late, unusual or too many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.mapping import Mapping
from shared.domain.optout import Configuration, OptOutRules
from shared.domain.optout_file import FilePolicy, FileRecord, FileState, Folder, RemoteFile, kept_name
from shared.engine.optout_file import run
from shared.engine.timers import Timers
from shared.errors import Outcome
from shared.stores.files import FilesUnavailableError
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known
from tests.unit.examples import ID, MAPPING, NOW

HEADER = "externalId;blackListEmail"
POLICY = FilePolicy(settle_s=1)


def told(lines: Lines) -> list[str]:
    return [line["reason"] for line in lines("alarm")]


async def hours(world: Known, number: int, policy: FilePolicy = POLICY) -> None:
    """So many hours, with a run in each."""
    for _ in range(number):
        world.clock.pass_(3600)
        await run(world.ports, policy)


async def day(world: Known, rows: int, policy: FilePolicy = POLICY) -> None:
    world.clock.pass_(86_400)
    world.folder.write(f"{world.clock.now():%Y%m%d}.csv", HEADER, *[f"{ID};0"] * rows)
    await run(world.ports, policy)


async def test_no_file_for_longer_than_a_day_and_two_hours_is_told_once_a_day(world: Known, lines: Lines) -> None:
    await run(world.ports, POLICY)
    await hours(world, 26)
    assert told(lines) == []
    await hours(world, 1)
    assert told(lines) == ["file_late"]
    await hours(world, 23)
    assert told(lines) == ["file_late"]
    await hours(world, 1)
    assert told(lines) == ["file_late"] * 2


async def test_a_finished_file_is_not_late(world: Known, lines: Lines) -> None:
    for _ in range(5):
        await day(world, 1)
    assert told(lines) == []


async def test_a_refused_file_does_not_count_as_one(world: Known, lines: Lines) -> None:
    world.folder.write("a.csv", "no export")
    await run(world.ports, POLICY)
    await hours(world, 27)
    assert told(lines) == ["wrong_file", "file_late"]


async def test_a_server_that_cannot_be_reached_makes_the_file_late_too(world: Known, lines: Lines) -> None:
    await run(world.ports, POLICY)
    world.clock.pass_(27 * 3600)
    world.folder.unreachable = True
    with pytest.raises(FilesUnavailableError):
        await run(world.ports, POLICY)
    assert told(lines) == ["file_late"]


@pytest.mark.parametrize(
    ("mapping", "policy"),
    [
        (replace(MAPPING, opt_outs=()), POLICY),
        (replace(MAPPING, opt_out_rules=OptOutRules(Configuration.DISABLED)), POLICY),
        (replace(MAPPING, opt_out_rules=OptOutRules(Configuration.DYNAMICS_TO_CAMPAIGN)), POLICY),
        (MAPPING, replace(POLICY, late_hours=0)),
    ],
    ids=["nothing mapped", "disabled", "dynamics_to_campaign", "asked not to"],
)
async def test_where_no_file_is_expected_none_is_late(
    world: Known, lines: Lines, mapping: Mapping, policy: FilePolicy
) -> None:
    world.mapping = mapping
    await hours(world, 60, policy)
    await Timers(world.ports, files=policy, seals=world.seals, event_limit=1).optout_file()
    assert told(lines) == []
    assert lines("counted")[-1]["expected"] is False, "the alarm of the log must know"


async def test_what_campaign_says_is_not_even_compared_where_it_is_not_heard(world: Known) -> None:
    world.mapping = replace(MAPPING, opt_out_rules=OptOutRules(Configuration.DYNAMICS_TO_CAMPAIGN))
    world.folder.write("a.csv", HEADER, f"{ID};1")
    tally = await run(world.ports, POLICY)
    assert (tally.files, tally.rows, tally.hints, world.dynamics.compared) == (1, 1, 0, [])
    assert len(world.folder.names(Folder.ARCHIVE)) == 1


@pytest.mark.parametrize(("rows", "alarm"), [(200, False), (199, True), (20_000, False), (20_001, True)])
async def test_a_file_far_from_the_usual_is_told_and_worked_on(
    world: Known, lines: Lines, rows: int, alarm: bool
) -> None:
    for _ in range(5):
        await day(world, 2_000)
    await day(world, rows)
    assert told(lines) == ["file_unusual"] * alarm
    assert all(record.state is FileState.ARCHIVED for record in world.file_ledger.records.values())


async def test_small_files_and_first_files_may_be_of_any_length(world: Known, lines: Lines) -> None:
    for rows in (1, 900, 3, 1, 999, 0, 500):
        await day(world, rows)
    assert told(lines) == []


async def test_archived_files_are_removed_after_their_days_and_quarantined_ones_stay(world: Known) -> None:
    world.folder.write("wrong.csv", "no export")
    policy = replace(POLICY, keep_days=3)
    for _ in range(10):
        await day(world, 1, policy)
    assert len(world.folder.names(Folder.ARCHIVE)) == 3
    assert len(world.folder.names(Folder.QUARANTINE)) == 1


async def test_what_a_removed_file_is_remembered_for_ends_too(world: Known) -> None:
    await day(world, 1)
    world.clock.pass_(91 * 86_400)
    await run(world.ports, POLICY)
    assert world.file_ledger.records == {}


async def test_a_record_stays_while_its_file_cannot_be_moved(world: Known) -> None:
    """Else a read-only folder would have its files read again and again."""
    world.folder.write("a.csv", HEADER, f"{ID};1")
    world.folder.fixed.add("a.csv")
    for _ in range(2):
        with pytest.raises(Outcome):
            await run(world.ports, POLICY)
        world.clock.pass_(100 * 86_400)
    assert [record.state for record in world.file_ledger.records.values()] == [FileState.COMPARED]
    assert len(world.dynamics.compared) == 1


async def test_a_file_that_cannot_be_moved_holds_up_no_other(world: Known) -> None:
    for name in ("a.csv", "b.csv"):
        world.folder.write(name, HEADER, f"{ID};1")
    world.folder.fixed.add("a.csv")
    with pytest.raises(FilesUnavailableError):
        await run(world.ports, POLICY)
    assert world.folder.names() == ["a.csv"]
    world.folder.fixed.clear()
    await run(world.ports, POLICY)
    assert len(world.folder.names(Folder.ARCHIVE)) == 2


async def test_a_folder_that_fills_is_told(world: Known, lines: Lines) -> None:
    world.folder.put("old.csv", bytes(800), NOW, Folder.ARCHIVE)
    policy = replace(POLICY, quota_bytes=1000)
    await run(world.ports, policy)
    assert told(lines) == []
    world.folder.put("new.csv", bytes(1), NOW, Folder.QUARANTINE)
    await run(world.ports, policy)
    await run(world.ports, policy)
    assert told(lines) == ["files_quota"]


def test_the_name_in_our_folders_can_be_read_back() -> None:
    file = RemoteFile("a.b\nc.csv", 17, NOW)
    assert kept_name(file.kept_name) == (17, "a.b\nc.csv")
    assert kept_name("a.csv") is None
    assert FileRecord(file, NOW).file.identity == f"a.b\nc.csv|17|{int(NOW.timestamp())}"


async def test_a_file_somebody_put_into_our_folders_is_left_alone(world: Known) -> None:
    world.folder.put("note.txt", b"please look", world.clock.now() + timedelta(days=1), Folder.QUARANTINE)
    await run(world.ports, POLICY)
    assert world.folder.names(Folder.QUARANTINE) == ["note.txt"]
