"""An example set of custom resources: vehicles of people, what a garage did to them, and dealers of no person."""

from __future__ import annotations

from sandbox.campaign.definitions import CustomResource, Link, ResourceField
from sandbox.campaign.filters import CustomFilter

_ID = ResourceField("externalId", length=100, mandatory=True)
_BY_ID = CustomFilter.labelled("ExternalId", externalId="externalId")

DEALER = CustomResource(
    "cusDealer",
    (_ID, ResourceField("dealerName", length=100), ResourceField("city", length=80)),
    api="customResources",
    key=("externalId",),
    filters=(_BY_ID,),
    label="Dealer",
)
VEHICLE = CustomResource(
    "cusVehicle",
    (
        _ID,
        ResourceField("VIN", length=17),
        ResourceField("vehicleName", length=100),
        ResourceField("modelYear", "integer"),
        ResourceField("color", "enumeration", values=("unknown", "black", "white", "red", "blue")),
        ResourceField("profileExternalId", length=100),
        ResourceField("dealerExternalId", length=100),
    ),
    key=("externalId",),
    filters=(_BY_ID, CustomFilter.labelled("Vin", VIN="VIN")),
    links=(
        Link("profile", "profileExternalId", cascade=True),
        Link("dealer", "dealerExternalId", "cusDealer", cardinality="0..1"),
    ),
    label="Vehicle",
)
SERVICE_VISIT = CustomResource(
    "cusServiceVisit",
    (
        _ID,
        ResourceField("visitDate", "date"),
        ResourceField("cost", "float"),
        ResourceField("kind", "enumeration", values=("unknown", "inspection", "repair", "recall")),
        ResourceField("vehicleExternalId", length=100),
    ),
    key=("externalId",),
    filters=(_BY_ID,),
    links=(Link("vehicle", "vehicleExternalId", "cusVehicle", cascade=True),),
    label="Service visit",
)
SERVICE_PART = CustomResource(
    "cusServicePart",
    (
        _ID,
        ResourceField("partName", length=100),
        ResourceField("quantity", "integer"),
        ResourceField("serviceVisitExternalId", length=100),
    ),
    key=("externalId",),
    filters=(_BY_ID,),
    links=(Link("serviceVisit", "serviceVisitExternalId", "cusServiceVisit", cascade=True),),
    label="Service part",
)
EXAMPLE_RESOURCES = (DEALER, VEHICLE, SERVICE_VISIT, SERVICE_PART)
