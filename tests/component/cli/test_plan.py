"""`bridge plan` and `bridge explain` of a custom table, as a person reads them."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from cli.commands.plan_view import duration
from shared.clients.dynamics.sample import Total
from shared.domain.filters import Condition, Operator
from shared.domain.ledger import LedgerRow, Present
from tests.component.cli.typed import Run, data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CANARIES, KEY, VEHICLE, VEHICLES, VISITS, a_vehicle


@pytest.fixture
def fake(fake: FakeApp) -> FakeApp:
    fake.entities = (VEHICLES, VISITS)
    fake.dynamics.entities = {VEHICLE: a_vehicle()}
    fake.sample.found = [replace(a_vehicle(), id=str(UUID(int=number))) for number in range(3)]
    fake.sample.count = Total(5000, at_least=True)
    return fake


def test_a_plan_from_the_rows_to_what_they_cost(bridge: Run, fake: FakeApp) -> None:
    result = bridge("plan", "new_vehicle", "--sample", "2", "--rate", "5")
    assert result.exit_code == 0
    for told in (
        "Dynamics has at least 5,000 rows.",
        "with --rows N",
        "Tried on the 2 rows that changed last",
        "2      100%    2              inserted",
        "Rows that the ledger has never seen are created without a look: one call instead of two.",
        "2 rows of these wait for a parent that is not in Campaign yet",
        "All rows: about at least 5,000 engine calls.",
        "Time: about at least 16.7 minutes, at 5.0 a second.",
        "The rate: as given with --rate.",
        "Guardrails: 2 of 20 custom tables, 1 of 50 columns, 1 of 5 links, 1 of 2 links above one another.",
        "2 engine calls made. Nothing was written.",
    ):
        assert told in result.stdout
    assert not any(canary in result.output for canary in CANARIES)


def test_a_plan_for_machines_has_the_same(bridge: Run, fake: FakeApp) -> None:
    fake.values["CAMPAIGN_CALLS_PER_DAY"] = "1000"
    found = data(bridge("plan", "new_vehicle", "--rows", "900", "--json"))
    assert (found["engine_calls"], found["days"], found["per_day"]) == (900, 1.125, 1000)
    assert [one["kind"] for one in found["tallies"]] == ["insert"]
    shown = bridge("plan", "new_vehicle", "--rows", "900").stdout
    assert "CAMPAIGN_CALLS_PER_DAY is 1,000, 80% of them are for a load: at least 1.1 days." in shown


def test_without_a_look_there_is_no_rate_and_without_rows_nothing_to_try(bridge: Run, fake: FakeApp) -> None:
    assert "Time: not known." in bridge("plan", "new_vehicle").stdout, "the clock stands still"
    fake.sample.found, fake.sample.count = [], Total(0, at_least=False)
    shown = bridge("plan", "new_vehicle").stdout
    assert "There is no row to try." in shown
    assert "Guardrails: " in shown


def test_personal_columns_out_of_reach_are_warned_of(bridge: Run, fake: FakeApp) -> None:
    fake.entities = (replace(VEHICLES, links=()),)
    assert "Warning: new_name: perhaps personal data" in bridge("plan", "new_vehicle").stdout


def test_a_table_that_is_not_mapped_is_a_matter_of_usage(bridge: Run) -> None:
    for words in (("plan", "account"), ("explain", "account", VEHICLE.id)):
        result = bridge(*words)
        assert result.exit_code == 2
        assert "no table account; it has contact, new_vehicle, new_visit" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(90, "90 seconds"), (7200, "2.0 hours"), (600, "10.0 minutes"), (864_000, "10.0 days"), (0, "0 seconds")],
)
def test_a_duration_has_the_unit_that_a_person_would_use(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_explain_shows_parents_in_place_of_opt_outs(bridge: Run, fake: FakeApp) -> None:
    shown = bridge("explain", "new_vehicle", VEHICLE.id).stdout
    assert f"new_vehicle {VEHICLE.id} at " in shown
    assert f"  new_owner → {KEY} (needed; ledger: never seen, in Dynamics)" in shown
    assert "      missing: not sent yet, in doubt, or held back" in shown
    assert "Children that the ledger knows, hidden or deleted in Campaign without this record: 0" in shown
    assert f"1. send a hint (upsert) about {KEY} to the lane contact-upsert" in shown
    assert "Opt-outs" not in shown
    assert "opt-outs" not in shown
    fake.remember(LedgerRow(KEY, Present("x")))
    assert "missing:" not in bridge("explain", "new_vehicle", VEHICLE.id).stdout


def test_explain_says_what_keeps_a_row_out(bridge: Run, fake: FakeApp) -> None:
    fake.dynamics.entities = {VEHICLE: a_vehicle(new_owner=None)}
    shown = bridge("explain", "new_vehicle", VEHICLE.id).stdout
    assert "Kept out by a parent that it lacks:" in shown
    assert "  new_owner is empty, and without that parent Campaign hides it" in shown
    assert "  Its record, if there is one, is treated as if the row were deleted." in shown
    assert "its record is deleted, and Campaign deletes, or hides, what needs it." in shown
    fake.dynamics.entities = {VEHICLE: a_vehicle()}
    fake.entities = (replace(VEHICLES, filters=Condition("new_name", Operator.IS_EMPTY)),)
    shown = bridge("explain", "new_vehicle", VEHICLE.id).stdout
    assert "Kept out by the mapping's filters:" in shown
    assert "Its record, if there is one, is left as it is." in shown


def test_a_contact_that_others_need_says_so(bridge: Run, fake: FakeApp) -> None:
    assert "without this record: 0" in bridge("explain", "contact", KEY.id).stdout
    fake.entities = ()
    assert "Children" not in bridge("explain", "contact", KEY.id).stdout


def test_a_row_id_is_a_guid(bridge: Run) -> None:
    result = bridge("explain", "new_vehicle", "7")
    assert (result.exit_code, "a row's id looks like" in result.stderr) == (2, True)
