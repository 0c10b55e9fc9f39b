"""A resource's description, read from answers of Campaign's documented shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.clients.calls import Response
from shared.clients.campaign.config import CampaignConfig
from shared.clients.campaign.metadata import (
    extension_request,
    is_extension,
    read_extension,
    read_resource,
    resource_request,
)
from shared.domain.conversion import Target, TargetType
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


@pytest.mark.parametrize("read", [read_resource, lambda response: read_extension(response, "profile")])
def test_refusals_are_named(read):
    with pytest.raises(Halt):
        read(answer({"error_code": "403023"}, 403))


@pytest.mark.parametrize("document", [{}, {"content": []}])
def test_an_answer_of_another_shape_is_tried_again(document):
    with pytest.raises(Retry, match="not readable"):
        read_resource(answer(document))
