"""Every feature of the mapping screen of Adobe's own integration, one row each, and what users of it miss."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from shared.domain.contact import Contact, Value
from shared.domain.mapping import ColumnType, Desired, Mapping, Target, TargetType, Types
from shared.mapping_file import Severity, parse, read
from tests.unit.examples import ID, NOW

HEAD = """version: 1
tables:
  - dynamics: contact
    campaign: profile
    privacy: {{regulation: gdpr, namespace_name: d365ExternalId}}
    {table}
    fields:
{rows}
"""
ROW = "{dynamics: firstname, campaign: firstName}"


def text(*rows: str, table: str = "") -> str:
    return HEAD.format(table=table, rows="\n".join(f"      - {row}" for row in rows or (ROW,)))


@dataclass(frozen=True)
class Case:
    """A file's rows, a contact, and what its profile should hold."""

    feature: str
    rows: tuple[str, ...]
    columns: dict[str, Value]
    fields: dict[str, Value]
    labels: dict[str, str] = field(default_factory=dict)
    types: Types = field(default_factory=Types)


def types(column: str, kind: ColumnType, target: str, to: TargetType, length: int | None = None) -> Types:
    return Types({column: kind}, {target: Target(to, length)})


S, B = TargetType.STRING, TargetType.BOOLEAN
DRINKS = {"new_drinks": "Tea; Coffee"}
CASES = [
    Case("field row", (ROW,), {"firstname": "Ada"}, {"firstName": "Ada"}),
    Case(
        "nested field, dotted",
        ("{dynamics: address1_line2, campaign: location.address2}",),
        {"address1_line2": "Top floor"},
        {"location.address2": "Top floor"},
    ),
    Case(
        "one column into several fields",
        (ROW, "{dynamics: firstname, campaign: cusNickname}"),
        {"firstname": "Ada"},
        {"firstName": "Ada", "cusNickname": "Ada"},
    ),
    Case(
        "replacement of a text",
        ('{dynamics: new_colour, campaign: cusColour, replacements: {"#00FF00": green}}',),
        {"new_colour": "#00FF00"},
        {"cusColour": "green"},
    ),
    Case(
        "replacement of a number",
        ("{dynamics: gendercode, campaign: gender, replacements: {1: F}}",),
        {"gendercode": 1},
        {"gender": "F"},
    ),
    Case(
        "replacement of a boolean",
        ("{dynamics: donotsendmm, campaign: cusMaterial, replacements: {true: none}}",),
        {"donotsendmm": True},
        {"cusMaterial": "none"},
    ),
    Case(
        "no replacement for other values",
        ("{dynamics: gendercode, campaign: gender, replacements: {1: F}}",),
        {"gendercode": 2},
        {"gender": 2},
    ),
    Case(
        "technical values of picklists",
        ("{dynamics: gendercode, campaign: cusGender, picklist: code}",),
        {"gendercode": 2},
        {"cusGender": "2"},
        {"gendercode": "Female"},
        types("gendercode", ColumnType.PICKLIST, "cusGender", S),
    ),
    Case(
        "labels of picklists",
        ("{dynamics: gendercode, campaign: cusGender, picklist: label}",),
        {"gendercode": 2},
        {"cusGender": "Female"},
        {"gendercode": "Female"},
        types("gendercode", ColumnType.PICKLIST, "cusGender", S),
    ),
    Case(
        "type: boolean",
        ("{dynamics: donotsendmm, campaign: cusNoMaterial, picklist: label}",),
        {"donotsendmm": True},
        {"cusNoMaterial": "Do Not Send"},
        {"donotsendmm": "Do Not Send"},
        types("donotsendmm", ColumnType.BOOLEAN, "cusNoMaterial", S),
    ),
    Case(
        "type: boolean to boolean",
        ("{dynamics: donotsendmm, campaign: cusNoMaterial}",),
        {"donotsendmm": False},
        {"cusNoMaterial": False},
        {"donotsendmm": "Send"},
        types("donotsendmm", ColumnType.BOOLEAN, "cusNoMaterial", B),
    ),
    Case(
        "type: date, never shifted, whatever its label looks like",
        ("{dynamics: birthdate, campaign: birthDate, picklist: label}",),
        {"birthdate": "1980-10-24"},
        {"birthDate": "1980-10-24"},
        {"birthdate": "10/24/1980"},
        types("birthdate", ColumnType.DATE, "birthDate", TargetType.DATE),
    ),
    Case(
        "type: date and time",
        ("{dynamics: createdon, campaign: cusSince}",),
        {"createdon": "2026-03-01T10:00:00Z"},
        {"cusSince": "2026-03-01 10:00:00.000Z"},
        types=types("createdon", ColumnType.DATETIME, "cusSince", TargetType.DATETIME),
    ),
    Case(
        "type: other, as text",
        ("{dynamics: annualincome, campaign: cusIncome}",),
        {"annualincome": 1200.5},
        {"cusIncome": "1200.5"},
        types=types("annualincome", ColumnType.MONEY, "cusIncome", S),
    ),
    Case(
        "missed: default for an empty value",
        ("{dynamics: gendercode, campaign: gender, default: unknown}",),
        {"gendercode": None},
        {"gender": "unknown"},
    ),
    Case(
        "missed: several columns in one field",
        ('{template: "{firstname} {lastname}: {gendercode}", campaign: cusName, picklist: label}',),
        {"firstname": "Ada", "lastname": None, "gendercode": 2},
        {"cusName": "Ada : Female"},
        {"gendercode": "Female"},
        types("gendercode", ColumnType.PICKLIST, "cusName", S),
    ),
    Case("missed: constant", ("{constant: Dynamics, campaign: cusSource}",), {}, {"cusSource": "Dynamics"}),
    Case(
        "missed: reference by id",
        ("{dynamics: ownerid, campaign: cusOwner}",),
        {"ownerid": ID.upper()},
        {"cusOwner": ID},
        {"ownerid": "Grace"},
        types("ownerid", ColumnType.OWNER, "cusOwner", S),
    ),
    Case(
        "missed: reference by name",
        ("{dynamics: ownerid, campaign: cusOwner, lookup: name}",),
        {"ownerid": ID},
        {"cusOwner": "Grace"},
        {"ownerid": "Grace"},
        types("ownerid", ColumnType.OWNER, "cusOwner", S),
    ),
    Case(
        "missed: several choices by label",
        ("{dynamics: new_drinks, campaign: cusDrinks, picklist: label, replacements: {Tea: Thé}}",),
        {"new_drinks": "1,2"},
        {"cusDrinks": "Thé;Coffee"},
        DRINKS,
        types("new_drinks", ColumnType.MULTI_SELECT, "cusDrinks", S),
    ),
    Case(
        "missed: several choices by code",
        ("{dynamics: new_drinks, campaign: cusDrinks}",),
        {"new_drinks": "1,2"},
        {"cusDrinks": "1;2"},
        DRINKS,
        types("new_drinks", ColumnType.MULTI_SELECT, "cusDrinks", S),
    ),
]


