"""The tables of a car dealer: vehicles of a contact, their service visits, the parts of a visit; and dealers."""

from __future__ import annotations

from dataclasses import replace

from sandbox.dataverse.schema import Attribute, Key, OnDelete, Table, read_only
from sandbox.dataverse.schema_columns import (
    active_inactive,
    bookkeeping,
    choice,
    currency,
    day,
    flag,
    lookup,
    money,
    number,
    ownership,
    text,
    unique_id,
)

FIRST_CUSTOM_CHOICE = 100000000
_FIRST_TYPE_CODE = 10301
_CENTURY = (1900, 2100)


def custom_table(
    name: str, schema_name: str, columns: tuple[Attribute, ...], *, code: int, keys: tuple[Key, ...] = (), tracked: bool
) -> Table:
    """A user-owned table whose primary name is `<prefix>_name`; `columns` stand beside those every table has."""
    prefix = name.partition("_")[0]
    return Table(
        name,
        f"{name}s",
        f"{name}id",
        f"{prefix}_name",
        (
            unique_id(f"{name}id"),
            replace(text(f"{prefix}_name", 100, "Name"), schema_name=f"{prefix}_Name"),
            *columns,
            *active_inactive(),
            *ownership(),
            *bookkeeping(),
        ),
        schema_name=schema_name,
        object_type_code=code,
        keys=keys,
        is_custom=True,
        change_tracking=tracked,
    )


VEHICLE = custom_table(
    "new_vehicle",
    "new_Vehicle",
    (
        replace(text("new_vin", 17, "VIN"), schema_name="new_VIN"),
        replace(number("new_modelyear", *_CENTURY), label="Model Year", schema_name="new_ModelYear"),
        choice("new_color", "Red", "Blue", "Green", "Silver", first=FIRST_CUSTOM_CHOICE),
        lookup(
            "new_contactid",
            "contact",
            "new_ContactId",
            collection="new_contact_new_vehicle",
            on_delete=OnDelete.CASCADE,
        ),
        lookup("new_dealerid", "new_dealer", "new_DealerId", collection="new_dealer_new_vehicle"),
    ),
    code=_FIRST_TYPE_CODE,
    keys=(Key("new_VinKey", ("new_vin",)),),
    tracked=True,
)

SERVICE_VISIT = custom_table(
    "new_servicevisit",
    "new_ServiceVisit",
    (
        lookup(
            "new_vehicleid",
            "new_vehicle",
            "new_VehicleId",
            collection="new_vehicle_new_servicevisit",
            on_delete=OnDelete.CASCADE,
        ),
        day("new_visitdate", "Visit Date"),
        money("new_cost"),
        read_only(money("new_cost_base")),
        *currency(),
        choice("new_kind", "Inspection", "Repair", "Recall", first=FIRST_CUSTOM_CHOICE),
    ),
    code=_FIRST_TYPE_CODE + 1,
    tracked=True,
)

SERVICE_PART = custom_table(
    "new_servicepart",
    "new_ServicePart",
    (
        lookup(
            "new_servicevisitid",
            "new_servicevisit",
            "new_ServiceVisitId",
            collection="new_servicevisit_new_servicepart",
            on_delete=OnDelete.CASCADE,
        ),
        text("new_partnumber", 40, "Part Number"),
        number("new_quantity", 0, 10_000, default=1),
    ),
    code=_FIRST_TYPE_CODE + 2,
    tracked=True,
)

# Its change tracking is off, as the API leaves it on new tables, so that there is something to switch on.
DEALER = custom_table(
    "new_dealer",
    "new_Dealer",
    (text("new_city", 80, "City"), flag("new_certified")),
    code=_FIRST_TYPE_CODE + 3,
    tracked=False,
)

VEHICLES = (VEHICLE, SERVICE_VISIT, SERVICE_PART, DEALER)
