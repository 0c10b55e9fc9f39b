"""`bridge mapping`, `plan`, `explain` and `doctor` with four tables, against both stand-ins and Azurite."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from cli.diagnosis import Status, diagnose
from cli.table_checks import TRACK, table_checks
from cli.wiring import Wiring, build
from shared.settings import read
from tests.component.cli.both_systems import World, contact_id, order

VEHICLE = "0f8fad5b-d9cb-469f-a165-708677289510"
VISIT = "0f8fad5b-d9cb-469f-a165-708677289511"
NOBODY = "0f8fad5b-d9cb-469f-a165-708677289512"
CONTACT = """version: 1
tables:
  - dynamics: contact
    campaign: profile
    delete_mode: ignore
    fields:
      - {dynamics: firstname, campaign: firstName, too_long: truncate}
"""
VEHICLES = """  - dynamics: new_vehicle
    campaign: cusVehicle
    links:
      - {dynamics: new_contactid, campaign: profileExternalId, parent: contact}
      - {dynamics: new_dealerid, campaign: dealerExternalId, parent: new_dealer, cardinality: "0 or 1", cascade: false}
    fields:
      - {dynamics: new_vin, campaign: VIN}
      - {dynamics: new_modelyear, campaign: modelYear, default: 0}
  - dynamics: new_servicevisit
    campaign: cusServiceVisit
    links: [{dynamics: new_vehicleid, campaign: vehicleExternalId, parent: new_vehicle}]
    fields:
      - {dynamics: new_visitdate, campaign: visitDate}
  - dynamics: new_dealer
    campaign: cusDealer
    linked_to_profiles: false
    fields:
      - {dynamics: new_city, campaign: city}
"""


async def family(world: World, owner: str) -> None:
    vehicle = {"new_vehicleid": VEHICLE, "new_vin": "V1", "new_ContactId@odata.bind": f"/contacts({owner})"}
    await order(world.values, "POST", "new_vehicles", vehicle)
    visit = {"new_servicevisitid": VISIT, "new_VehicleId@odata.bind": f"/new_vehicles({VEHICLE})"}
    await order(world.values, "POST", "new_servicevisits", visit)


async def asked(world: World, *words: str) -> Any:
    result = await world.whole(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def test_the_types_of_all_tables_are_stored_and_views_read_well(world: World) -> None:
    await world.apply(CONTACT)
    await family(world, contact_id(0))
    checked = await world.bridge("check", str(_written(world, CONTACT + VEHICLES)), "--json")
    assert checked.exit_code == 0, checked.output
    assert [finding["reason"].split(":")[0] for finding in json.loads(checked.stdout)] == [
        "new_dealer does not track changes"
    ]
    applied = await world.apply(CONTACT + VEHICLES)
    assert applied.exit_code == 0, applied.output
    assert "- table new_vehicle is new" in applied.stdout
    assert "new_servicevisit\n  The version in force does not map it; `bridge plan`" in applied.stdout
    stored = await world.blob((await world.blob("current.json"))["blob"])
    assert stored["types"]["new_vehicle"]["targets"]["VIN"] == {
        "type": "string",
        "length": 17,
        "values": [],
        "read_only": False,
    }
    assert stored["types"]["new_vehicle"]["columns"]["new_contactid"] == "lookup"
    assert set(stored["types"]) == {"contact", "new_vehicle", "new_servicevisit", "new_dealer"}
    changed = await world.apply(CONTACT + VEHICLES.replace("campaign: VIN}", "campaign: vehicleName}"), "--dry-run")
    assert "new_vehicle: field vehicleName is new: new_vin" in changed.stdout
    assert "\nnew_vehicle\n  Tried on the 1 rows that changed last:" in changed.stdout


def _written(world: World, text: str) -> Path:
    world.file.write_text(text, encoding="utf-8")
    return world.file


async def test_a_mapping_that_campaign_cannot_follow_is_refused_with_its_places(world: World) -> None:
    wrong = VEHICLES.replace("VIN}", "Vin}").replace("dealerExternalId", "dealerId").replace("cusDealer", "cusDealr")
    result = await world.bridge("check", str(_written(world, CONTACT + wrong)))
    assert result.exit_code == 1
    assert "cusDealr: not there, or not published" in result.stderr
    result = await world.bridge("check", str(_written(world, CONTACT + wrong.replace("cusDealr", "cusDealer"))))
    assert "the resource has no field Vin. Remedy: Did you mean VIN?" in result.stdout
    assert "error: the resource has no field dealerId" in result.stdout


async def test_plan_looks_at_both_sides_and_tells_what_a_first_load_costs(world: World) -> None:
    await world.apply(CONTACT + VEHICLES)
    await family(world, contact_id(0))
    found = await asked(world, "plan", "new_vehicle", "--rate", "10")
    assert (found["rows"], found["sampled"], found["waiting"], found["asked"]) == (
        {"rows": 1, "at_least": False},
        1,
        1,
        1,
    )
    assert found["create_first"], "neither side knows the vehicle"
    assert found["tallies"] == [{"kind": "insert", "rows": 1, "calls": 1}]
    assert (found["engine_calls"], found["seconds"]) == (1, 0.1)
    shown = await world.whole("plan", "contact")
    assert "Dynamics has 3 rows." in shown.stdout
    assert "one instance: 16 calls at once" in shown.stdout
    assert "Guardrails: 3 of 20 custom tables, 1 of 50 columns, 0 of 5 links" in shown.stdout
    assert (await world.whole("plan", "account")).exit_code == 2


async def test_explain_names_the_parent_that_is_missing_and_performs_in_order(world: World) -> None:
    await world.apply(CONTACT + VEHICLES)
    owner = contact_id(0)
    await family(world, owner)
    answer = await asked(world, "explain", "new_servicevisit", VISIT)
    assert [(one["record"], one["state"]) for one in answer["explanation"]["parents"]] == [
        (f"new_vehicle/{VEHICLE}", "never seen"),
        (f"contact/{owner}", "never seen"),
    ]
    assert {hint["why"]: hint["reason"] for hint in answer["hints"]} == {
        "upsert": "parent_missing",
        "delete": "still_there",
        "verify": "parent_missing",
    }
    shown = await world.whole("explain", "new_servicevisit", VISIT)
    assert f"new_vehicleid → new_vehicle/{VEHICLE} (needed; ledger: never seen, in Dynamics)" in shown.stdout
    assert "missing: not sent yet, in doubt, or held back" in shown.stdout
    unknown = await world.whole("explain", "account", VISIT)
    assert (unknown.exit_code, "it has contact, new_vehicle, new_servicevisit" in unknown.stderr) == (2, True)


async def test_doctor_finds_what_must_be_set_up(world: World) -> None:
    await world.apply(CONTACT + VEHICLES)
    parts = Wiring(settings=lambda _file: read(world.values), build=build, environment=lambda _file: {})
    found = {one.check: one for one in await diagnose(parts, None, (), 20, _alone)}
    failed = {name: one for name, one in found.items() if one.status is Status.FAILED}
    assert {name: one.remedy for name, one in failed.items()} == {"table-new_dealer": TRACK}
    assert found["resource-cusVehicle"].found == "published, with 5 fields of the mapping"
    assert found["filter-cusVehicle"].status is Status.WARNING
    assert "privacy-cusVehicle" not in found


def _alone(mappings: Any) -> Any:
    """Without the checks that they need, which other tests look at."""
    return [replace(one, needs=tuple(set(one.needs) - {"dynamics", "campaign"})) for one in table_checks(mappings)]
