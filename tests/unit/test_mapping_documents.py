"""What is shipped with the mapping file: the files themselves, their schema for editors, and the chapter about them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shared.domain.filters import Operator
from shared.domain.mapping import OptOutPair
from shared.mapping_file import parse, read, schema

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["mapping.yaml", "mapping.example.yaml"])
def test_the_shipped_files_are_good_and_name_their_schema(name: str) -> None:
    content = (ROOT / name).read_text(encoding="utf-8")
    parsed = parse(content)
    assert parsed.findings == ()
    assert parsed.mappings is not None
    assert content.startswith("# yaml-language-server: $schema=docs/mapping.schema.json\n")


def test_the_chapter_about_the_mapping_shows_a_good_one() -> None:
    chapter = (ROOT / "docs" / "flows" / "contact.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n(.*?)```", chapter, re.DOTALL)
    assert parse(shown).findings == ()
    operators = chapter.partition("### Filters")[2].partition("### Deletions")[0]
    assert not [operator for operator in Operator if f"`{operator}`" not in operators]


def test_the_example_shows_every_key_of_the_schema() -> None:
    content = (ROOT / "mapping.example.yaml").read_text(encoding="utf-8")
    keys = {
        key for model in [schema.schema(), *schema.schema()["$defs"].values()] for key in model.get("properties", {})
    }
    assert not {key for key in keys if f"{key}:" not in content}


def test_the_published_schema_is_the_models_own() -> None:
    """`python -m shared.mapping_file.schema > docs/mapping.schema.json` brings it up to date."""
    published = (ROOT / "docs" / "mapping.schema.json").read_text(encoding="utf-8")
    assert published == schema.text()
    assert json.loads(published)["properties"].keys() == {"version", "tables", "opt_outs", "opt_out_rules"}


def test_the_shipped_mapping_maps_a_person() -> None:
    mapping = read((ROOT / "mapping.yaml").read_text(encoding="utf-8")).contact
    assert (mapping.table, mapping.resource) == ("contact", None)
    assert (mapping.key_column, mapping.key_field) == ("contactid", "externalId")
    assert "emailaddress1" in mapping.field_columns
    assert OptOutPair("donotbulkemail", "blackListEmail") in mapping.opt_outs
