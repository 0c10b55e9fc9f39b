"""A profile as the API shows it: stored fields, computed ones, and links to the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sandbox.campaign.fields import Catalogue, Field
from sandbox.campaign.record_api import href
from sandbox.campaign.rows import Record
from sandbox.campaign.times import years_between


def record(profile: Record, catalogue: Catalogue, base: str, api: str, today: datetime) -> dict[str, Any]:
    """Return the full record; the Ext API adds extension fields, the built-in one leaves them out."""
    address = href(base, api, "profile", profile)
    values = {**profile.body, **_computed(profile.body, today.date()), "PKey": profile.pkey, "href": address}
    fields = catalogue.at(api.endswith("Ext"))
    return {name: _shown(field, values.get(name, field.empty), address) for name, field in sorted(fields.items())}


def _shown(field: Field, value: object, address: str) -> object:
    if field.kind == "collection":
        return {"href": f"{address}/{field.name}/"}
    if field.name == "createdBy":
        return {"title": value}
    return value


def _computed(body: Mapping[str, Any], today: date) -> dict[str, Any]:
    name = " ".join(filter(None, (body["firstName"], body["lastName"])))
    email = body["email"]
    return {
        "age": years_between(date.fromisoformat(body["birthDate"]), today) if body["birthDate"] else 0,
        "domain": email.rpartition("@")[2],
        "title": f"{name} ({email})" if email else name,
        "cryptedId": hashlib.blake2b(str(body["created"]).encode() + email.encode(), digest_size=16).hexdigest(),
        "thumbnail": "",
        "postalAddress": _postal(name, body["location"]),
    }


def _postal(name: str, location: Mapping[str, str]) -> dict[str, str]:
    city = " ".join(filter(None, (location["zipCode"], location["city"])))
    lines = [name, *(location[f"address{number}"] for number in range(1, 5)), city]
    shown = {f"line{number}": line for number, line in enumerate(lines, 1)}
    defined = "1" if any(location.values()) else "0"
    serialized = "\n".join(filter(None, lines))
    quality = {"addrErrorCount": "0", "addrLastCheck": "", "addrQuality": "0"}
    return {**shown, "serialized": serialized, "addrDefined": defined, **quality}
