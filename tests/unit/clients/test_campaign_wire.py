"""Profiles and privacy requests: bytes out, bytes in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.calls import Request, Response
from shared.clients.campaign import wire
from shared.clients.campaign.config import CampaignConfig
from shared.domain.contact import OLDEST, Flag
from shared.domain.ledger import Progress
from shared.domain.mapping import Privacy
from shared.errors import Halt, Reason, Retry

CONFIG = CampaignConfig(
    url="https://mc.example.test/acme/campaign",
    token_url="https://ims.example.test/ims/token/v3",
    client_id="api-key",
    client_secret="s3cret",
    scopes="openid,campaign_sdk",
    organization_id="A1@AdobeOrg",
    events_url="https://events.example.test/journal",
)
ID = "1b2c3d4e-0000-4000-8000-000000000001"


def answer(status: int, document: object = None) -> Response:
    return Response(status, {}, b"" if document is None else json.dumps(document).encode())


def sent(request: Request) -> Any:
    return json.loads(request.body or b"")


def test_every_call_names_the_api_key_and_defeats_caches():
    request = wire.profile_request(CONFIG, ID)
    assert request.headers == {"X-Api-Key": "api-key", "Content-Type": "application/json", "Cache-Control": "no-cache"}


def test_a_profile_is_addressed_by_its_custom_key():
    request = wire.profile_request(CONFIG, ID)
    assert (request.method, request.url) == ("GET", f"{CONFIG.url}/profileAndServicesExt/profile/{ID}")
    assert request.repeatable


def test_a_handle_is_percent_encoded():
    request = wire.update_request(CONFIG, "@a/b+c=", {"firstName": "Ann"})
    assert request.url == f"{CONFIG.url}/profileAndServicesExt/profile/%40a%2Fb%2Bc%3D"


def test_an_update_nests_dotted_names_and_empties_with_an_empty_text():
    request = wire.update_request(
        CONFIG, ID, {"location.city": "Zoé", "location.zipCode": None, "age": 3, "vip": False}
    )
    assert sent(request) == {"location": {"city": "Zoé", "zipCode": ""}, "age": 3, "vip": False}
    assert not request.repeatable


def test_a_new_profile_always_carries_its_key_and_only_true_opt_outs():
    fields = {"firstName": "Ann", "birthDate": None, "externalId": "someone else"}
    request = wire.create_request(CONFIG, ID, fields, frozenset({"blackListFax", "blackListEmail"}))
    assert (request.method, request.url) == ("POST", f"{CONFIG.url}/profileAndServicesExt/profile")
    assert sent(request) == {
        "firstName": "Ann",
        "blackListEmail": True,
        "blackListFax": True,
        "externalId": ID,
    }
    assert not request.repeatable


def test_an_opt_out_sends_nothing_else():
    request = wire.flags_request(CONFIG, "@p", {"ccpaOptOut": True, "blackList": False})
    assert (request.method, sent(request)) == ("PATCH", {"ccpaOptOut": True, "blackList": False})


@pytest.mark.parametrize("fields", [{"location": "x", "location.city": "y"}, {"location.city": "y", "location": "x"}])
def test_a_field_cannot_be_a_value_and_an_object(fields):
    with pytest.raises(ValueError, match="location"):
        wire.nested(fields)


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)


@given(st.dictionaries(NAMES, st.one_of(st.none(), st.integers(), st.text(min_size=1)), max_size=4))
def test_what_is_nested_on_the_way_out_is_flat_again_on_the_way_in(fields):
    if any(other.startswith(f"{name}.") for name in fields for other in fields):
        with pytest.raises(ValueError, match="mapped as a value and as an object"):
            wire.nested(fields)
        return
    document = {"PKey": "@p", "externalId": ID, "fields": wire.nested(fields)}
    profile = wire.read_profile(answer(200, document), ID)
    assert profile is not None
    read = {name.removeprefix("fields."): value for name, value in profile.fields.items() if name.startswith("fields.")}
    assert read == fields


def full_profile(**more: object) -> dict[str, object]:
    return {
        "PKey": "@p1",
        "externalId": ID.upper(),
        "firstName": "Ann",
        "lastName": "",
        "age": 41,
        "cusScore": 1.5,
        "location": {"city": "Berlin", "address2": ""},
        "subscriptions": {"href": "https://mc.example.test/x"},
        "tags": ["a"],
        "blackListEmail": True,
        "blackListEmailLastModified": "2018-05-17 08:44:49.366Z",
        "blackListFax": False,
        "blackListFaxLastModified": "",
        "ccpaOptOut": False,
        **more,
    }


def test_a_profile_is_read_flat_with_an_empty_text_as_nothing():
    profile = wire.read_profile(answer(200, full_profile()), ID)
    assert profile is not None
    assert profile.handle == "@p1"
    expected = {"firstName": "Ann", "lastName": None, "age": 41, "cusScore": 1.5, "location.city": "Berlin"}
    assert expected.items() <= profile.fields.items()
    assert profile.fields["location.address2"] is None
    assert "tags" not in profile.fields


def test_opt_outs_carry_the_time_of_their_own_last_change():
    profile = wire.read_profile(answer(200, full_profile()), ID)
    assert profile is not None
    assert profile.opted_out == {
        "blackListEmail": Flag(True, datetime(2018, 5, 17, 8, 44, 49, 366000, UTC)),
        "blackListFax": Flag(False, OLDEST),
        "ccpaOptOut": Flag(False, OLDEST),
    }


@pytest.mark.parametrize(
    "broken",
    [
        {"PKey": ""},
        {"PKey": None},
        {"blackListEmail": "yes"},
        {"blackListEmailLastModified": "yesterday"},
        {"blackListEmailLastModified": "2018-05-17 08:44:49.366"},
    ],
)
def test_a_profile_that_cannot_be_read_is_no_profile_and_no_wrong_one(broken):
    with pytest.raises(Retry) as caught:
        wire.read_profile(answer(200, full_profile(**broken)), ID)
    assert caught.value.reason is Reason.CAMPAIGN_UNREACHABLE
    assert "yesterday" not in str(caught.value)


@pytest.mark.parametrize("other", ["", "5e5e5e5e-0000-4000-8000-000000000009"])
def test_a_profile_with_another_key_is_never_taken_for_the_contacts(other):
    with pytest.raises(Halt) as caught:
        wire.read_profile(answer(200, full_profile(externalId=other)), ID)
    assert caught.value.reason is Reason.CAMPAIGN_MISCONFIGURED


PRIVACY = Privacy(regulation="gdpr", namespace_name="d365ExternalId")


def test_a_privacy_request_names_ids_only():
    request = wire.privacy_request(CONFIG, ID, "D365-1", PRIVACY)
    assert (request.method, request.url) == ("POST", f"{CONFIG.url}/privacy/privacyTool")
    assert sent(request) == {
        "name": "D365-1",
        "namespaceName": "d365ExternalId",
        "reconciliationValue": ID,
        "regulation": "gdpr",
        "label": f"Delete contact {ID}",
        "type": "delete",
    }
    assert set(sent(request)) == set(wire.PRIVACY_FIELDS)
    assert not request.repeatable


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        ("new", Progress.RUNNING),
        ("processing", Progress.RUNNING),
        ("deletePending", Progress.RUNNING),
        ("somethingNew", Progress.RUNNING),
        (None, Progress.RUNNING),
        ("complete", Progress.ENDED),
        ("errorDataNotFound", Progress.ENDED),
    ],
)
def test_only_the_known_ends_end_a_privacy_request(status, progress):
    page = wire.read_privacy_page(answer(200, {"content": [{"name": "D365-1", "status": status}]}), CONFIG)
    assert (page.progress, page.next_url) == ({"D365-1": progress}, None)


def test_the_list_is_forced_to_paginate_and_its_next_page_is_followed_as_it_is():
    assert wire.privacy_list_request(CONFIG).url.endswith("?_lineCount=200&_forcePagination=true")
    url = f"{CONFIG.url}/privacy/privacyTool?_lineStart=@x%2Fy"
    page = wire.read_privacy_page(answer(200, {"content": [], "next": {"href": url}}), CONFIG)
    assert page.next_url == url
    assert wire.privacy_list_request(CONFIG, page.next_url).url == url


@pytest.mark.parametrize("href", ["https://evil.example.test/x", "http://mc.example.test/acme", ""])
def test_the_token_is_not_carried_to_another_host(href):
    with pytest.raises(Halt):
        wire.read_privacy_page(answer(200, {"content": [], "next": {"href": href}}), CONFIG)


@pytest.mark.parametrize("document", [{}, {"content": None}, {"content": ["x"]}])
def test_a_list_without_items_is_not_an_empty_list(document):
    with pytest.raises(Retry):
        wire.read_privacy_page(answer(200, document), CONFIG)


@pytest.mark.parametrize("status", [200, 201])
def test_a_created_profile_and_an_accepted_privacy_request(status):
    assert wire.read_created(answer(status, {}), ()) is True
    wire.read_privacy_requested(answer(status, {}))


@pytest.mark.parametrize("status", [200, 204])
def test_an_updated_profile(status):
    assert wire.read_updated(answer(status), ()) is True


def test_a_profile_is_deleted_by_its_own_key():
    request = wire.delete_request(CONFIG, "@a/b=")
    assert (request.method, request.body) == ("DELETE", None)
    assert request.url == f"{CONFIG.url}/profileAndServicesExt/profile/%40a%2Fb%3D"
