"""A resource's description, read from answers of Campaign's documented shape."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from shared.clients.calls import Response
from shared.clients.campaign.config import CampaignConfig
from shared.clients.campaign.metadata import (
    custom_request,
    extension_request,
    filters_url,
    is_extension,
    read_extension,
    read_filters,
    read_resource,
    resource_request,
)
from shared.domain.conversion import Target, TargetType
from shared.domain.mapping import Resource
from shared.domain.metadata import FieldInfo
from shared.errors import Halt, Reason, Retry

CONFIG = CampaignConfig(
    "https://mc.adobe.io/acme/campaign", "https://ims.test", "key", "secret", "openid", "ORG", "https://events.test"
)


def answer(document: Any, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(document).encode())


def field(**described: Any) -> FieldInfo:
    return read_resource(answer({"content": {"one": described}})).fields["one"]


def test_requests_are_reads_with_the_api_key():
    built_in, extended = resource_request(CONFIG, "profile"), extension_request(CONFIG)
    assert built_in.url == "https://mc.adobe.io/acme/campaign/profileAndServices/resourceType/profile"
    assert extended.url == "https://mc.adobe.io/acme/campaign/profileAndServicesExt/"
    assert {(one.method, one.repeatable, one.headers["X-Api-Key"]) for one in (built_in, extended)} == {
        ("GET", True, "key")
    }


@pytest.mark.parametrize(
    ("kind", "technical", "expected"),
    [
        ("string", "string", TargetType.STRING),
        ("number", "long", TargetType.INTEGER),
        ("number", "byte", TargetType.INTEGER),
        ("number", "double", TargetType.FLOAT),
        ("boolean", "boolean", TargetType.BOOLEAN),
        ("date", "date", TargetType.DATE),
        ("datetime", "datetime", TargetType.DATETIME),
        ("enumeration", "byte", TargetType.ENUMERATION),
        ("object", "struct", TargetType.OBJECT),
        ("link", "link", TargetType.OBJECT),
        ("collection", "collection", TargetType.OBJECT),
        ("something new", "", TargetType.STRING),
    ],
)
def test_every_kind_of_field_has_its_type(kind, technical, expected):
    assert field(type=kind, resType=technical).target.type is expected


def test_what_a_mapping_must_know_of_a_field():
    described = {"type": "string", "length": 30, "readOnly": True, "mandatory": True, "dataPolicy": "smartCase"}
    expected = FieldInfo(Target(TargetType.STRING, 30, (), read_only=True), mandatory=True, data_policy="smartCase")
    assert field(**described) == expected
    assert field(type="string", length=0).target.length is None


@pytest.mark.parametrize("values", [{"male": {}, "female": {}}, [{"name": "male"}, {"name": "female"}]])
def test_an_enumeration_has_values_by_name(values):
    assert field(type="enumeration", values=values).target.values == ("male", "female")


def test_the_parts_of_an_object_have_dotted_names():
    city = {"type": "string", "length": 255}
    described = {"content": {"location": {"type": "object", "content": {"city": city}}, "other": {"type": "object"}}}
    fields = read_resource(answer(described)).fields
    assert fields.keys() == {"location", "location.city", "other"}
    assert (fields["location"].parts_known, fields["other"].parts_known) == (True, False)


def test_an_extension_is_found_in_the_index():
    index = {"apiName": "resourceType", "profile": {"content": {"cusHobby": {"type": "string"}}}}
    assert read_extension(answer(index), "profile").fields.keys() == {"cusHobby"}
    assert is_extension("cusHobby")
    assert not is_extension("customer.name"[3:])
    with pytest.raises(Halt) as caught:
        read_extension(answer({"apiName": "resourceType"}), "profile")
    assert caught.value.reason is Reason.CAMPAIGN_MISCONFIGURED


VEHICLE = Resource("cusVehicle", "byExternalId", "externalId_parameter")


def test_a_custom_resource_is_described_where_it_lives():
    base = "https://mc.adobe.io/acme/campaign"
    assert custom_request(CONFIG, VEHICLE).url == f"{base}/profileAndServicesExt/resourceType/cusVehicle"
    unlinked = replace(VEHICLE, linked=False)
    assert custom_request(CONFIG, unlinked).url == f"{base}/customResources/resourceType/cusVehicle"


def test_filters_are_told_with_their_parameters_by_a_sample_address():
    described = {
        "byExternalId": {
            "PKey": "@1",
            "data": "/profileAndServicesExt/cusVehicle/byExternalId?externalId_parameter=$value",
        },
        "byOwnerAndAge": {
            "data": "https://mc.adobe.io/acme/campaign/x/byOwnerAndAge?a_parameter=$value&b_parameter=$value"
        },
        "byNobody": {"data": "/profileAndServicesExt/cusVehicle/byNobody"},
        "unreadable": {"data": 7},
        "note": "no filter",
    }
    assert read_filters(answer(described)) == {
        "byExternalId": frozenset({"externalId_parameter"}),
        "byOwnerAndAge": frozenset({"a_parameter", "b_parameter"}),
        "byNobody": frozenset(),
    }


@pytest.mark.parametrize("response", [answer({}), answer({"byX": {}}, 404), answer({"note": 1})])
def test_filters_that_are_not_told_are_not_judged(response):
    assert read_filters(response) is None


@pytest.mark.parametrize(
    ("filters", "followed"),
    [
        ({"href": f"{CONFIG.url}/profileAndServicesExt/resourceType/@1"}, True),
        ({"href": "https://elsewhere.test/resourceType/@1"}, False),
        ({"href": 7}, False),
        ({}, False),
        (None, False),
    ],
)
def test_the_token_goes_to_no_other_host(filters, followed):
    assert (filters_url(answer({"filters": filters}), CONFIG) is not None) is followed


@pytest.mark.parametrize("read", [read_resource, lambda response: read_extension(response, "profile")])
def test_refusals_are_named(read):
    with pytest.raises(Halt):
        read(answer({"error_code": "403023"}, 403))


@pytest.mark.parametrize("document", [{}, {"content": []}])
def test_an_answer_of_another_shape_is_tried_again(document):
    with pytest.raises(Retry, match="not readable"):
        read_resource(answer(document))