def mapping(case: Case) -> Mapping:
    return replace(read(text(*case.rows)).contact, types=case.types)


def desired(case: Case) -> Desired:
    return mapping(case).desired(Contact(ID, "1", NOW, case.columns, case.labels))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.feature)
def test_what_a_field_row_can_do(case: Case) -> None:
    found = desired(case)
    assert found.fields == case.fields
    assert {name: type(value) for name, value in found.fields.items()} == {
        name: type(value) for name, value in case.fields.items()
    }
    assert not found.unconvertible | found.overlong | found.truncated


def test_table_pair_and_key_pair() -> None:
    found = read(text()).contact
    assert (found.table, found.resource, found.key_column, found.key_field) == (
        "contact",
        None,
        "contactid",
        "externalId",
    )


def test_apply_updates_off_is_written_at_creation_only() -> None:
    found = read(text(ROW, "{dynamics: leadsourcecode, campaign: cusSource, apply_updates: false}")).contact
    before = found.desired(Contact(ID, "1", NOW, {"firstname": "Ada", "leadsourcecode": 1}))
    after = found.desired(Contact(ID, "2", NOW, {"firstname": "Ada", "leadsourcecode": 2}))
    assert after.fields == {"firstName": "Ada", "cusSource": 2}
    assert after.updates == {"firstName": "Ada"}
    assert before.digest == after.digest


def test_many_columns_into_one_field_need_a_template() -> None:
    assert parse(text(ROW, "{dynamics: nickname, campaign: firstName}")).mappings is None


@pytest.mark.parametrize(
    ("group", "statecode", "passes"),
    [("all", 0, True), ("all", 1, False), ("any", 1, True)],
    ids=["and", "and: one fails", "or"],
)
def test_filters_joined_by_and_or(group: str, statecode: int, passes: bool) -> None:
    conditions = "[{column: statecode, is: equals, value: 0}, {column: address1_city, is: equals, value: london}]"
    found = read(text(table=f"filters: {{{group}: {conditions}}}")).contact
    row = Contact(ID, "1", NOW, {"statecode": statecode, "address1_city": "London"})
    assert found.passes(row) is passes
    assert {"statecode", "address1_city"} <= found.field_columns, "columns that are not mapped count as well"


def test_without_a_filter_everyone_passes() -> None:
    assert read(text()).contact.passes(Contact(ID, "1", NOW, {}))


@pytest.mark.parametrize("answer", ["leave", "delete"])
def test_delete_what_is_filtered_out(answer: str) -> None:
    condition = "filters: {column: statecode, is: equals, value: 0}"
    assert read(text(table=f"{condition}\n    when_filtered_out: {answer}")).contact.when_filtered_out == answer


@pytest.mark.parametrize("mode", ["privacy_request", "profile_delete", "ignore"])
def test_apply_deletes(mode: str) -> None:
    assert read(text(table=f"delete_mode: {mode}")).contact.delete_mode == mode


def test_the_shipped_mapping_is_contact_to_profile() -> None:
    shipped = parse((Path(__file__).resolve().parents[3] / "mapping.yaml").read_text(encoding="utf-8"))
    assert not [finding for finding in shipped.findings if finding.severity is Severity.ERROR]
    assert shipped.mappings is not None
    assert shipped.mappings.contact.table == "contact"
