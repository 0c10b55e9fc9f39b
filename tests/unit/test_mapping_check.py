"""A mapping against both systems' descriptions: every finding with its place, its reason and its remedy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.conversion import ColumnType, Target, TargetType, Types
from shared.domain.metadata import ColumnInfo, Described, FieldInfo, ResourceInfo, TableInfo
from shared.mapping_check import LINKED_COLUMNS, check, resolve
from shared.mapping_check.type_table import Fit, fault, verdict
from shared.mapping_file import Finding, Severity, parse

LOOKUPS = tuple(f"parent{number}" for number in range(LINKED_COLUMNS + 1))
TABLE = TableInfo(
    {
        "contactid": ColumnInfo(ColumnType.UNIQUEIDENTIFIER),
        "firstname": ColumnInfo(ColumnType.STRING, max_length=50),
        "lastname": ColumnInfo(ColumnType.STRING, max_length=20),
        "description": ColumnInfo(ColumnType.MEMO, max_length=2000),
        "hidden": ColumnInfo(ColumnType.STRING, readable=False),
        "children": ColumnInfo(ColumnType.INTEGER),
        "credit": ColumnInfo(ColumnType.MONEY),
        "birthdate": ColumnInfo(ColumnType.DATE),
        "modifiedon": ColumnInfo(ColumnType.DATETIME),
        "gendercode": ColumnInfo(ColumnType.PICKLIST, {1: "Male", 2: "Female"}),
        "statecode": ColumnInfo(ColumnType.STATE, {0: "Active", 1: "Inactive"}),
        "interests": ColumnInfo(ColumnType.MULTI_SELECT, {1: "Tea", 2: "Coffee"}),
        "vip": ColumnInfo(ColumnType.BOOLEAN, {1: "Yes", 0: "No"}),
        "image": ColumnInfo(ColumnType.OTHER),
        **{name: ColumnInfo(ColumnType.LOOKUP) for name in LOOKUPS},
    },
    change_tracking=True,
)
NAMED = {
    "externalId": Target(TargetType.STRING, 100),
    "firstName": Target(TargetType.STRING, 30),
    "lastName": Target(TargetType.STRING, 50),
    "cusNote": Target(TargetType.STRING),
    "cusShort": Target(TargetType.STRING, 4),
    "age": Target(TargetType.INTEGER, read_only=True),
    "cusCount": Target(TargetType.INTEGER),
    "cusRatio": Target(TargetType.FLOAT),
    "cusFlag": Target(TargetType.BOOLEAN),
    "birthDate": Target(TargetType.DATE),
    "cusSeen": Target(TargetType.DATETIME),
    "gender": Target(TargetType.ENUMERATION, None, ("unknown", "male", "female")),
    "location": Target(TargetType.OBJECT),
    "location.city": Target(TargetType.STRING, 255),
    "country": Target(TargetType.OBJECT),
    "opaque": Target(TargetType.OBJECT),
    "blackListEmail": Target(TargetType.BOOLEAN),
    "blackListFax": Target(TargetType.STRING),
    **{f"cusLink{number}": Target(TargetType.STRING, 40) for number in range(len(LOOKUPS))},
}
RESOURCE = ResourceInfo({name: FieldInfo(target, parts_known=name != "opaque") for name, target in NAMED.items()})
HEAD = "version: 1\ntables:\n  - dynamics: contact\n    campaign: profile\n    delete_mode: ignore\n    fields:\n"
ROW_LINE = 7


def text_of(row: str, more: str = "") -> str:
    """One field row, on line 7 from column 9."""
    return f"{HEAD}      - {{{row}}}\n{more}"


def found(text: str, table: TableInfo = TABLE, resource: ResourceInfo = RESOURCE) -> list[Finding]:
    parsed = parse(text)
    assert not parsed.findings, parsed.findings
    return check(parsed, {"contact": Described(table, resource)})


def told(finding: Finding) -> str:
    return f"{finding.line}:{finding.column}: {finding.severity}: {finding.reason}. {finding.remedy}"


GOOD_ROWS = [
    "dynamics: firstname, campaign: lastName",
    "dynamics: firstname, campaign: firstName, too_long: truncate",
    "dynamics: description, campaign: cusNote",
    "dynamics: children, campaign: cusCount, default: 0",
    "dynamics: credit, campaign: cusRatio, default: 0",
    "dynamics: credit, campaign: cusNote",
    "dynamics: birthdate, campaign: birthDate",
    "dynamics: modifiedon, campaign: birthDate",
    "dynamics: modifiedon, campaign: cusSeen",
    "dynamics: modifiedon, campaign: cusNote",
    "dynamics: vip, campaign: cusFlag",
    "dynamics: vip, campaign: cusNote",
    "dynamics: vip, campaign: cusCount, default: 0",
    "dynamics: gendercode, campaign: cusNote, picklist: label",
    "dynamics: gendercode, campaign: cusCount, default: 0",
    "dynamics: gendercode, campaign: gender, replacements: {1: male, 2: female}, default: unknown",
    "dynamics: gendercode, campaign: gender, default: male, picklist: label, "
    "replacements: {Male: male, Female: female}",
    "dynamics: vip, campaign: gender, replacements: {true: male, false: female}, default: unknown",
    "dynamics: interests, campaign: cusNote, picklist: label",
    "dynamics: parent0, campaign: cusNote",
    "dynamics: parent0, campaign: cusShort, lookup: name",
    "dynamics: contactid, campaign: cusNote",
    'template: "{lastname} ({children})", campaign: lastName',
    'template: "{lastname} {firstname}", campaign: cusNote',
    "constant: vip, campaign: cusShort",
    "constant: 7, campaign: cusCount",
    "constant: 7, campaign: cusRatio",
    "constant: true, campaign: cusFlag",
    "constant: '1980-10-24', campaign: birthDate",
    "constant: '2018-05-17 08:44:49.366Z', campaign: cusSeen",
    "constant: male, campaign: gender",
    "constant: null, campaign: gender",
    "dynamics: firstname, campaign: location.city",
]


@pytest.mark.parametrize("row", GOOD_ROWS)
def test_what_fits_gives_no_finding(row: str) -> None:
    assert found(text_of(row)) == []


BAD_ROWS = [
    (
        "dynamics: firstnam, campaign: lastName",
        "7:20: error: the table has no column firstnam. Did you mean firstname?",
    ),
    ("dynamics: nothing_like_it, campaign: lastName", "7:20: error: the table has no column nothing_like_it. Compare"),
    ("dynamics: hidden, campaign: lastName", "7:20: error: hidden cannot be read. Map a column"),
    (
        "dynamics: firstname, campaign: lastname",
        "7:41: error: the resource has no field lastname. Did you mean lastName?",
    ),
    ("dynamics: firstname, campaign: cusGone", "7:41: error: the resource has no field cusGone. "),
    ("dynamics: children, campaign: age", "7:40: error: age is read-only. "),
    (
        "dynamics: firstname, campaign: location",
        "7:41: error: location holds other fields or records, no value of its own. Map one of its fields: loc",
    ),
    (
        "dynamics: firstname, campaign: country",
        "7:41: error: country holds other fields or records, no value of its own. It is a link",
    ),
    ("dynamics: firstname, campaign: opaque.part", "7:41: warning: Campaign does not describe what opaque holds"),
    (
        "dynamics: firstname, campaign: firstName",
        "7:9: warning: firstname can have 50 characters, firstName takes 30: longer ones are parked. Say `too_long: ",
    ),
    ("dynamics: parent0, campaign: cusShort", "7:9: warning: parent0 can have 36 characters, cusShort takes 4"),
    (
        'template: "{firstname} {lastname}", campaign: lastName',
        "7:9: warning: {firstname} {lastname} can have 71 characters, lastName takes 50",
    ),
    (
        "dynamics: firstname, campaign: cusFlag",
        "7:9: warning: firstname (string) → cusFlag (boolean): only true, false, 1 and 0 pass",
    ),
    (
        "dynamics: firstname, campaign: birthDate",
        "7:9: warning: firstname (string) → birthDate (date): only texts that are an ISO",
    ),
    (
        'template: "{firstname}", campaign: birthDate',
        "7:9: warning: {firstname} (string) → birthDate (date): only texts",
    ),
    (
        "dynamics: credit, campaign: cusCount, default: 0",
        "7:9: warning: credit (money) → cusCount (integer): only whole numbers pass",
    ),
    (
        "dynamics: birthdate, campaign: cusSeen",
        "7:9: warning: birthdate (date) → cusSeen (datetime): it becomes a moment in UTC",
    ),
    (
        "dynamics: image, campaign: cusCount, default: 1",
        "7:9: warning: image (other) → cusCount (integer): values of this type pass as they are",
    ),
    (
        "dynamics: birthdate, campaign: cusCount, default: 1",
        "7:9: error: birthdate is of type date, which cusCount (integer) cannot hold",
    ),
    (
        "dynamics: parent0, campaign: cusFlag",
        "7:9: error: parent0 is of type lookup, which cusFlag (boolean) cannot hold",
    ),
    (
        "dynamics: interests, campaign: gender, default: male",
        "7:9: error: interests is of type multi_select, which gender",
    ),
    (
        "dynamics: credit, campaign: birthDate",
        "7:9: error: credit is of type money, which birthDate (date) cannot hold",
    ),
    (
        "dynamics: children, campaign: cusCount",
        "7:9: warning: an empty children is sent as an empty text, which a field of type integer refuses. ",
    ),
    (
        "dynamics: gendercode, campaign: gender, default: unknown",
        "7:9: error: gender takes none of gendercode's values: 1 (Male), 2 (Female). Add a line",
    ),
    (
        "dynamics: gendercode, campaign: gender, replacements: {1: male}, default: unknown",
        "7:9: warning: gender takes no value for 2 (Female): such contacts are parked. Add a line for each",
    ),
    (
        "dynamics: gendercode, campaign: gender, replacements: {1: man, 2: female}, default: male",
        "7:68: error: gender cannot hold 'man': the field takes unknown, male, female. ",
    ),
    (
        "dynamics: gendercode, campaign: gender, replacements: {1: male, 2: female}, default: divers",
        "7:95: error: gender cannot hold 'divers'",
    ),
    (
        "dynamics: gendercode, campaign: cusNote, replacements: {Male: m}",
        "7:72: warning: gendercode never has the value Male, so this replaces nothing. Its values are 1, 2.",
    ),
    (
        "dynamics: gendercode, campaign: cusShort, picklist: label",
        "7:9: warning: cusShort takes no value for 2 (Female)",
    ),
    ("dynamics: gendercode, campaign: birthDate", "7:9: error: birthDate takes none of gendercode's values"),
    (
        "constant: much too long, campaign: cusShort",
        "7:20: error: cusShort cannot hold 'much too long': it has 13 characters, the field takes 4. ",
    ),
    ("constant: 7, campaign: cusShort", "7:20: error: cusShort cannot hold 7: the field takes text"),
    ("constant: x, campaign: cusCount", "7:20: error: cusCount cannot hold 'x': the field takes whole numbers"),
    ("constant: true, campaign: cusCount", "7:20: error: cusCount cannot hold True: the field takes whole numbers"),
    ("constant: x, campaign: cusRatio", "7:20: error: cusRatio cannot hold 'x': the field takes numbers"),
    ("constant: 1, campaign: cusFlag", "7:20: error: cusFlag cannot hold 1: the field takes true or false"),
    (
        "constant: 24.10.1980, campaign: birthDate",
        "7:20: error: birthDate cannot hold '24.10.1980': the field takes dates",
    ),
    ("constant: 1, campaign: birthDate", "7:20: error: birthDate cannot hold 1: the field takes dates"),
    ("constant: soon, campaign: cusSeen", "7:20: error: cusSeen cannot hold 'soon': the field takes times"),
]


@pytest.mark.parametrize(("row", "expected"), BAD_ROWS)
def test_what_does_not_fit_is_one_finding_with_its_place(row: str, expected: str) -> None:
    (finding,) = found(text_of(row))
    assert told(finding).startswith(expected)
    assert finding.remedy


def filtered(condition: str, table: TableInfo = TABLE) -> list[str]:
    """The condition stands on line 8, after `    filters: `, from column 14."""
    text = text_of("dynamics: lastname, campaign: lastName", f"    filters: {{{condition}}}\n")
    return [told(finding) for finding in found(text, table)]


@pytest.mark.parametrize(
    "condition",
    [
        "column: statecode, is: equals, value: 0",
        "column: statecode, is: equals, value: active",
        "column: statecode, is: in, value: [0, Inactive]",
        "column: gendercode, is: begins_with, value: fem",
        "column: interests, is: contains, value: 1",
        "column: interests, is: contains, value: tea",
        "column: vip, is: equals, value: true",
        "column: children, is: greater, value: 2",
        "column: credit, is: equals, value: 2.5",
        "column: lastname, is: ends_with, value: son",
        "column: parent0, is: equals, value: Contoso",
        "column: birthdate, is: before, value: '2000-01-01'",
        "column: birthdate, is: is_empty",
        "column: image, is: equals, value: 1",
        "not: {any: [{column: vip, is: equals, value: false}, {column: lastname, is: is_not_empty}]}",
    ],
)
def test_a_filter_that_can_hold_gives_no_finding(condition: str) -> None:
    assert filtered(condition) == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("column: statecod, is: is_empty", "8:23: error: the table has no column statecod. Did you mean statecode?"),
        ("column: hidden, is: is_empty", "8:23: error: hidden cannot be read"),
        ("column: lastname, is: greater, value: 1", "8:37: error: lastname is of type string: `greater` never holds"),
        ("column: vip, is: before, value: '2000-01-01'", "8:32: error: vip is of type boolean: `before` never holds"),
        ("column: children, is: contains, value: '1'", "8:37: error: children is of type integer: `contains` never"),
        ("column: statecode, is: equals, value: 7", "8:53: error: statecode has no code 7. Its values are 0 (Active)"),
        (
            "column: statecode, is: equals, value: Activ",
            "8:53: error: statecode has no label 'Activ'. Did you mean Acti",
        ),
        ("column: statecode, is: equals, value: true", "8:53: error: statecode holds a code or a label"),
        ("column: gendercode, is: contains, value: x", "8:56: error: gendercode has no label 'x'"),
        ("column: vip, is: equals, value: 1", "8:47: error: vip is true or false, never 1"),
        ("column: children, is: equals, value: '2'", "8:52: error: children holds numbers, never '2'"),
        ("column: lastname, is: equals, value: 2", "8:52: error: lastname holds text, never 2"),
        ("column: birthdate, is: equals, value: soon", "8:53: error: 'soon' is no date"),
        ("column: birthdate, is: equals, value: '2000-01-01'", "8:53: warning: birthdate is compared as text"),
        ("not: {all: [{column: vip, is: in, value: [true, 1]}]}", "8:56: error: vip is true or false, never 1"),
    ],
)
def test_a_filter_that_cannot_hold_is_one_finding(condition: str, expected: str) -> None:
    (finding,) = filtered(condition)
    assert finding.startswith(expected)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("dynamics: vip, campaign: blackListEmail", []),
        ("dynamics: vop, campaign: blackListEmail", ["9:16: error: the table has no column vop. Did you mean vip?"]),
        ("dynamics: lastname, campaign: blackListEmail", ["9:16: error: lastname is of type string: an opt-out"]),
        (
            "dynamics: vip, campaign: blackListFax",
            ["9:31: error: blackListFax is of type string: an opt-out is a bool"],
        ),
        ("dynamics: vip, campaign: ccpaOptOut", ["9:31: error: the resource has no field ccpaOptOut"]),
    ],
)
def test_opt_outs_are_booleans_on_both_sides(pair: str, expected: list[str]) -> None:
    row = "dynamics: lastname, campaign: lastName"
    findings = [told(finding) for finding in found(text_of(row, f"opt_outs:\n  - {{{pair}}}\n"))]
    assert len(findings) == len(expected)
    assert all(finding.startswith(start) for finding, start in zip(findings, expected, strict=True))


GOOD = text_of("dynamics: lastname, campaign: lastName")


def with_field(name: str, info: FieldInfo) -> ResourceInfo:
    return ResourceInfo({**RESOURCE.fields, name: info})


def test_a_mandatory_field_that_nobody_fills() -> None:
    must = FieldInfo(Target(TargetType.STRING), mandatory=True)
    (finding,) = found(GOOD, resource=with_field("cusMust", must))
    assert told(finding).startswith("7:7: warning: cusMust is mandatory in Campaign and no row fills it")
    assert found(GOOD, resource=with_field("lastName", must)) == []
    assert found(GOOD, resource=with_field("externalId", must)) == []
    own = replace(must, target=Target(TargetType.STRING, read_only=True))
    assert found(GOOD, resource=with_field("cusMust", own)) == []


@pytest.mark.parametrize("target", [Target(TargetType.STRING, 30), Target(TargetType.INTEGER)])
def test_a_key_field_that_cannot_hold_an_id(target: Target) -> None:
    (finding,) = found(GOOD, resource=with_field("externalId", FieldInfo(target)))
    assert told(finding).startswith("3:5: error: externalId cannot hold a contact's id")


def test_keys_that_are_not_there() -> None:
    table = replace(TABLE, columns={name: one for name, one in TABLE.columns.items() if name != "contactid"})
    resource = ResourceInfo({name: one for name, one in RESOURCE.fields.items() if name != "externalId"})
    assert [finding.reason for finding in found(GOOD, table, resource)] == [
        "the table has no column contactid",
        "the resource has no field externalId",
    ]


def test_a_table_that_does_not_track_changes() -> None:
    (finding,) = found(GOOD, replace(TABLE, change_tracking=False))
    assert told(finding).startswith("3:15: warning: contact does not track changes")


def test_more_linked_columns_than_adobes_guardrail() -> None:
    rows = "".join(f"      - {{dynamics: {name}, campaign: cusLink{n}}}\n" for n, name in enumerate(LOOKUPS))
    (finding,) = found(HEAD + rows)
    assert told(finding).startswith("7:7: warning: 6 linked columns; Adobe's guardrails for this integration name 5")


def test_a_file_that_does_not_parse_is_not_compared() -> None:
    parsed = parse("version: 1\ntables: [\n")
    assert check(parsed, {"contact": Described(TABLE, RESOURCE)}) == list(parsed.findings)
    assert parsed.findings


def test_findings_of_the_file_and_of_the_systems_come_in_the_files_order() -> None:
    text = text_of("dynamics: firstnam, campaign: lastName", "    when_filtered_out: leave\n")
    findings = check(parse(text), {"contact": Described(TABLE, RESOURCE)})
    assert [(one.line, one.severity) for one in findings] == [(7, Severity.ERROR), (8, Severity.WARNING)]


def test_types_are_those_of_the_mapping_alone() -> None:
    mappings = parse(
        text_of(
            'template: "{lastname} {gone}", campaign: lastName',
            "    filters: {column: statecode, is: equals, value: 0}\n"
            "opt_outs:\n  - {dynamics: vip, campaign: blackListEmail}\n",
        )
    ).mappings
    assert mappings is not None
    assert resolve(mappings.contact, Described(TABLE, RESOURCE)) == Types(
        {"lastname": ColumnType.STRING, "statecode": ColumnType.STATE, "vip": ColumnType.BOOLEAN},
        {"lastName": NAMED["lastName"]},
    )


@pytest.mark.parametrize("target", TargetType)
@pytest.mark.parametrize("column", ColumnType)
def test_every_pair_of_types_has_a_verdict(column: ColumnType, target: TargetType) -> None:
    found = verdict(column, target)
    assert bool(found.what) is (found.fit is Fit.SOME)
    assert target is not TargetType.OBJECT or found.fit is Fit.NONE


def test_an_object_holds_no_value_and_an_empty_one_is_always_right() -> None:
    assert fault("x", Target(TargetType.OBJECT)) == "the field holds other fields"
    assert fault("x", Target(TargetType.ENUMERATION)) is None
    assert all(fault(empty, Target(kind)) is None for kind in TargetType for empty in (None, ""))
