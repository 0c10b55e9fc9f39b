"""The mapping file is taken whole or refused whole, with the place of every fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.domain.mapping import FieldRow, OptOutPair, Picklist, Privacy
from shared.mapping_file import MappingError, parse

SHIPPED = Path(__file__).resolve().parents[2] / "mapping.yaml"


def document(**changes: Any) -> dict[str, Any]:
    """A small good file; a change whose value is `...` takes the key away."""
    table = {
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
    changed["tables"] = [table | {key: value for key, value in changes.items() if key not in whole}]
    return {key: value for key, value in changed.items() if value is not ...} | (
        {"tables": changes["tables"]} if "tables" in changes else {}
    )


def text(**changes: Any) -> str:
    return yaml.safe_dump(document(**changes))


def fault(content: str) -> str:
    with pytest.raises(MappingError) as refused:
        parse(content)
    return str(refused.value)


def test_the_shipped_mapping_is_good() -> None:
    mapping = parse(SHIPPED.read_text(encoding="utf-8"))
    assert mapping.table == "contact"
    assert "emailaddress1" in mapping.field_columns
    assert OptOutPair("donotbulkemail", "blackListEmail") in mapping.opt_outs


def test_every_key_reaches_the_mapping() -> None:
    row = {"dynamics": "gendercode", "campaign": "gender", "picklist": "label", "default": "unknown"}
    mapping = parse(text(fields=[row | {"replacements": {1: "male", False: "no", "two": None}}]))
    replacements = {"1": "male", "False": "no", "two": None}
    assert mapping.field_rows == (FieldRow("gendercode", "gender", Picklist.LABEL, replacements, "unknown"),)
    assert mapping.opt_outs == (OptOutPair("donotbulkemail", "blackListEmail"),)
    assert mapping.privacy == Privacy("gdpr", "d365ExternalId")


def test_codes_travel_unless_labels_are_asked_for() -> None:
    (row,) = parse(text()).field_rows
    assert row == FieldRow("firstname", "firstName", Picklist.CODE, {}, None)


@pytest.mark.parametrize("name", ["Email", "Fax", "Mobile", "Phone", "PostalMail", "Pushnotification", ""])
def test_campaigns_newer_word_is_an_alias_of_the_older(name: str) -> None:
    mapping = parse(text(opt_outs=[{"dynamics": "donotcall", "campaign": f"denyList{name}"}]))
    assert mapping.opt_outs == (OptOutPair("donotcall", f"blackList{name}"),)


def test_opt_outs_may_be_left_out() -> None:
    assert parse(text(opt_outs=...)).opt_outs == ()


def test_the_version_names_the_content() -> None:
    assert parse(text()).version == parse(text()).version
    assert parse(text()).version != parse(text() + "# a remark\n").version


@pytest.mark.parametrize(
    ("content", "place"),
    [
        pytest.param("a: [", "not YAML", id="no YAML"),
        pytest.param("!!python/object/apply:os.system [echo]", "not YAML", id="a tag that runs something"),
        pytest.param("", "does not do", id="empty"),
        pytest.param("- 1", "does not do", id="a list"),
        pytest.param(text(version=2), "version: ", id="a later version"),
        pytest.param(text(version=...), "version: Field required", id="no version"),
        pytest.param(text(tables=[]), "tables: ", id="no table"),
        pytest.param(text(fields=[]), "tables.0.fields: ", id="no field"),
        pytest.param(text(dynamics="account"), "tables.0.dynamics: ", id="another table"),
        pytest.param(text(campaign="recipient"), "tables.0.campaign: ", id="another resource"),
        pytest.param(text(filter="x"), "tables.0.filter: Extra", id="unknown key"),
        pytest.param(text(privacy={"regulation": "gdpr"}), "tables.0.privacy.namespace_name: ", id="half a privacy"),
        pytest.param(
            text(fields=[{"dynamics": "First Name", "campaign": "firstName"}]), "fields.0.dynamics: ", id="display name"
        ),
        pytest.param(text(fields=[{"dynamics": "a", "campaign": "b.c.d"}]), "fields.0.campaign: ", id="too deep"),
        pytest.param(text(fields=[{"dynamics": "a", "campaign": "b; c"}]), "fields.0.campaign: ", id="no path"),
        pytest.param(text(fields=[{"dynamics": "a"}]), "fields.0.campaign: Field required", id="half a row"),
        pytest.param(
            text(fields=[{"dynamics": "a", "campaign": "b", "picklist": "both"}]), "fields.0.picklist: ", id="picklist"
        ),
        pytest.param(
            text(fields=[{"dynamics": "a", "campaign": "b", "default": [1]}]), "fields.0.default", id="list default"
        ),
        pytest.param(text(opt_outs=[{"dynamics": "a", "campaign": "email"}]), "opt_outs.0.campaign: ", id="no opt-out"),
        pytest.param(text(opt_outs=[{"dynamics": "a", "campaign": 7}]), "opt_outs.0.campaign: ", id="no text"),
    ],
)
def test_a_fault_is_named_with_its_place(content: str, place: str) -> None:
    assert place in fault(content)


def test_every_fault_is_named_at_once() -> None:
    text_of_both = fault(text(version=2, fields=[{"dynamics": "A", "campaign": "b"}]))
    assert "version: " in text_of_both
    assert "tables.0.fields.0.dynamics: " in text_of_both


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": [{"dynamics": "a", "campaign": "firstName"}, {"dynamics": "b", "campaign": "firstName"}]},
        {
            "opt_outs": [
                {"dynamics": "a", "campaign": "blackListEmail"},
                {"dynamics": "b", "campaign": "denyListEmail"},
            ]
        },
    ],
)
def test_two_rows_never_write_the_same_target(changes: dict[str, Any]) -> None:
    assert "more than one row writes" in fault(text(**changes))


def test_an_opt_out_is_never_a_field_as_well() -> None:
    """As a field it would be written with every update, TRUE or FALSE, past the rule."""
    assert "blackListEmail" in fault(text(fields=[{"dynamics": "a", "campaign": "blackListEmail"}], opt_outs=[]))
