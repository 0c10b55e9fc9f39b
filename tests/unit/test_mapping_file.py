"""The mapping file is taken whole or refused whole; every fault has its place, its reason and its remedy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import filters
from shared.domain.filters import All, Condition, Not, Operator
from shared.domain.mapping import (
    Constant,
    DeleteMode,
    FieldRow,
    FromColumn,
    FromTemplate,
    Lookup,
    Mapping,
    OptOutPair,
    Picklist,
    Privacy,
    TooLong,
    WhenFilteredOut,
)
from shared.domain.optout import Configuration, OptOutRules, Policy
from shared.mapping_file import MappingError, Severity, parse, read
from shared.mapping_file.document import LARGEST

ROOT = Path(__file__).resolve().parents[2]
FAULTS = sorted((Path(__file__).parent / "mapping_faults").glob("*.yaml"))
EXPECTED = re.compile(r"# expect: (\d+):(\d+) (warning: )?(.+)")


def document(**changes: Any) -> dict[str, Any]:
    """A small good file; a change whose value is `...` takes the key away."""
    table: dict[str, Any] = {
        "dynamics": "contact",
        "campaign": "profile",
        "privacy": {"regulation": "gdpr", "namespace_name": "d365ExternalId"},
        "fields": [{"dynamics": "firstname", "campaign": "firstName"}],
    }
    whole = {
        "version": 1,
        "tables": [table],
        "opt_outs": [{"dynamics": "donotbulkemail", "campaign": "blackListEmail"}],
    }
    changed = whole | {key: value for key, value in changes.items() if key in whole}
    table |= {key: value for key, value in changes.items() if key not in whole}
    changed["tables"] = [{key: value for key, value in table.items() if value is not ...}]
    return {key: value for key, value in changed.items() if value is not ...}


def text(**changes: Any) -> str:
    return yaml.safe_dump(document(**changes), sort_keys=False)


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_a_broken_mapping_gives_its_own_findings(path: Path) -> None:
    """The files say themselves what is expected of them."""
    content = path.read_text(encoding="utf-8")
    expected = [
        (int(found[1]), int(found[2]), Severity.WARNING if found[3] else Severity.ERROR, found[4])
        for found in map(EXPECTED.fullmatch, content.splitlines())
        if found
    ]
    parsed = parse(content)
    assert expected
    assert [(one.line, one.column, one.severity, one.reason) for one in parsed.findings] == expected
    assert all(one.remedy.endswith((".", "?")) for one in parsed.findings)
    assert (parsed.mappings is None) is any(one.severity is Severity.ERROR for one in parsed.findings)


def test_there_are_many_broken_mappings_and_no_two_say_the_same() -> None:
    first_lines = {path.read_text(encoding="utf-8").splitlines()[0] for path in FAULTS}
    assert len(FAULTS) >= 40
    assert len(first_lines) > 0.9 * len(FAULTS)


def test_a_finding_reads_like_a_compilers() -> None:
    (finding,) = parse(text(delete_mode="ignored")).findings
    assert finding.text("my.yaml") == (
        "my.yaml:11:16: error: `delete_mode: ignored` is not offered. Remedy: Did you mean `ignore`?"
    )
    assert str(finding).startswith("mapping.yaml:11:16: ")
    assert finding.path == ("tables", 0, "delete_mode")


def test_who_needs_a_mapping_gets_all_errors_at_once_and_no_warnings() -> None:
    broken = text(version=2, fields=[{"dynamics": "A", "campaign": "b"}], when_filtered_out="leave")
    assert len(parse(broken).findings) == 3
    with pytest.raises(MappingError) as refused:
        read(broken)
    assert [finding.path for finding in refused.value.findings] == [
        ("version",),
        ("tables", 0, "fields", 0, "dynamics"),
    ]
    assert str(refused.value).count("Remedy: ") == 2
    assert str(MappingError("no such file")) == "no such file"


def test_a_file_that_is_too_large_is_not_even_read() -> None:
    (finding,) = parse("#" * (LARGEST + 1)).findings
    assert (finding.line, finding.column) == (1, 1)
    assert "larger than 1,000,000" in finding.reason


def test_a_character_that_no_text_holds_is_placed() -> None:
    (finding,) = parse("version: 1\nname: \x00").findings
    assert (finding.line, finding.column) == (2, 7)


@pytest.mark.parametrize(
    "written", ["!!int x", "!!int ''", "!!bool perhaps", "!!timestamp x", "!!binary x", "!!float x", "!own 1"]
)
def test_a_tag_that_does_not_fit_its_value_is_placed(written: str) -> None:
    (finding,) = parse(f"version: {written}\n").findings
    assert (finding.line, finding.column) == (1, 10)
    assert "tag" in finding.reason


def test_what_is_left_out_is_the_usual() -> None:
    mapping = read(text()).contact
    assert mapping == Mapping(
        mapping.version,
        "contact",
        (FieldRow("firstName", FromColumn("firstname")),),
        (OptOutPair("donotbulkemail", "blackListEmail"),),
        Privacy("gdpr", "d365ExternalId"),
    )
    assert read(text(opt_outs=...)).contact.opt_outs == ()
    assert read(text(delete_mode="ignore", privacy=...)).contact.privacy == Privacy("", "")


def test_every_key_of_a_table_reaches_the_mapping() -> None:
    mappings = read(
        text(
            key={"dynamics": "contactid", "campaign": "externalId"},
            delete_mode="profile_delete",
            deletes_per_hour=7,
            when_filtered_out="delete",
            filters={"column": "statecode", "is": "equals", "value": 0},
        )
    )
    mapping = mappings.contact
    assert mapping.delete_mode is DeleteMode.PROFILE_DELETE
    assert mapping.deletes_per_hour == 7
    assert mapping.when_filtered_out is WhenFilteredOut.DELETE
    assert mapping.filters == Condition("statecode", Operator.EQUALS, 0)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"dynamics": "gendercode", "campaign": "gender", "picklist": "label", "default": "unknown"},
            FieldRow("gender", FromColumn("gendercode", Picklist.LABEL), default="unknown"),
        ),
        (
            {"dynamics": "ownerid", "campaign": "cusOwner", "lookup": "name", "too_long": "truncate"},
            FieldRow("cusOwner", FromColumn("ownerid", lookup=Lookup.NAME), too_long=TooLong.TRUNCATE),
        ),
        (
            {"dynamics": "a", "campaign": "b", "apply_updates": False, "replacements": {7: "x", True: None, 2.5: 3}},
            FieldRow("b", FromColumn("a"), False, {"7": "x", "true": None, "2.5": 3}),
        ),
        (
            {"template": "{a} {b}", "campaign": "c.d", "picklist": "label", "lookup": "name", "default": 0},
            FieldRow("c.d", FromTemplate("{a} {b}", Picklist.LABEL, Lookup.NAME), default=0),
        ),
        (
            {"constant": True, "campaign": "c", "apply_updates": False},
            FieldRow("c", Constant(True), False),
        ),
    ],
)
def test_every_key_of_a_row_reaches_the_mapping(row: dict[str, Any], expected: FieldRow) -> None:
    (found,) = read(text(fields=[row])).contact.field_rows
    assert found == expected


def test_a_tree_of_filters_reaches_the_mapping() -> None:
    tree = {
        "any": [
            {"all": [{"column": "a", "is": "in", "value": [1, "x"]}, {"column": "b", "is": "is_empty"}]},
            {"not": {"column": "c", "is": "before", "value": "2026-01-31"}},
        ]
    }
    assert read(text(filters=tree)).contact.filters == filters.Any(
        (
            All((Condition("a", Operator.IN, (1, "x")), Condition("b", Operator.IS_EMPTY))),
            Not(Condition("c", Operator.BEFORE, "2026-01-31")),
        )
    )


@pytest.mark.parametrize("name", ["Email", "Fax", "Mobile", "Phone", "PostalMail", "Pushnotification", ""])
def test_campaigns_newer_word_is_an_alias_of_the_older(name: str) -> None:
    mapping = read(text(opt_outs=[{"dynamics": "donotcall", "campaign": f"denyList{name}"}])).contact
    assert mapping.opt_outs == (OptOutPair("donotcall", f"blackList{name}"),)


def test_every_key_of_the_opt_outs_reaches_the_mapping() -> None:
    pair = {"dynamics": "followemail", "campaign": "ccpaOptOut", "inverse": True, "regulation": "ccpa"}
    chosen = {"configuration": "bidirectional", "policy": "attribute_timestamps", "regulations": {"ccpa": 15}}
    mapping = read(text(opt_outs=[pair]) + yaml.safe_dump({"opt_out_rules": chosen})).contact
    assert mapping.opt_outs == (OptOutPair("followemail", "ccpaOptOut", inverse=True, regulation="ccpa"),)
    assert mapping.opt_out_rules == OptOutRules(policy=Policy.ATTRIBUTE_TIMESTAMPS, regulations={"ccpa": 15})


def test_disabled_opt_outs_may_stay_in_the_file() -> None:
    mapping = read(text() + yaml.safe_dump({"opt_out_rules": {"configuration": "disabled"}})).contact
    assert (mapping.opt_outs, mapping.opt_out_columns) == ((), frozenset())
    assert mapping.opt_out_rules.configuration is Configuration.DISABLED


@pytest.mark.parametrize("word", ["no", "NO", "on", "off", "y", "012", "1:30", "1_000", "2026-01-31", "0x1F", "1e3"])
def test_a_word_stays_the_text_that_it_looks_like(word: str) -> None:
    """Older YAML makes Norway false, a postal code octal and a time sexagesimal."""
    content = text().replace(
        "campaign: firstName", f"campaign: firstName\n    default: {word}\n    replacements: {{{word}: x}}"
    )
    (row,) = read(content).contact.field_rows
    assert (row.default, row.replacements) == (word, {word: "x"})


@pytest.mark.parametrize(
    ("written", "value"),
    [("true", True), ("null", None), ("~", None), ("-3", -3), ("0", 0), ("0.50", 0.5), ("'1'", "1")],
)
def test_what_yaml_understands_as_a_value(written: str, value: object) -> None:
    (row,) = read(text().replace("firstName", f"firstName\n    default: {written}")).contact.field_rows
    assert row.default == value
    assert type(row.default) is type(value)


def test_the_place_of_every_value_is_known() -> None:
    parsed = parse(text(filters={"all": [{"not": {"column": "a", "is": "is_empty"}}]}))
    lines = text(filters={"all": [{"not": {"column": "a", "is": "is_empty"}}]}).splitlines()
    row, column = parsed.positions["tables", 0, "fields", 0, "campaign"]
    assert lines[row - 1][column - 1 :] == "firstName"
    row, column = parsed.positions["tables", 0, "filters", "all", 0, "not", "column"]
    assert lines[row - 1][column - 1 :] == "a"
    row, column = parsed.positions["opt_outs", 0, "campaign"]
    assert lines[row - 1][column - 1 :] == "blackListEmail"


def test_the_version_names_the_content() -> None:
    assert read(text()).version == read(text()).version
    assert read(text()).version != read(text() + "# a remark\n").version


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["contact", "a", "{a}", "equals", "x y", "gdpr"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "version", "tables", "opt_outs", "dynamics", "campaign", "fields", "template", "constant", "filters", "all",
        "any", "not", "column", "is", "value", "privacy", "key", "replacements", "delete_mode", "nonsense",
    ]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=40)
@given(_VALUES, _VALUES)
def test_any_shape_at_all_gives_findings(whole: Any, inner: Any) -> None:
    """Whatever stands where, nothing is raised, and what is not a mapping is told why."""
    rules = text() + yaml.safe_dump({"opt_out_rules": inner})
    for content in (
        yaml.safe_dump(whole),
        text(fields=inner, filters=whole),
        text(opt_outs=inner, privacy=whole),
        rules,
    ):
        parsed = parse(content)
        assert (parsed.mappings is None) is any(one.severity is Severity.ERROR for one in parsed.findings)


@given(st.text())
def test_any_text_at_all_gives_findings(content: str) -> None:
    parsed = parse(content)
    assert parsed.mappings is None
    assert parsed.findings
