"""Doctor's checks of custom tables: each prerequisite that is missing is found, with what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.checks import all_checks
from cli.diagnosis import Finding, Status, diagnose
from cli.table_checks import CASCADE, CORRECT, FILTER, PUBLISH, TRACK, table_checks
from shared.domain.contact import Profile
from shared.domain.conversion import ColumnType, Target, TargetType
from shared.domain.field_row import FieldRow, FromColumn
from shared.domain.metadata import ColumnInfo, FieldInfo, ResourceInfo, TableInfo
from shared.errors import Halt, Reason
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import VEHICLE, VEHICLES, VISITS, a_contact

TABLE = TableInfo(
    {"new_owner": ColumnInfo(ColumnType.LOOKUP), "new_name": ColumnInfo(ColumnType.STRING, max_length=50)},
    change_tracking=True,
)
TEXT = FieldInfo(Target(TargetType.STRING, 100))
RESOURCE = ResourceInfo(
    dict.fromkeys(("externalId", "profileExternalId", "vehicleName"), TEXT),
    filters={"byExternalId": frozenset({"externalId_parameter"})},
)
# Nothing in these columns sounds personal.
CARS = replace(VEHICLES, field_rows=(VEHICLES.field_rows[0], FieldRow("vehicleName", FromColumn("new_model"))))


def an_app() -> FakeApp:
    fake = FakeApp(contact=a_contact())
    fake.entities = (CARS,)
    columns = {"new_owner": TABLE.columns["new_owner"], "new_model": TABLE.columns["new_name"]}
    fake.tables.described["new_vehicle"] = replace(TABLE, columns=columns)
    fake.resources.described["cusVehicle"] = RESOURCE
    fake.campaign.records[VEHICLE.id] = Profile("@1", {"externalId": VEHICLE.id})
    return fake


async def examined(fake: FakeApp) -> dict[str, Finding]:
    found = await diagnose(fake.wiring(), None, all_checks(), 5, table_checks)
    return {finding.check: finding for finding in found}


def states(found: dict[str, Finding], status: Status) -> set[str]:
    return {name for name, finding in found.items() if finding.status is status}


async def test_a_sound_table_is_ok_and_costs_two_calls_beside_its_description() -> None:
    fake = an_app()
    found = await examined(fake)
    assert states(found, Status.OK) == set(found)
    assert {"table-new_vehicle", "resource-cusVehicle", "filter-cusVehicle"} < set(found)
    assert found["mapping"].found.endswith("2 opt-outs; 1 custom table")
    assert sorted(fake.campaign.calls) == ["any_record", "ping", "record"]


async def test_without_custom_tables_nothing_is_added() -> None:
    fake = an_app()
    fake.entities = ()
    assert len(await examined(fake)) == len(all_checks()) + 2


async def test_change_tracking_that_is_off() -> None:
    fake = an_app()
    tracked = fake.tables.described["new_vehicle"]
    fake.tables.described["new_vehicle"] = replace(tracked, change_tracking=False)
    found = (await examined(fake))["table-new_vehicle"]
    assert (found.status, found.found, found.remedy) == (Status.FAILED, "change tracking is off", TRACK)


async def test_a_link_that_is_no_lookup() -> None:
    fake = an_app()
    described = fake.tables.described["new_vehicle"]
    columns = {**described.columns, "new_owner": ColumnInfo(ColumnType.STRING)}
    fake.tables.described["new_vehicle"] = replace(described, columns=columns)
    found = (await examined(fake))["table-new_vehicle"]
    assert (found.status, found.remedy) == (Status.FAILED, CORRECT)
    assert "new_owner is of type string: a link needs" in found.found


async def test_a_resource_that_is_not_published_also_skips_its_filter() -> None:
    fake = an_app()
    fake.resources.described.clear()
    found = await examined(fake)
    assert states(found, Status.FAILED) == {"resource-cusVehicle"}
    assert states(found, Status.SKIPPED) == {"filter-cusVehicle"}
    assert "not there, or not published" in found["resource-cusVehicle"].found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"fields": {**RESOURCE.fields, "vehicleName": replace(TEXT, target=Target(TargetType.OBJECT))}},
            "vehicleName",
        ),
        ({"fields": {"externalId": TEXT, "vehicleName": TEXT}}, "the resource has no field profileExternalId"),
        ({"fields": {"profileExternalId": TEXT, "vehicleName": TEXT}}, "the resource has no field externalId"),
        ({"filters": {"byVin": frozenset()}}, "cusVehicle has no filter byExternalId"),
        ({"filters": {"byExternalId": frozenset({"x"})}}, "byExternalId of cusVehicle takes x, not just external"),
    ],
)
async def test_what_a_resource_lacks_is_named(change: dict[str, object], told: str) -> None:
    fake = an_app()
    fake.resources.described["cusVehicle"] = replace(RESOURCE, **change)  # type: ignore[arg-type]
    found = (await examined(fake))["resource-cusVehicle"]
    assert (found.status, found.remedy) == (Status.FAILED, PUBLISH)
    assert told in found.found


async def test_a_filter_that_does_not_find_what_is_there() -> None:
    fake = an_app()
    fake.campaign.records = {"elsewhere": Profile("@1", {"externalId": VEHICLE.id})}
    found = (await examined(fake))["filter-cusVehicle"]
    assert (found.status, found.remedy) == (Status.FAILED, FILTER)
    assert found.found == "byExternalId does not find a record of cusVehicle by its externalId"


async def test_a_filter_that_campaign_refuses() -> None:
    fake = an_app()
    fake.campaign.failure = Halt(Reason.CAMPAIGN_MISCONFIGURED, "byExternalId of cusVehicle does not look for it")
    fake.campaign.failure_of = "record"
    found = await examined(fake)
    assert states(found, Status.FAILED) == {"filter-cusVehicle"}


@pytest.mark.parametrize("records", [{}, {"x": Profile("@1", {"externalId": None})}])
async def test_a_filter_cannot_be_proven_without_a_record(records: dict[str, Profile]) -> None:
    fake = an_app()
    fake.campaign.records = records
    found = (await examined(fake))["filter-cusVehicle"]
    assert (found.status, found.remedy) == (Status.WARNING, FILTER)
    assert "no record with a key yet" in found.found


async def test_personal_columns_ask_for_a_persons_look_at_the_cascade() -> None:
    fake = an_app()
    fake.entities = (VEHICLES,)
    fake.tables.described["new_vehicle"] = TABLE
    found = (await examined(fake))["privacy-cusVehicle"]
    assert (found.status, found.remedy) == (Status.WARNING, CASCADE)
    assert found.found == "new_name: perhaps personal; the mapping says that the record is deleted with the person"
    fake.entities = (replace(VEHICLES, links=()),)
    assert "nothing deletes the record with the person" in (await examined(fake))["privacy-cusVehicle"].found


def test_every_custom_table_has_its_checks() -> None:
    fake = an_app()
    fake.entities = (CARS, VISITS)
    names = [check.title.name for check in table_checks(fake.ports().mappings())]
    assert names == [
        "table-new_vehicle",
        "resource-cusVehicle",
        "filter-cusVehicle",
        "table-new_visit",
        "resource-cusVisit",
        "filter-cusVisit",
    ]
