"""Custom tables against both systems: links, keys, filters by name and parameter, and personal data out of reach."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.conversion import ColumnType, Target, TargetType
from shared.domain.mapping import Link, Mapping, Mappings, Resource
from shared.domain.metadata import ColumnInfo, Described, FieldInfo, ResourceInfo, TableInfo
from shared.mapping_check import check
from shared.mapping_check.link_checks import personal_columns, reached_by_privacy
from shared.mapping_file import Finding, parse

CONTACTS = Described(
    TableInfo(
        {"contactid": ColumnInfo(ColumnType.UNIQUEIDENTIFIER), "firstname": ColumnInfo(ColumnType.STRING)},
        change_tracking=True,
    ),
    ResourceInfo({name: FieldInfo(Target(TargetType.STRING, 100)) for name in ("externalId", "firstName")}),
)
VEHICLES = Described(
    TableInfo(
        {
            "new_vehicleid": ColumnInfo(ColumnType.UNIQUEIDENTIFIER),
            "new_vin": ColumnInfo(ColumnType.STRING, max_length=17),
            "new_owner": ColumnInfo(ColumnType.LOOKUP),
            "new_drivername": ColumnInfo(ColumnType.STRING, max_length=100),
        },
        change_tracking=True,
    ),
    ResourceInfo(
        {
            "externalId": FieldInfo(Target(TargetType.STRING, 100), mandatory=True),
            "VIN": FieldInfo(Target(TargetType.STRING, 17)),
            "driver": FieldInfo(Target(TargetType.STRING, 100)),
            "ownerId": FieldInfo(Target(TargetType.STRING, 100)),
            "short": FieldInfo(Target(TargetType.STRING, 20)),
            "count": FieldInfo(Target(TargetType.INTEGER)),
            "owner": FieldInfo(Target(TargetType.OBJECT)),
        },
        filters={
            "byExternalId": frozenset({"externalId_parameter"}),
            "byVin": frozenset({"VIN_parameter"}),
            "byBoth": frozenset({"VIN_parameter", "externalId_parameter"}),
            "byNothingTold": frozenset(),
        },
    ),
)
HEAD = """version: 1
tables:
  - {dynamics: contact, campaign: profile, delete_mode: ignore, fields: [{dynamics: firstname, campaign: firstName}]}
  - dynamics: new_vehicle
    campaign: cusVehicle
    fields:
      - {dynamics: new_vin, campaign: VIN}
"""
OWNER = "links: [{dynamics: new_owner, campaign: ownerId, parent: contact}]"


def found(*lines: str, vehicles: Described = VEHICLES) -> list[Finding]:
    """The lines stand from line 8 on, in the vehicles' table pair."""
    parsed = parse(HEAD + "".join(f"    {line}\n" for line in lines))
    assert not parsed.findings, parsed.findings
    return check(parsed, {"contact": CONTACTS, "new_vehicle": vehicles})


def told(*lines: str) -> list[str]:
    return [f"{one.line}:{one.column}: {one.severity}: {one.reason}. {one.remedy}" for one in found(*lines)]


KEY = ("key: {dynamics: new_vin, campaign: VIN}", "filter: {name: byVin, parameter: VIN_parameter}")


@pytest.mark.parametrize(
    "lines",
    [
        (OWNER,),
        ("filter: {name: byNothingTold, parameter: anything}",),
        ("linked_to_profiles: false",),
    ],
)
def test_what_fits_gives_no_finding(lines: tuple[str, ...]) -> None:
    assert told(*lines) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            OWNER.replace("new_owner", "new_ownr"),
            "8:24: error: the table has no column new_ownr. Did you mean new_owner?",
        ),
        (
            OWNER.replace("new_owner", "new_drivername"),
            "8:24: error: new_drivername is of type string: a link needs a column that refers to another row. ",
        ),
        (OWNER.replace("ownerId", "ownrId"), "8:45: error: the resource has no field ownrId. Did you mean ownerId?"),
        (OWNER.replace("ownerId", "owner"), "8:45: error: owner holds other fields or records, no value of its own. "),
        (
            OWNER.replace("ownerId", "short"),
            "8:45: error: short cannot hold a row's id, a text of 36 characters. Name the text field that the link",
        ),
        (OWNER.replace("ownerId", "count"), "8:45: error: count cannot hold a row's id, a text of 36 characters. "),
        (
            "filter: {name: byExternalID, parameter: externalId_parameter}",
            "8:20: error: cusVehicle has no filter byExternalID. Did you mean byExternalId? Make it in the resource's",
        ),
        (
            "filter: {name: byExternalId, parameter: externalid_parameter}",
            "8:45: error: byExternalId of cusVehicle takes externalId_parameter, not just externalid_parameter. Did",
        ),
        (
            "filter: {name: byBoth, parameter: VIN_parameter}",
            "8:39: error: byBoth of cusVehicle takes VIN_parameter, externalId_parameter, not just VIN_parameter. ",
        ),
    ],
)
def test_what_does_not_fit_is_one_finding_with_its_place(line: str, expected: str) -> None:
    (one,) = told(line)
    assert one.startswith(expected)


