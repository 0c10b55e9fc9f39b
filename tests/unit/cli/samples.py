"""One contact on both sides, with values that must not show, and messages about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from shared.domain.change import Hint, Lane, RecordKey, Source, Why
from shared.domain.contact import OLDEST, Contact, Flag, Profile, Value
from shared.domain.mapping import (
    DeleteMode,
    FieldRow,
    FromColumn,
    Link,
    Lookup,
    Mappings,
    OptOutPair,
    Privacy,
    Resource,
)
from shared.domain.mapping import Mapping as MappingRules
from shared.stores.letter import DeadLetter, Place
from shared.wire import encode

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
CONTACT_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
KEY = RecordKey("contact", CONTACT_ID)
CANARIES = ("Canaria", "canary@example.com", "Canarytown")
MAPPING = MappingRules(
    version="abc123def456",
    table="contact",
    field_rows=(
        FieldRow("lastName", FromColumn("lastname")),
        FieldRow("email", FromColumn("emailaddress1")),
        FieldRow("gender", FromColumn("gendercode"), True, {"1": "male", "2": "female"}, "unknown"),
        FieldRow("location.city", FromColumn("address1_city")),
    ),
    opt_outs=(OptOutPair("donotbulkemail", "blackListEmail"), OptOutPair("donotfax", "blackListFax")),
    privacy=Privacy("gdpr", "d365ExternalId"),
)
VEHICLE = RecordKey("new_vehicle", "0f8fad5b-d9cb-469f-a165-708677289510")
VISIT = RecordKey("new_visit", "0f8fad5b-d9cb-469f-a165-708677289511")
VEHICLES = MappingRules(
    version="abc123def456",
    table="new_vehicle",
    field_rows=(
        FieldRow("profileExternalId", FromColumn("new_owner", lookup=Lookup.ID)),
        FieldRow("vehicleName", FromColumn("new_name")),
    ),
    resource=Resource("cusVehicle", "byExternalId", "externalId_parameter"),
    key_column="new_vehicleid",
    links=(Link("new_owner", "profileExternalId", "contact"),),
    delete_mode=DeleteMode.PROFILE_DELETE,
)
VISITS = MappingRules(
    version="abc123def456",
    table="new_visit",
    field_rows=(
        FieldRow("vehicleExternalId", FromColumn("new_vehicle", lookup=Lookup.ID)),
        FieldRow("dealerExternalId", FromColumn("new_dealer", lookup=Lookup.ID)),
        FieldRow("cost", FromColumn("new_cost")),
    ),
    resource=Resource("cusVisit", "byNumber", "number_parameter"),
    key_column="new_number",
    key_field="number",
    links=(
        Link("new_vehicle", "vehicleExternalId", "new_vehicle"),
        Link("new_dealer", "dealerExternalId", "new_vehicle", required=False, cascade=False),
    ),
    delete_mode=DeleteMode.PROFILE_DELETE,
)
THREE_TABLES = Mappings(MAPPING, (VEHICLES, VISITS))
VALUES = {
    "DYNAMICS_URL": "https://acme.crm4.dynamics.com",
    "DYNAMICS_AUTHORITY": "https://login.microsoftonline.com/tenant",
    "DYNAMICS_CLIENT_ID": "client",
    "DYNAMICS_CLIENT_SECRET": "dynamics-secret",
    "CAMPAIGN_URL": "https://mc.adobe.io/acme/campaign",
    "CAMPAIGN_TOKEN_URL": "https://ims-na1.adobelogin.com/ims/token/v3",
    "CAMPAIGN_CLIENT_ID": "key",
    "CAMPAIGN_CLIENT_SECRET": "campaign-secret",
    "CAMPAIGN_ORGANIZATION_ID": "ORG@AdobeOrg",
    "CAMPAIGN_EVENTS_URL": "https://events-va6.adobe.io/events/organizations/1/integrations/2/3",
    "WEBHOOK_SECRETS": "first-webhook-secret-long,second-webhook-secret-long",
    "OPTOUT_FILES_URL": "sftp://campaign@files.example.com/exports",
    "OPTOUT_SFTP_KEY": "-----BEGIN",
    "OPTOUT_SFTP_HOST_KEY": "ssh-ed25519 AAAA",
    "ServiceBus": "Endpoint=sb://acme.servicebus.windows.net;SharedAccessKeyName=k;SharedAccessKey=bus-secret",
    "Storage": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c3RvcmFnZS1zZWNyZXQ=",
}


def a_contact(**columns: Value) -> Contact:
    """All three canaries are in it."""
    row: dict[str, Value] = {
        "lastname": CANARIES[0],
        "emailaddress1": CANARIES[1],
        "gendercode": 2,
        "address1_city": CANARIES[2],
        "donotbulkemail": False,
        "donotfax": None,
    }
    return Contact(CONTACT_ID, 'W/"1"', NOW - timedelta(days=1), row | columns)


def a_profile(*, opted_out: Mapping[str, Flag] | None = None, **fields: Value) -> Profile:
    """In line with `a_contact`, but for what is given; a dot in a field's name is written as two underscores."""
    row: dict[str, Value] = dict(MAPPING.desired(a_contact()).fields)
    row |= {name.replace("__", "."): value for name, value in fields.items()}
    flags = {"blackListEmail": Flag(False, OLDEST), "blackListFax": Flag(False, OLDEST)}
    return Profile("@handle", row, flags | dict(opted_out or {}))


def a_vehicle(**columns: Value) -> Contact:
    """Of the contact."""
    row: dict[str, Value] = {"new_owner": CONTACT_ID, "new_name": CANARIES[0]}
    return Contact(VEHICLE.id, 'W/"1"', NOW - timedelta(days=1), row | columns)


def a_visit(**columns: Value) -> Contact:
    """Of the vehicle."""
    row: dict[str, Value] = {"new_vehicle": VEHICLE.id, "new_dealer": None, "new_cost": 12.5, "new_number": "S-1"}
    return Contact(VISIT.id, 'W/"1"', NOW - timedelta(days=1), row | columns)


def a_letter(
    number: int = 1,
    *,
    queue: Lane = Lane.CONTACT_UPSERT,
    place: Place = "dead",
    lane: Lane | None = Lane.CONTACT_UPSERT,
    reason: str = "MaxDeliveryCountExceeded",
    body: bytes | None = None,
    properties: Mapping[str, str | int] | None = None,
) -> DeadLetter:
    """A hint about the contact, unless a body is given."""
    hint = Hint(f"event-{number}/upsert", KEY, Why.UPSERT, Source.WEBHOOK, NOW, frozenset({"lastname"}))
    return DeadLetter(
        queue=queue,
        place=place,
        lane=lane,
        sequence_number=number,
        message_id=hint.message_id,
        body=encode(hint) if body is None else body,
        reason=reason,
        description="",
        enqueued_at=NOW + timedelta(minutes=number),
        delivery_count=10,
        properties=properties or {},
    )
