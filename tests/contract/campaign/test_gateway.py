"""Tokens, API keys and tenants."""

from __future__ import annotations

import aiohttp
import pytest

from sandbox.campaign import ApiClient
from tests.contract.campaign.conftest import KEY, SECRET, Client, Opener, StoppedClock

FORM = {"client_id": KEY, "client_secret": SECRET, "grant_type": "client_credentials", "scope": "openid,AdobeID"}


async def _token(client: Client, **changes: str) -> tuple[int, dict[str, object]]:
    form = aiohttp.FormData({name: value for name, value in (FORM | changes).items() if value})
    async with client.session.post(f"{client.campaign.url}/ims/token/v3", data=form) as response:
        return response.status, await response.json()


async def test_a_token_lasts_for_seconds_not_milliseconds(client: Client) -> None:
    status, body = await _token(client)
    assert (status, body["token_type"], body["expires_in"]) == (200, "bearer", 86399)


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": ""}, 400, "invalid_scope"),
    ],
)
async def test_a_bad_token_request_is_refused(client: Client, changes: dict[str, str], status: int, error: str) -> None:
    answered, body = await _token(client, **changes)
    assert (answered, body["error"]) == (status, error)


async def test_jwt_exchange_is_not_offered(client: Client) -> None:
    answer = await client.call("POST", f"{client.campaign.url}/ims/exchange/jwt")
    assert answer.status == 501


async def test_a_token_expires(client: Client, clock: StoppedClock) -> None:
    assert (await client.call("GET", "profileAndServices/profile")).status == 200
    clock.advance(seconds=86399)
    answer = await client.call("GET", "profileAndServices/profile")
    assert answer.status == 401
    assert answer.body == {"error_code": "401013", "message": "Oauth token is not valid"}


async def test_tokens_can_be_revoked(client: Client) -> None:
    assert await client.control("POST", "tokens/revoke") == {"revoked": 1}
    assert (await client.call("GET", "profileAndServices/profile")).body["error_code"] == "401013"


async def test_a_wrong_or_foreign_api_key_is_403(client: Client) -> None:
    for key in ("wrong", "sandbox-person-key"):
        answer = await client.call("GET", "profileAndServices/profile", headers=client.headers | {"X-Api-Key": key})
        assert (answer.status, answer.body["error_code"]) == (403, "403000")


async def test_an_unprovisioned_account_is_403023(open_campaign: Opener) -> None:
    client = await open_campaign(clients=(ApiClient(KEY, SECRET, "bridge", provisioned=False),))
    answer = await client.call("GET", "profileAndServices/profile")
    assert (answer.status, answer.body["error_code"]) == (403, "403023")


async def test_an_unknown_tenant_is_400_cold_and_500_warm(client: Client) -> None:
    url = f"{client.campaign.url}/nowhere/campaign/profileAndServices/profile"
    answers = [await client.call("GET", url) for _ in range(2)]
    assert [answer.status for answer in answers] == [400, 500]
    assert answers[1].body["message"].startswith("Oops.")


async def test_a_token_survives_a_restart_and_data_too(open_campaign: Opener, tmp_path) -> None:
    first = await open_campaign(state=tmp_path)
    await first.create(externalId="kept")
    second = await open_campaign(state=tmp_path)
    second.headers = first.headers
    answer = await second.call("GET", "profileAndServicesExt/profile/kept")
    assert (answer.status, answer.body["externalId"]) == (200, "kept")
