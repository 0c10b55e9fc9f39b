"""The token endpoint with MSAL and by hand, and what the API answers without a valid token."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import msal  # type: ignore[import-untyped]
import pytest
import requests

from sandbox.dataverse import ADMIN, INTEGRATION, ApplicationUser, Dataverse
from sandbox.tls import Tls, ensure_tls
from tests.contract.dataverse.conftest import Client, Clock


@pytest.fixture(autouse=True)
def trust(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))


def acquire(server: Dataverse, user: ApplicationUser) -> dict[str, Any]:
    """As a daemon does it with MSAL (blocking)."""
    with requests.Session() as http:
        app = msal.ConfidentialClientApplication(
            user.client_id,
            client_credential=user.secret,
            authority=f"{server.url}/{server.org.config.tenant_id}",
            instance_discovery=False,
            http_client=http,
        )
        return dict(app.acquire_token_for_client([f"{server.url}/.default"]))


async def test_msal_gets_a_token_that_the_api_takes(dataverse: Dataverse, session: aiohttp.ClientSession):
    token = await asyncio.to_thread(acquire, dataverse, INTEGRATION)
    assert token["token_type"] == "Bearer"
    assert 3500 < token["expires_in"] <= 3599
    answer = await Client(session, dataverse.url, token["access_token"]).get("WhoAmI")
    assert answer.json["UserId"] == INTEGRATION.user_id


async def test_msal_is_told_of_a_wrong_secret(dataverse: Dataverse):
    token = await asyncio.to_thread(acquire, dataverse, replace(INTEGRATION, secret="wrong"))
    assert token["error"] == "invalid_client"
    assert token["error_codes"] == [7000215]
    assert "wrong" not in token["error_description"]


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_id": "unknown"}, 400, "unauthorized_client"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "https://localhost/x"}, 400, "invalid_scope"),
        ({"scope": "https://other.example/.default"}, 400, "invalid_resource"),
        ({"client_assertion": "x"}, 501, "invalid_request"),
    ],
)
async def test_refusals(
    dataverse: Dataverse, session: aiohttp.ClientSession, change: dict[str, str], status: int, error: str
):
    form = {
        "grant_type": "client_credentials",
        "client_id": ADMIN.client_id,
        "client_secret": ADMIN.secret,
        "scope": f"{dataverse.url}/.default",
    }
    url = f"{dataverse.url}/{dataverse.org.config.tenant_id}/oauth2/v2.0/token"
    async with session.post(url, data=form | change) as response:
        assert (response.status, (await response.json())["error"]) == (status, error)


async def test_no_wrong_and_expired_tokens_are_401(admin: Client, clock: Clock):
    anonymous = await Client(admin.session, admin.url, "").get("WhoAmI")
    assert anonymous.status == 401
    assert anonymous.headers["WWW-Authenticate"].startswith(f"Bearer authorization_uri={admin.url}/")
    assert (await Client(admin.session, admin.url, admin.token[:-3] + "abc").get("WhoAmI")).status == 401
    clock.forward(3598)
    assert (await admin.get("WhoAmI")).status == 200
    clock.forward(1)
    assert (await admin.get("WhoAmI")).status == 401


def test_certificates_are_made_once_and_trusted_only_through_their_authority(tmp_path):
    first = ensure_tls(tmp_path / "tls")
    cert = first.cert.read_bytes()
    assert ensure_tls(tmp_path / "tls") == first
    assert first.cert.read_bytes() == cert
    assert first.key.stat().st_mode & 0o077 == 0


async def test_a_client_that_does_not_know_the_authority_refuses(dataverse: Dataverse):
    async with aiohttp.ClientSession() as stranger:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get(f"{dataverse.url}/_sandbox/")
