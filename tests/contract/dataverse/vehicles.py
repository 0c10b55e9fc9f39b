"""Rows of the car dealer's tables, made through the Web API."""

from __future__ import annotations

from typing import Any

from tests.contract.dataverse.conftest import Client


async def contact(client: Client, **columns: Any) -> str:
    return await client.create("contacts", {"firstname": "Ada", **columns})


async def vehicle(client: Client, contact_id: str | None = None, dealer_id: str | None = None, **columns: Any) -> str:
    links = {} if contact_id is None else {"new_ContactId@odata.bind": f"/contacts({contact_id})"}
    links |= {} if dealer_id is None else {"new_DealerId@odata.bind": f"/new_dealers({dealer_id})"}
    return await client.create("new_vehicles", {"new_name": "Van", **links, **columns})


async def visit(client: Client, vehicle_id: str, **columns: Any) -> str:
    link = {"new_VehicleId@odata.bind": f"/new_vehicles({vehicle_id})"}
    return await client.create("new_servicevisits", {"new_name": "Visit", **link, **columns})


async def part(client: Client, visit_id: str, **columns: Any) -> str:
    link = {"new_ServiceVisitId@odata.bind": f"/new_servicevisits({visit_id})"}
    return await client.create("new_serviceparts", {"new_name": "Part", **link, **columns})


async def family(client: Client) -> tuple[str, str, str, str]:
    """A contact with a vehicle, a visit of that and a part of this."""
    owner = await contact(client)
    van = await vehicle(client, owner)
    seen = await visit(client, van)
    return owner, van, seen, await part(client, seen)


async def ids(client: Client, entity_set: str) -> list[str]:
    """The ids of all rows, in the order of their making."""
    rows = (await client.get(f"{entity_set}?$orderby=versionnumber")).json["value"]
    return [row[f"{entity_set.removesuffix('s')}id"] for row in rows]
