"""Custom resources on the wire: a filter finds the record, its handle writes it, and nothing is guessed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.clients.calls import Response
from shared.clients.campaign import wire_resources
from shared.clients.campaign.config import CampaignConfig
from shared.domain.contact import Profile
from shared.domain.mapping import Resource
from shared.errors import Halt, Reason, Retry

CONFIG = CampaignConfig(
    "https://mc.adobe.io/acme/campaign", "https://ims.test", "key", "secret", "openid", "ORG", "https://events.test"
)
LINKED = Resource("cusVehicle", "byExternalId", "externalId_parameter")
UNLINKED = Resource("cusDealer", "byExternalId", "externalId_parameter", linked=False)
BASE = "https://mc.adobe.io/acme/campaign"
ID = "1b2c3d4e-0000-4000-8000-000000000001"


def page(*records: dict[str, Any]) -> Response:
    return Response(200, {}, json.dumps({"content": list(records)}).encode())


def looked_up(*records: dict[str, Any]) -> Profile | None:
    return wire_resources.read_looked_up(page(*records), LINKED, "externalId", ID)


def test_a_resource_lives_beside_the_profiles_or_apart_from_them() -> None:
    linked = wire_resources.look_up_request(CONFIG, LINKED, ID)
    assert linked.url == f"{BASE}/profileAndServicesExt/cusVehicle/byExternalId?externalId_parameter={ID}"
    assert (linked.method, linked.kind, linked.repeatable) == ("GET", "cusVehicle", True)
    assert linked.headers["X-Api-Key"] == "key"
    unlinked = wire_resources.create_request(CONFIG, UNLINKED, {})
    assert (unlinked.method, unlinked.url, unlinked.repeatable) == ("POST", f"{BASE}/customResources/cusDealer", False)


@pytest.mark.parametrize("key", ["a&b=c", "50 % off/now", "Ünïcode", "@handle"])
def test_any_key_is_one_parameter_of_the_address(key: str) -> None:
    parts = urlsplit(wire_resources.look_up_request(CONFIG, LINKED, key).url)
    assert parts.path.endswith("/byExternalId")
    assert parse_qs(parts.query) == {"externalId_parameter": [key]}


def test_a_new_record_carries_no_empty_fields_and_an_update_empties_them() -> None:
    fields = {"VIN": "V1", "color": None, "place.city": "Berlin"}
    created = wire_resources.create_request(CONFIG, LINKED, fields)
    assert json.loads(created.body or b"") == {"VIN": "V1", "place": {"city": "Berlin"}}
    updated = wire_resources.update_request(CONFIG, LINKED, "@a/b", fields)
    assert json.loads(updated.body or b"") == {"VIN": "V1", "color": "", "place": {"city": "Berlin"}}
    assert (updated.method, updated.url) == ("PATCH", f"{BASE}/profileAndServicesExt/cusVehicle/%40a%2Fb")
    deleted = wire_resources.delete_request(CONFIG, LINKED, "@a")
    assert (deleted.method, deleted.body) == ("DELETE", None)
    assert not updated.repeatable
    assert not deleted.repeatable


def test_the_record_with_the_key_is_found_among_others() -> None:
    wanted = {"externalId": ID, "PKey": "@1", "VIN": "V1", "color": "", "place": {"city": "Berlin"}, "visits": []}
    found = looked_up({"externalId": "another", "PKey": "@2"}, wanted)
    assert found is not None
    assert (found.handle, found.opted_out) == ("@1", {})
    assert (found.fields["VIN"], found.fields["color"], found.fields["place.city"]) == ("V1", None, "Berlin")
    assert "visits" not in found.fields
    assert looked_up() is None


@pytest.mark.parametrize("record", [{"externalId": "another", "PKey": "@2"}, {"PKey": "@2"}])
def test_a_filter_that_shows_other_records_looks_for_something_else(record: dict[str, Any]) -> None:
    with pytest.raises(Halt, match="byExternalId of cusVehicle does not look for externalId") as caught:
        looked_up(record)
    assert caught.value.reason is Reason.CAMPAIGN_MISCONFIGURED


@pytest.mark.parametrize("handle", [None, "", 7])
def test_a_record_without_a_handle_could_not_be_written(handle: object) -> None:
    with pytest.raises(Retry, match="has no PKey"):
        looked_up({"externalId": ID, "PKey": handle})


def test_a_sample_is_one_record_of_the_list() -> None:
    request = wire_resources.sample_request(CONFIG, UNLINKED)
    assert request.url == f"{BASE}/customResources/cusDealer?_lineCount=1"
    assert (request.method, request.repeatable) == ("GET", True)
    assert wire_resources.read_sample(page()) is None
    sample = wire_resources.read_sample(page({"externalId": ID, "PKey": "@1"}))
    assert sample is not None
    assert sample.fields["externalId"] == ID
