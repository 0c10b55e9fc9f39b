"""Adobe's npm client, unmodified, finds in the stand-in what it expects of Campaign."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sandbox.campaign import EXAMPLE_RESOURCES
from tests.contract.campaign.conftest import KEY, Client, Opener

FOLDER = Path(__file__).parent / "client"
PACKAGE = "node_modules/@adobe/aio-lib-campaign-standard"  # here, or in a folder above, as Node looks for it
INSTALLED = shutil.which("node") and any((folder / PACKAGE).is_dir() for folder in (FOLDER, *FOLDER.parents))

pytestmark = pytest.mark.skipif(not INSTALLED, reason="Adobe's client is not installed: run `npm ci`")


async def _play(client: Client) -> dict[str, Any]:
    token = client.headers["Authorization"].removeprefix("Bearer ")
    process = await asyncio.create_subprocess_exec(
        "node", "play.mjs", client.campaign.url, "acme", KEY, token, cwd=FOLDER,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    results: dict[str, Any] = json.loads(output)
    return results


async def test_adobes_own_client_is_served(open_campaign: Opener) -> None:
    client = await open_campaign(custom_resources=EXAMPLE_RESOURCES)
    await client.create(externalId="ext-1", email="one@example.com")
    await client.call("POST", "customResources/cusDealer", {"externalId": "d-1"})
    await client.create(email="two@example.com")
    played = await _play(client)

    assert played["createProfile"]["status"] == 201
    pkey = played["createProfile"]["body"]["PKey"]
    assert played["getProfile"]["body"]["lastName"] == "Lovelace"
    assert played["updateProfile"] | {"body": sorted(played["updateProfile"]["body"])} == {
        "ok": True, "status": 200, "body": ["PKey", "href"],
    }  # fmt: skip
    assert played["getProfileAfterUpdate"]["body"]["firstName"] == "Augusta"
    assert len(played["getAllProfiles"]["body"]["content"]) == 3
    assert [one["PKey"] for one in played["getAllProfilesByText"]["body"]["content"]] == [pkey]
    assert [one["email"] for one in played["getAllProfilesByCustomFilter"]["body"]["content"]] == ["one@example.com"]
    page = played["getAllProfilesTwoByEmail"]["body"]
    assert [one["email"] for one in page["content"]] == ["ada@example.com", "one@example.com"]
    assert "_lineStart=@" in page["next"]["href"]
    assert played["getAllServices"]["body"]["content"][0]["name"] == "SVC1"
    assert played["getHistoryOfProfile"]["body"]["events"]["metadata"] == "subHisto"
    assert played["getMetadataForResource"]["body"]["content"]["email"]["dataPolicy"] == "email"
    assert "cusTier" in played["getCustomResources"]["body"]["profile"]["content"]
    assert played["createGDPRRequest"]["body"]["status"] == "new"
    assert [one["name"] for one in played["getGDPRRequest"]["body"]["content"]] == ["REQ-1"]
    _check_custom_resources({name: result.get("body") for name, result in played.items()})
    counted = await client.control("GET", "counters")
    assert counted["hidden"]["writes"] == {"cusVehicle DELETE": 1, "cusVehicle PATCH": 1}


def _check_custom_resources(bodies: dict[str, Any]) -> None:
    created = bodies["createCustomResource"]
    assert (created["externalId"], created["color"], created["profile"]["PKey"][0]) == ("v-1", "unknown", "@")
    assert bodies["getCustomResource"] == created
    for name in ("getAllProfileAndServicesExt", "getAllProfileAndServicesExtByFilter"):
        assert bodies[name]["content"] == [created]
    assert [one["externalId"] for one in bodies["getAllBasicCustomResources"]["content"]] == ["d-1"]
    assert bodies["updateCustomResource"] == {"PKey": created["PKey"], "href": created["href"]}
    assert [one["color"] for one in bodies["getAllAfterUpdate"]["content"]] == ["red"]
    assert bodies["createHiddenChild"]["externalId"] == "v-2"
    assert [one["externalId"] for one in bodies["getAllWithHiddenChild"]["content"]] == ["v-1"]
    assert bodies["deleteCustomResource"] == {}
    assert bodies["getCustomResources"]["cusVehicle"]["content"]["profile"]["resTarget"] == "profile"


_cache: dict[str, Any] = {}


@pytest.fixture
async def played(open_campaign: Opener) -> dict[str, Any]:
    """One run of the client serves every error case.

    Errors come as JSON strings here: Adobe's client reads text/plain as YAML and loses a text with two colons.
    """
    if not _cache:
        client = await open_campaign(json_string_errors=True, custom_resources=EXAMPLE_RESOURCES)
        await client.create(externalId="ext-1", email="one@example.com")
        _cache.update(await _play(client))
    return _cache


@pytest.mark.parametrize(
    ("operation", "status", "part"),
    [
        ("createProfileWithBadEnum", 500, "nms:recipient:gender"),
        ("getProfileGarbageKey", 500, "XTK-170036"),
        ("getProfileUnknownKey", 404, "RST-360011"),
        ("createGDPRRequestWithoutRegulation", 500, "regulation"),
        ("createGDPRRequestAgain", 500, "PGS-220000"),
        ("createCustomResourceAgain", 500, "PGS-220000"),
        ("updateCustomResourceWithText", 500, "'@gibberish' is not a valid constant"),
        ("updateCustomResourceGarbageKey", 500, "XTK-170036"),
        ("updateHiddenChild", 404, "path 'Vehicle' from key"),
        ("deleteHiddenChild", 404, "path 'Vehicle' from key"),
        ("deleteCustomResourceAgain", 404, "path 'Vehicle' from key"),
        ("getAllOfUnknownResource", 404, "rc=-2003"),
        ("createOfUnknownResource", 404, "rc=-2003"),
        ("getWorkflow", 501, "does not offer workflow control"),
        ("badToken", 401, "401013"),
        ("badApiKey", 403, "Api Key is invalid"),
        ("unknownTenantCold", 400, "Oops"),
        ("unknownTenantWarm", 500, "Oops"),
    ],
)
async def test_adobes_own_client_reports_errors(played: dict[str, Any], operation: str, status: int, part: str) -> None:
    assert played[operation]["ok"] is False
    assert f"{status} - " in played[operation]["message"]
    assert part in played[operation]["message"]
