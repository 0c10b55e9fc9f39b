"""`bridge resync` as a person types it: what it asks, what it says, and what it tells the function app."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shared.clients.dynamics.sample import Total
from shared.domain.change import Lane
from shared.domain.conversion import ColumnType
from shared.domain.metadata import ColumnInfo, TableInfo
from shared.domain.resync import Ending, Run, RunState, Slice
from tests.component.cli.typed import Run as Typed
from tests.component.cli.typed import data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CANARIES, KEY, NOW, a_contact

FILTER = '{column: lastname, is: begins_with, value: "Canary-Value"}'


@pytest.fixture
def fake(fake: FakeApp) -> FakeApp:
    fake.sample.found = [a_contact()]
    fake.sample.count = Total(40, at_least=False)
    fake.tables.described["contact"] = TableInfo({"lastname": ColumnInfo(ColumnType.STRING)}, change_tracking=True)
    fake.bus.writable = True
    return fake


def the_run(fake: FakeApp) -> Run:
    (run,) = fake.resyncs.kept_runs.values()
    return run


def begun(bridge: Typed, fake: FakeApp, *words: str) -> Run:
    result = bridge("resync", "contact", *(words or ("--all",)), "--yes", "--no-wait")
    assert result.exit_code == 0, result.output
    return the_run(fake)


def finish(fake: FakeApp, ending: Ending = Ending.SETTLED, slug: str = "written") -> None:
    """As the function app would."""
    run = the_run(fake)
    fake.resyncs.kept_runs[run.id] = replace(run, state=RunState.FINISHED, ended_at=NOW)
    for key, part in fake.resyncs.kept_partitions.items():
        fake.resyncs.kept_partitions[key] = replace(part, done=True, counts={(ending, slug): 10}, calls=10)


def test_it_tells_what_it_would_do_and_begins_nothing(bridge: Typed, fake: FakeApp) -> None:
    fake.bus.writable = False
    result = bridge("resync", "contact", "--all", "--dry-run")
    assert result.exit_code == 0
    assert "Resync of contact" in result.stdout
    assert "Dynamics has 40 rows." in result.stdout
    assert not fake.resyncs.kept_runs
    found = data(bridge("resync", "contact", "--all", "--rate", "2", "--dry-run", "--json"))
    assert (found["rows"]["rows"], found["seconds"]) == (40, 20), "the one row that was tried has to be written"


def test_it_asks_before_it_begins(bridge: Typed, fake: FakeApp) -> None:
    assert bridge("resync", "contact", "--all", input="n\n").exit_code == 1
    assert not fake.resyncs.kept_runs


def test_a_run_is_stored_cut_and_ordered(bridge: Typed, fake: FakeApp) -> None:
    run = begun(bridge, fake, "--all", "--partitions", "3", "--rate", "2")
    assert (run.partitions, run.rows, run.per_second, run.page_rows, run.state) == (3, 40, 2, 40, RunState.RUNNING)
    slices = [part.slice for part in fake.resyncs.kept_partitions.values()]
    assert (slices[0].start, slices[-1].end) == (None, None)
    assert [one.end for one in slices[:-1]] == [one.start for one in slices[1:]]
    assert fake.bus.lanes == [Lane.BULK] * 3


def test_a_first_load_creates_without_a_look_unless_told_otherwise(bridge: Typed, fake: FakeApp) -> None:
    fake.campaign.row = None
    shown = bridge("resync", "contact", "--all", "--dry-run").stdout
    assert "created without a look" in shown
    assert "All rows: about 40 engine calls." in shown
    run = begun(bridge, fake)
    assert run.create_first
    assert "Rows never seen were created without a look." in bridge("resync", "status").stdout
    part = next(iter(fake.resyncs.kept_partitions.values()))
    fake.resyncs.kept_partitions[run.id, part.number] = replace(part, looks_first=True)
    assert "without a look, but in 1 partition most were there." in bridge("resync", "status").stdout


@pytest.mark.parametrize(
    ("words", "create_first"),
    [
        (("--look-first",), False),
        (("--sample", "0"), False),
        (("--sample", "0", "--create-first"), True),
    ],
)
def test_whether_it_creates_first_may_be_said(
    bridge: Typed, fake: FakeApp, words: tuple[str, ...], create_first: bool
) -> None:
    fake.campaign.row = None
    assert begun(bridge, fake, "--all", *words).create_first is create_first


def test_where_campaign_shows_a_row_of_the_sample_it_looks_first(bridge: Typed, fake: FakeApp) -> None:
    assert not begun(bridge, fake).create_first


def test_an_empty_table_is_one_empty_page(bridge: Typed, fake: FakeApp) -> None:
    fake.bulk.ends = None
    assert begun(bridge, fake).partitions == 1


def test_a_filter_narrows_what_dataverse_is_asked_and_is_shown_nowhere(bridge: Typed, fake: FakeApp) -> None:
    run = begun(bridge, fake, "--filter", FILTER, "--since", "2026-01-31T12:00Z")
    assert run.scope.condition == "startswith(lastname,'Canary-Value')"
    assert set(fake.sample.asked) == {f"{run.scope.condition} and modifiedon ge 2026-01-31T12:00:00Z"}
    finish(fake)
    shown = (
        bridge("resync", "report").stdout
        + bridge("resync", "list").stdout
        + bridge("resync", "status", "--json").stdout
    )
    assert "a filter, changed since 2026-01-31 12:00:00Z" in shown
    assert "Canary-Value" not in shown
    assert not any(canary in shown for canary in CANARIES)


def test_ids_come_from_a_file_once_each(bridge: Typed, fake: FakeApp, tmp_path: Path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text(f"contactid;name\n{KEY.id.upper()};x\n\n{KEY.id};y\n", encoding="utf-8")
    run = begun(bridge, fake, "--ids", str(file))
    assert (run.scope.ids, run.rows) == (1, 1)
    assert fake.id_lists.lists[run.id] == (KEY.id,)
    assert [part.slice for part in fake.resyncs.kept_partitions.values()] == [Slice(first=0, last=1)]
    file.write_text(f"{KEY.id}\nnobody\n", encoding="utf-8")
    refused = bridge("resync", "contact", "--ids", str(file))
    assert refused.exit_code == 2
    assert "no row id on line 2" in refused.output
    assert "nobody" not in refused.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say which rows"),
        (("--all", "--since", "1d"), "say which rows"),
        (("--since", "soon"), "an age, as in 12h"),
        (("--filter", "{column: lastname, is: like, value: x}"), "is not offered"),
        (("--filter", "{column: nosuch, is: equals, value: x}"), "no column nosuch"),
    ],
)
def test_what_is_no_choice_of_rows(bridge: Typed, words: tuple[str, ...], said: str) -> None:
    result = bridge("resync", "contact", *words)
    assert result.exit_code == 2
    assert said in result.output


def test_a_table_that_is_not_mapped(bridge: Typed) -> None:
    result = bridge("resync", "account", "--all")
    assert result.exit_code == 2
    assert "no table account" in result.output


def test_pause_resume_and_cancel(bridge: Typed, fake: FakeApp) -> None:
    run = begun(bridge, fake)
    ordered = len(fake.bus.lanes)
    assert bridge("resync", "pause", run.id).exit_code == 0
    assert the_run(fake).state is RunState.PAUSED
    assert "lets it go on" in bridge("resync", "attach").stdout, "a paused run is not waited for"
    assert bridge("resync", "resume").exit_code == 0
    assert (the_run(fake).state, the_run(fake).epoch) == (RunState.RUNNING, 2)
    assert len(fake.bus.lanes) == 2 * ordered
    assert bridge("resync", "cancel").exit_code == 0
    assert the_run(fake).state is RunState.CANCELLED
    refused = bridge("resync", "resume")
    assert refused.exit_code == 2
    assert "is cancelled" in refused.output
    assert bridge("resync", "report").exit_code == 1


def test_a_report_with_rows_that_wait_for_a_person(bridge: Typed, fake: FakeApp) -> None:
    begun(bridge, fake, "--all", "--partitions", "2")
    finish(fake, Ending.PARKED, "refused_email")
    result = bridge("resync", "attach")
    assert result.exit_code == 1
    for told in ("20 of 40 rows, 20 engine calls; 2 of 2 partitions done.", "20 rows parked", "refused_email"):
        assert told in result.stdout
    found = data(bridge("resync", "status", "--json"))
    assert [(one["ending"], one["reason"], one["rows"]) for one in found["counts"]] == [("parked", "refused_email", 20)]


def test_a_run_that_is_not_there(bridge: Typed) -> None:
    for words in (("status",), ("status", "nosuch"), ("pause", "nosuch")):
        result = bridge("resync", *words)
        assert result.exit_code == 2
        assert "there is no run" in result.output
