"""Profiles: verbs, fields, keys, opt-out times and the error texts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.campaign.conftest import Client, Opener, StoppedClock

EXT, PLAIN = "profileAndServicesExt/profile", "profileAndServices/profile"
NOW = "2026-03-02 08:10:00.123Z"


async def test_create_answers_201_with_the_full_record(client: Client) -> None:
    record = await client.create(
        externalId="c-1", email="Ada@Example.com", birthDate="1980-10-24", location={"city": "London"}
    )
    assert record["PKey"].startswith("@")
    assert record["href"] == f"{client.root}/{EXT}/{record['PKey']}"
    assert record["created"] == record["lastModified"] == NOW
    assert record["age"] == 45
    assert record["domain"] == "Example.com"
    assert record["location"]["city"] == "London"
    assert record["location"]["zipCode"] == ""
    assert record["gender"] == "unknown"
    assert record["blackListEmail"] is False
    assert record["subscriptions"]["href"] == f"{record['href']}/subscriptions/"


@pytest.mark.parametrize("path", [PLAIN, f"{PLAIN}/", f"{PLAIN}.json"])
async def test_suffix_and_slash_mean_nothing(client: Client, path: str) -> None:
    assert (await client.call("POST", path, {"email": "a@example.com"})).status == 201
    assert len((await client.call("GET", path)).body["content"]) == 1


async def test_a_body_may_call_itself_text(client: Client) -> None:
    headers = client.headers | {"Content-Type": "text/plain;charset=UTF-8"}
    text = json.dumps({"firstName": "Zoë"}, ensure_ascii=False).encode()
    async with client.session.post(f"{client.root}/{PLAIN}", data=text, headers=headers) as response:
        assert response.status == 201
        assert (await response.json())["firstName"] == "Zoë"


async def test_patch_answers_the_key_only_and_merges_objects(client: Client, clock: StoppedClock) -> None:
    record = await client.create(externalId="c-1", location={"city": "London", "zipCode": "N1"})
    clock.advance(seconds=5)
    answer = await client.call("PATCH", f"{PLAIN}/{record['PKey']}", {"location": {"city": "Paris"}})
    assert answer.status == 200
    assert answer.body == {"PKey": record["PKey"], "href": f"{client.root}/{PLAIN}/{record['PKey']}"}
    (stored,) = await client.stored("c-1")
    assert (stored["location"]["city"], stored["location"]["zipCode"]) == ("Paris", "N1")
    assert stored["lastModified"] == "2026-03-02 08:10:05.123Z"
    assert stored["created"] == NOW


async def test_the_custom_key_works_at_the_ext_endpoint_only(client: Client) -> None:
    record = await client.create(externalId="c-1")
    assert (await client.call("GET", f"{EXT}/c-1")).body["PKey"] == record["PKey"]
    assert (await client.call("GET", f"{PLAIN}/c-1")).status == 404
    assert (await client.call("PATCH", f"{EXT}/c-1", {"fax": "1"})).status == 200
    assert (await client.call("DELETE", f"{EXT}/c-1", {})).status == 200
    assert (await client.call("GET", f"{EXT}/c-1")).status == 404


async def test_without_a_custom_key_ids_repeat_and_do_not_work_in_paths(open_campaign: Opener) -> None:
    client = await open_campaign(custom_key=None)
    first, second = [await client.create(externalId="same") for _ in range(2)]
    assert first["PKey"] != second["PKey"]
    assert (await client.call("GET", f"{EXT}/same")).status == 404
    found = await client.call("GET", f"{EXT}/byExternalId?externalId_parameter=same")
    assert len(found.body["content"]) == 2


async def test_a_recreated_profile_has_a_new_pkey(client: Client) -> None:
    first = await client.create(externalId="c-1")
    assert (await client.call("DELETE", f"{PLAIN}/{first['PKey']}")).status == 200
    second = await client.create(externalId="c-1")
    assert first["PKey"] != second["PKey"]
    stale = await client.call("PATCH", f"{PLAIN}/{first['PKey']}", {"fax": "1"})
    assert stale.status == 404
    assert "Unable to find document with path 'Profile' from key" in stale.body


async def test_smart_case_changes_what_was_sent(client: Client) -> None:
    record = await client.create(externalId="c-1", lastName="mac donald-o'neil")
    assert record["lastName"] == "Mac Donald-O'Neil"


async def test_extension_fields_live_at_the_ext_endpoint_only(client: Client) -> None:
    record = await client.create(
        externalId="c-1", cusTier="gold", cusScore=7, cusRatio=0.5, cusSeen="2026-01-02T03:04:05+01:00"
    )
    assert (record["cusTier"], record["cusScore"], record["cusRatio"]) == ("gold", 7, 0.5)
    assert record["cusSeen"] == "2026-01-02 02:04:05.000Z"
    assert "cusTier" not in (await client.call("GET", f"{PLAIN}/{record['PKey']}")).body
    refused = await client.call("PATCH", f"{PLAIN}/{record['PKey']}", {"cusTier": "none"})
    assert (refused.status, "'cusTier' property is not valid for the 'profile' resource" in refused.body) == (500, True)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"age": 3}, "Cannot update the 'age' property that is read-only"),
        ({"blackListEmailLastModified": NOW}, "read-only"),
        ({"shoeSize": 3}, "'shoeSize' property is not valid for the 'profile' resource"),
        ({"location": {"street": "x"}}, "'location.street' property is not valid"),
        ({"gender": "invalid"}, "The value 'invalid' is not valid for the 'nms:recipient:gender' enumeration"),
        ({"gender": 1}, "enumeration of the '@gender' field"),
        ({"email": "not an address"}, "XTK-170049"),
        ({"firstName": "x" * 31}, "@firstName' field exceeds its length (30 characters)"),
        ({"salutation": "x" * 21}, "20 characters"),
        ({"lastName": "x" * 51}, "50 characters"),
        ({"email": "x" * 120 + "@example.com"}, "128 characters"),
        ({"blackListEmail": "maybe"}, "not a valid boolean"),
        ({"blackListEmail": 1}, "not a valid boolean"),
        ({"birthDate": "24/10/1980"}, "not a valid date"),
        ({"cusScore": "7"}, "not a valid integer"),
        ({"location": "London"}, "not a valid object"),
        ([], "not a valid JSON object"),
    ],
)
async def test_data_errors_are_500_with_a_text(client: Client, document: Any, text: str) -> None:
    answer = await client.call("POST", EXT, document)
    assert answer.status == 500
    assert answer.body.startswith("RST-360011")
    assert text in answer.body
    assert await client.control("GET", "profiles") == []


async def test_a_rejected_patch_changes_nothing(client: Client) -> None:
    await client.create(externalId="c-1", firstName="Ada")
    answer = await client.call("PATCH", f"{EXT}/c-1", {"firstName": "Bea", "gender": "invalid"})
    assert answer.status == 500
    assert (await client.stored("c-1"))[0]["firstName"] == "Ada"


async def test_errors_may_come_as_json_strings(open_campaign: Opener) -> None:
    client = await open_campaign(json_string_errors=True)
    answer = await client.call("GET", f"{EXT}/nobody")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert isinstance(answer.body, str)


async def test_key_errors(client: Client) -> None:
    one, two = [await client.create(externalId=name) for name in ("c-1", "c-2")]
    duplicate = await client.call("POST", EXT, {"externalId": "c-1"})
    assert (duplicate.status, "PGS-220000" in duplicate.body, "already exists" in duplicate.body) == (500, True, True)
    for body in ({"PKey": two["PKey"]}, {"externalId": "c-3"}):
        conflict = await client.call("PATCH", f"{EXT}/c-1", body)
        assert (conflict.status, "RST-360012" in conflict.body) == (500, True)
    garbage = await client.call("GET", f"{PLAIN}/@{one['PKey'][3:]}")
    assert (garbage.status, "XTK-170036" in garbage.body) == (500, True)
    assert (await client.call("PATCH", f"{EXT}/c-1", {"PKey": "@gibberish"})).status == 500
    assert (await client.call("PATCH", f"{EXT}/c-1", {"PKey": one["PKey"], "fax": "1"})).status == 200


async def test_an_existing_profile_can_be_adopted_by_giving_it_a_key(client: Client) -> None:
    record = await client.create(email="a@example.com")
    assert (await client.call("PATCH", f"{PLAIN}/{record['PKey']}", {"externalId": "c-1"})).status == 200
    assert (await client.call("GET", f"{EXT}/c-1")).body["PKey"] == record["PKey"]
    other = await client.create(email="b@example.com")
    taken = await client.call("PATCH", f"{PLAIN}/{other['PKey']}", {"externalId": "c-1"})
    assert (taken.status, "PGS-220000" in taken.body) == (500, True)


async def test_links_are_ignored_and_null_empties(client: Client) -> None:
    await client.create(externalId="c-1", fax="1", country={"PKey": "@x"})
    assert (await client.call("PATCH", f"{EXT}/c-1", {"fax": None})).status == 200
    assert (await client.stored("c-1"))[0]["fax"] == ""


@pytest.mark.parametrize("flag", ["blackListEmail", "blackListPushnotification", "ccpaOptOut"])
@pytest.mark.parametrize("value", [True, False])
async def test_a_post_that_carries_a_flag_stamps_it(client: Client, flag: str, value: bool) -> None:
    record = await client.create(externalId="c-1", **{flag: value})
    assert (record[flag], record[f"{flag}LastModified"]) == (value, NOW)
    assert record["blackListFaxLastModified"] == ""


async def test_a_patch_stamps_a_flag_only_if_it_changes(client: Client, clock: StoppedClock) -> None:
    await client.create(externalId="c-1", blackListEmail=True)
    clock.advance(minutes=1)
    await client.call("PATCH", f"{EXT}/c-1", {"blackListEmail": True, "blackListMobile": False})
    (stored,) = await client.stored("c-1")
    assert (stored["blackListEmailLastModified"], stored["blackListMobileLastModified"]) == (NOW, "")
    await client.call("PATCH", f"{EXT}/c-1", {"blackListEmail": False})
    assert (await client.stored("c-1"))[0]["blackListEmailLastModified"] == "2026-03-02 08:11:00.123Z"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", EXT),
        ("POST", f"{EXT}/c-1"),
        ("GET", f"{EXT}/c-1/subscriptions"),
        ("GET", f"{EXT}/birthday"),
        ("POST", "workflow/execution/WKF1/commands"),
        ("POST", "mcacme/EVTcart"),
        ("POST", "profileAndServices/service"),
    ],
)
async def test_what_is_out_of_scope_says_so(client: Client, method: str, path: str) -> None:
    answer = await client.call(method, path, {})
    assert answer.status == 501
    assert "does not offer" in answer.body


async def test_a_bad_uri_is_oops(client: Client) -> None:
    for path in ("profileAndServices/nothing", "elsewhere/profile"):
        answer = await client.call("GET", path)
        assert (answer.status, answer.body[:4]) == (500, "Oops")
