"""`bridge mapping` against both stand-ins and Azurite: check, apply, edit, apply, roll back, and what is refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sandbox.dataverse as dataverse_stand_in
from cli.main import app
from cli.wiring import Wiring
from shared import mapping_file
from shared.settings import read
from shared.stores.mappings import CONTAINER, POINTER
from tests.component.cli.both_systems import World, not_built
from tests.component.cli.typed import WIDE

HEAD = """version: 1
tables:
  - dynamics: contact
    campaign: profile
    delete_mode: ignore
"""
FIELDS = """    fields:
      - {dynamics: emailaddress1, campaign: email}
      - {dynamics: firstname, campaign: firstName, too_long: truncate}
"""
CITY = "      - {dynamics: address1_city, campaign: location.city}\n"
ACTIVE = "    filters: {column: statecode, is: equals, value: 0}\n"
BROKEN = HEAD + "    fields:\n      - {dynamics: firstnam, campaign: age}\n"


async def test_the_shipped_mapping_does_against_both_systems(world: World) -> None:
    shipped = Path(__file__).parents[3] / "mapping.yaml"
    result = await world.bridge("check", str(shipped), "--json")
    findings = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {finding["severity"] for finding in findings} <= {"warning"}


async def test_findings_have_file_line_and_column(world: World) -> None:
    world.file.write_text(BROKEN, encoding="utf-8")
    result = await world.bridge("check", str(world.file))
    assert result.exit_code == 1
    assert (
        f"{world.file}:7:20: error: the table has no column firstnam. Remedy: Did you mean firstname?" in result.stdout
    )
    assert f"{world.file}:7:40: error: age is read-only" in result.stdout


async def test_apply_edit_apply_and_roll_back(world: World) -> None:
    assert (await world.in_force())["number"] is None
    first = await world.apply(HEAD + FIELDS, "--note", "the first")
    assert first.exit_code == 0, first.output
    assert "Version 1" in first.stderr
    stored = await world.blob(f"versions/1-{(await world.blob(POINTER))['blob'].split('-')[1]}")
    assert stored["types"]["contact"]["targets"]["firstName"]["length"] == 30
    assert stored["types"]["contact"]["columns"]["firstname"] == "string"

    second = await world.apply(HEAD + FIELDS + CITY)
    assert "field location.city is new: address1_city" in second.stdout
    assert (await world.in_force())["text"] == HEAD + FIELDS + CITY

    difference = json.loads((await world.bridge("diff", "1", "--json")).stdout)
    assert difference["summary"] == ["field location.city is no longer written: address1_city"]
    assert "-" + CITY.rstrip() in difference["lines"]

    back = await world.bridge("rollback", "1", "--yes", "--note", "too early")
    assert back.exit_code == 0, back.output
    now = await world.in_force()
    assert (now["number"], now["restores"], now["text"], now["note"]) == (3, 1, HEAD + FIELDS, "too early")
    history = json.loads((await world.bridge("history", "--json")).stdout)
    assert [(one["number"], one["note"]) for one in history] == [(3, "too early"), (2, ""), (1, "the first")]
    assert "the text of version 1: too early" in (await world.bridge("history")).stdout
    assert (await world.bridge("show", "2")).stdout == HEAD + FIELDS + CITY


async def test_a_broken_file_is_refused_and_the_version_in_force_stays(world: World) -> None:
    await world.apply(HEAD + FIELDS)
    before = await world.in_force()
    for text in (BROKEN, "version: 1\ntables: ["):
        result = await world.apply(text)
        assert result.exit_code == 1
        assert "the mapping in force stays" in result.stderr
    assert await world.in_force() == before


async def test_a_dry_run_and_a_no_change_nothing(world: World) -> None:
    await world.apply(HEAD + FIELDS)
    world.file.write_text(HEAD + FIELDS + CITY, encoding="utf-8")
    dry = await world.bridge("apply", str(world.file), "--dry-run")
    assert (dry.exit_code, "Nothing was changed" in dry.stderr) == (0, True)
    refused = await world.bridge("apply", str(world.file), input="n\n")
    assert refused.exit_code == 1
    assert (await world.in_force())["number"] == 1


async def test_who_is_overtaken_while_thinking_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.apply(HEAD + FIELDS)
    world.file.write_text(HEAD + FIELDS + CITY, encoding="utf-8")

    def another_operator(*_question: object, **_options: object) -> bool:
        other = Wiring(settings=lambda _file: read(world.values), build=not_built, environment=lambda _file: {})
        world.file.write_text(HEAD + ACTIVE + FIELDS, encoding="utf-8")
        words = ["mapping", "apply", str(world.file), "--yes"]
        with ThreadPoolExecutor(1) as threads:
            done = threads.submit(CliRunner().invoke, app, words, obj=other, env=WIDE).result()
        assert done.exit_code == 0
        return True

    monkeypatch.setattr("typer.confirm", another_operator)
    result = await world.bridge("apply", str(world.file))
    assert result.exit_code == 1
    assert "the version in force is now 2-" in result.stderr
    assert (await world.in_force())["text"] == HEAD + ACTIVE + FIELDS


async def test_the_sample_tells_what_would_change_and_hides_values(world: World) -> None:
    await world.apply(HEAD + FIELDS)
    result = await world.apply(HEAD + ACTIVE + FIELDS + CITY.replace("}", ", apply_updates: false}"), "--dry-run")
    assert "Tried on the 3 rows that changed last" in result.stdout
    assert "2 take part; 0 start to, 1 stop to" in result.stdout
    assert "1 would have a text cut" in result.stdout
    assert "Dynamics has 3 rows." in result.stdout
    assert "(apply_updates is off): location.city." in result.stdout
    assert "filters: everybody → statecode equals 0" in result.stdout
    assert "Berlin" not in result.output
    shown = await world.apply(HEAD + FIELDS + CITY, "--dry-run", "--show-values")
    assert "- → Berlin" in shown.stdout


async def test_a_lookup_is_read_as_the_id_it_refers_to(world: World) -> None:
    owner = "      - {dynamics: ownerid, campaign: location.address4}\n"
    result = await world.apply(HEAD + FIELDS + owner, "--dry-run", "--show-values")
    assert f"- → {dataverse_stand_in.INTEGRATION.user_id}" in result.stdout


async def test_a_version_spoilt_by_hand_is_told_and_can_be_rolled_back(world: World) -> None:
    await world.apply(HEAD + FIELDS)
    await world.apply(HEAD + FIELDS + CITY)
    pointer = world.blobs.get_blob_client(CONTAINER, POINTER)
    good = await (await pointer.download_blob()).readall()
    await pointer.upload_blob(b"{}", overwrite=True)
    result = await world.bridge("show")
    assert result.exit_code == 1
    assert "changed by hand" in result.stderr
    assert "Traceback" not in result.output
    await pointer.upload_blob(good, overwrite=True)
    assert (await world.bridge("rollback", "1", "--yes")).exit_code == 0


async def test_a_text_that_was_put_in_force_by_hand_and_does_not_parse_can_be_replaced(world: World) -> None:
    await world.apply(HEAD + FIELDS)
    number, text = 2, "version: 1\ntables: ["
    blob = f"versions/{number}-{mapping_file.version(text)}.json"
    first = (await world.blob(POINTER))["blob"]
    document = await world.blob(first)
    spoilt = document | {"number": number, "text": text, "version": mapping_file.version(text), "replaces": first}
    for name, content in ((blob, spoilt), (POINTER, {"format": 1, "number": number, "blob": blob})):
        client = world.blobs.get_blob_client(CONTAINER, name)
        await client.upload_blob(json.dumps(content).encode(), overwrite=True)
    refused = await world.bridge("rollback", "2", "--yes")
    assert (refused.exit_code, "not YAML" in refused.stderr) == (1, True)
    result = await world.apply(HEAD + FIELDS + CITY)
    assert (result.exit_code, "does not parse, so there is nothing to compare" in result.stdout) == (0, True)
    assert (await world.in_force())["number"] == 3


async def test_what_is_not_there_is_told(world: World) -> None:
    missing = await world.bridge("show", "7")
    assert (missing.exit_code, "there is no version 7" in missing.stderr) == (1, True)
    assert (await world.bridge("rollback", "1", "--yes")).exit_code == 1
    assert (await world.bridge("diff", "nothing.yaml")).exit_code == 2
    assert "No version was applied yet" in (await world.bridge("history")).stdout
    shown = await world.bridge("show")
    assert "No version was applied yet" in shown.stderr
    assert mapping_file.parse(shown.stdout).mappings is not None


async def test_a_system_that_is_down_is_told_with_its_remedy(world: World) -> None:
    world.values["CAMPAIGN_TOKEN_URL"] = "http://127.0.0.1:9"
    world.file.write_text(HEAD + FIELDS, encoding="utf-8")
    result = await world.bridge("check", str(world.file))
    assert result.exit_code == 1
    assert "campaign_unreachable" in result.stderr


async def test_offline_asks_nobody(world: World) -> None:
    world.values.clear()
    world.file.write_text(HEAD + FIELDS, encoding="utf-8")
    result = await world.bridge("check", str(world.file), "--offline")
    assert (result.exit_code, "the file alone was checked" in result.stdout) == (0, True)


@pytest.mark.parametrize("command", ["check", "show", "diff", "history", "apply", "rollback"])
def test_every_commands_help_teaches_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, ["mapping", command, "--help"], env=WIDE)
    assert result.exit_code == 0
    assert f"bridge mapping {command}" in result.stdout
    assert "Example" in result.stdout
