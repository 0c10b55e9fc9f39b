"""A garage's rows in Dynamics: vehicles of contacts, their service visits, the parts of a visit; and dealers."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.people import People

VEHICLES, VISITS, PARTS, DEALERS = "new_vehicles", "new_servicevisits", "new_serviceparts", "new_dealers"
RED, REPAIR = 100000000, 100000001


@dataclass(frozen=True)
class Lineage:
    """The ids of a contact's vehicle, of a visit of that, and of a part of this."""

    vehicle: str
    visit: str
    part: str


@dataclass(frozen=True)
class Garage:
    """What the garage's people do in Dynamics; every method gives the new row's id."""

    people: People

    async def vehicle(self, contact_id: str, **columns: object) -> str:
        """A contact's vehicle."""
        row = {"new_name": "Van", "new_modelyear": 2021, "new_color": RED, **owned_by(contact_id), **columns}
        return await self.people.create(VEHICLES, row)

    async def visit(self, vehicle_id: str, **columns: object) -> str:
        """A visit of a vehicle."""
        row = {"new_name": "Visit", "new_visitdate": "2026-03-02", "new_cost": 120.5, "new_kind": REPAIR}
        return await self.people.create(VISITS, {**row, **visit_of(vehicle_id), **columns})

    async def part(self, visit_id: str, **columns: object) -> str:
        """A part that a visit used."""
        row = {"new_name": "Filter", "new_partnumber": "F-7", "new_quantity": 2}
        link = {"new_ServiceVisitId@odata.bind": f"/{VISITS}({visit_id})"}
        return await self.people.create(PARTS, {**row, **link, **columns})

    async def dealer(self, **columns: object) -> str:
        """A dealer, of nobody."""
        return await self.people.create(DEALERS, {"new_name": "Acme", "new_city": "Oslo", **columns})

    async def lineage(self, contact_id: str) -> Lineage:
        """Three generations below a contact."""
        vehicle = await self.vehicle(contact_id)
        visit = await self.visit(vehicle)
        return Lineage(vehicle, visit, await self.part(visit))


def owned_by(contact_id: str) -> dict[str, str]:
    """The columns that make a vehicle a contact's."""
    return {"new_ContactId@odata.bind": f"/contacts({contact_id})"}


def sold_by(dealer_id: str) -> dict[str, str]:
    """The columns that make a vehicle a dealer's."""
    return {"new_DealerId@odata.bind": f"/{DEALERS}({dealer_id})"}


def visit_of(vehicle_id: str) -> dict[str, str]:
    """The columns that make a visit a vehicle's."""
    return {"new_VehicleId@odata.bind": f"/{VEHICLES}({vehicle_id})"}
