"""A parent that the filters keep out: its child is parked with a reason, and comes along when the parent comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import world
from sandbox.addresses import ROOT, free
from sandbox.garage import VEHICLES, Garage
from sandbox.people import People
from sandbox.provisioning import provision
from sandbox.world import World
from tests.component.sandbox.conftest import SHORT_TIMES
from tests.component.sandbox.invariants import broken
from tests.component.sandbox.test_parked import bridge
from tests.component.sandbox.waiting import at_rest, eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(240),
]
ACTIVE_ONLY = (
    "campaign: profile\n    filters: {column: statecode, is: equals, value: 0}\n    when_filtered_out: delete\n"
)
SIX_SECONDS = str(6 / 3600)
INACTIVE, ACTIVE = {"statecode": 1, "statuscode": 2}, {"statecode": 0, "statuscode": 1}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A sandbox of its own, whose mapping leaves inactive contacts out."""
    folder = tmp_path_factory.mktemp("strict")
    mapping = folder / "mapping.yaml"
    text = (ROOT / "sandbox" / "mapping.yaml").read_text(encoding="utf-8")
    mapping.write_text(text.replace("campaign: profile\n", ACTIVE_ONLY), encoding="utf-8")
    overrides = {**SHORT_TIMES, "MAPPING_FILE": str(mapping), "PARENT_MAX_WAIT_HOURS": SIX_SECONDS}
    running = await world.start(free(), folder, overrides=overrides, lock_s=4)
    try:
        await provision(running)
        yield running
    finally:
        await running.stop()


async def test_it_is_parked_with_a_reason_and_released_by_its_parent(strict: World) -> None:
    async with People(strict) as people:
        contact = await people.create("contacts", {"firstname": "Idle", "lastname": "Canary"})
        await people.change(contact, **INACTIVE)
        vehicle = await Garage(people).vehicle(contact)
        assert await eventually(lambda: strict.broker.counts()["parked"]["active"] == 1, 60)
        assert await at_rest(strict)
        (group,) = await bridge(strict, "deadletters", "list")
        assert (group["reason"]["slug"], group["lane"]) == ("parent_missing", "custom-entity")
        said = next(said for said in strict.host.heard.last if said.get("parked"))
        assert said["detail"] == f"contact/{contact}: kept out by its filters, or without a parent itself"
        assert await people.records("cusVehicle") == {}
        assert await broken(strict, people) == []

        await people.update(VEHICLES, vehicle, {"new_name": "Changed while parked"})
        await people.change(contact, **ACTIVE)

        async def arrived() -> bool:
            record = (await people.records("cusVehicle")).get(vehicle)
            return record is not None and record["vehicleName"] == "Changed while parked"

        assert await eventually(arrived, 60), "the parent's storing releases it, parked or not"
        assert (await bridge(strict, "deadletters", "replay", "--all", "--why", "a test", "--yes"))["done"] >= 1
        assert await at_rest(strict)
        assert await bridge(strict, "deadletters", "list") == []
        assert await broken(strict, people) == []