def test_a_filter_that_the_mapping_leaves_to_its_default_is_missed_at_its_table() -> None:
    without = replace(VEHICLES, resource=replace(VEHICLES.resource, filters={"byVin": frozenset()}))
    (one,) = found(OWNER, vehicles=without)
    assert one.reason == "cusVehicle has no filter byExternalId"
    assert one.line == 4


def test_filters_that_campaign_does_not_list_are_not_judged() -> None:
    untold = replace(VEHICLES, resource=replace(VEHICLES.resource, filters=None))
    assert found("filter: {name: byGuess, parameter: guess}", vehicles=untold) == []


DRIVER = "      - {dynamics: new_drivername, campaign: driver}"
OUT_OF_REACH = (
    "new_drivername: perhaps personal data, which a privacy request in Campaign would not reach here. Link the "
    "resource to profiles, with the option that deletes it with its parent; or leave them out."
)


@pytest.mark.parametrize(
    ("lines", "reached"),
    [
        ((OWNER,), True),
        ((OWNER.replace("contact}", 'contact, cardinality: "0 or 1"}'),), True),
        ((), False),
        (("linked_to_profiles: false",), False),
        ((OWNER.replace("contact}", "contact, cascade: false}"),), False),
    ],
)
def test_personal_columns_need_a_line_of_cascades_up_to_the_profile(lines: tuple[str, ...], reached: bool) -> None:
    findings = told(DRIVER.removeprefix("    "), *lines)
    assert findings == ([] if reached else [f"7:7: warning: {OUT_OF_REACH}"])


def entity(table: str, *links: Link, linked: bool = True) -> Mapping:
    return Mapping("v", table, (), resource=Resource(f"cus{table}", "byX", "x", linked), links=links)


def test_the_line_may_lead_over_other_tables_and_ends_where_one_does_not_cascade() -> None:
    contact = Mapping("v", "contact", ())
    car = entity("car", Link("owner", "ownerId", "contact"), Link("dealer", "dealerId", "dealer", False, False))
    dealer = entity("dealer", Link("favourite", "carId", "car", False, True))
    visit = entity("visit", Link("car", "carId", "car"))
    note = entity("note", Link("visit", "visitId", "visit", cascade=False))
    loose = entity("loose", Link("owner", "ownerId", "contact"), linked=False)
    lost = entity("lost", Link("gone", "goneId", "gone"))
    mappings = Mappings(contact, (car, dealer, visit, note, loose, lost))
    assert {one.table for one in mappings.tables if reached_by_privacy(one, mappings)} == {
        "contact",
        "car",
        "dealer",
        "visit",
    }


def test_a_circle_of_cascades_without_a_profile_reaches_nobody() -> None:
    one = entity("one", Link("other", "otherId", "other", required=False))
    other = entity("other", Link("one", "oneId", "one", required=False))
    mappings = Mappings(Mapping("v", "contact", ()), (one, other))
    assert not reached_by_privacy(one, mappings)


def test_personal_columns_are_told_by_their_names() -> None:
    mapping = parse(HEAD + f"{DRIVER}\n").mappings
    assert mapping is not None
    assert [personal_columns(one) for one in mapping.tables] == [["firstname"], ["new_drivername"]]


def test_a_key_of_ones_own_must_hold_the_column() -> None:
    head = HEAD.replace("new_vin, campaign: VIN", "new_drivername, campaign: driver")
    fit = replace(VEHICLES, resource=replace(VEHICLES.resource, fields=_optional(VEHICLES.resource)))
    parsed = parse(head + "".join(f"    {line}\n" for line in (*KEY, OWNER)))
    assert check(parsed, {"contact": CONTACTS, "new_vehicle": fit}) == []
    short = parse(
        head + "".join(f"    {line}\n" for line in (*KEY, OWNER)).replace("campaign: VIN}", "campaign: count}")
    )
    (one,) = check(short, {"contact": CONTACTS, "new_vehicle": fit})
    assert one.reason == "count cannot hold new_vin, a text of 17 characters"


def _optional(resource: ResourceInfo) -> dict[str, FieldInfo]:
    return {name: replace(one, mandatory=False) for name, one in resource.fields.items()}
