"""Dataverse's tokens without a shared secret: by certificate, and by managed identity, over the real libraries."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sandbox.tls import ensure_tls
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.identity import IdentityTokens, tokens_of
from shared.errors import Halt, Outcome, Reason, Retry
from tests.component.clients.scripted_server import ScriptedServer, hang_up, hold, reply

ORGANISATION = "https://org.example.test"


def pem_and_key() -> tuple[str, rsa.RSAPublicKey]:
    """A private key and its certificate in one PEM, as a vault keeps them; the public half."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bridge")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=365))
    certificate = dated.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode(), key.public_key()


@pytest.fixture
async def entra(tmp_path, monkeypatch):
    tls = ensure_tls(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
    async with ScriptedServer(tls=tls.server_context()) as server:
        endpoints = {
            "token_endpoint": f"{server.url}/tenant/oauth2/v2.0/token",
            "authorization_endpoint": f"{server.url}/tenant/authorize",
            "issuer": f"{server.url}/tenant/v2.0",
        }
        server.will(reply(200, endpoints, Content_Type="application/json"))
        yield server


async def test_a_certificate_signs_the_request_for_a_token(entra):
    pem, public = pem_and_key()
    entra.will(reply(200, {"access_token": "t1", "token_type": "Bearer", "expires_in": 3599}))
    config = DynamicsConfig(ORGANISATION, f"{entra.url}/tenant", "client", client_certificate=pem, timeout_s=5)
    tokens = tokens_of(config)
    assert isinstance(tokens, MsalTokens)
    assert await tokens.token() == "t1"
    await tokens.close()
    form = parse_qs(entra.asked[1].body.decode())
    assertion = form["client_assertion"][0]
    claims = jwt.decode(assertion, public, algorithms=["PS256"], audience=f"{entra.url}/tenant/oauth2/v2.0/token")
    assert (claims["iss"], claims["sub"]) == ("client", "client")
    assert "client_secret" not in form
    assert "PRIVATE KEY" not in entra.asked[1].body.decode()


async def test_a_certificate_that_is_none_halts_and_is_not_shown(entra):
    pem = "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n"
    tokens = tokens_of(DynamicsConfig(ORGANISATION, f"{entra.url}/tenant", "client", client_certificate=pem))
    with pytest.raises(Halt) as caught:
        await tokens.token()
    await tokens.close()
    assert caught.value.reason is Reason.DYNAMICS_CREDENTIALS
    assert "DYNAMICS_CLIENT_CERTIFICATE" in caught.value.detail
    assert "canary" not in str(caught.value)


@pytest.fixture
async def platform(monkeypatch):
    """The address inside a function app where a managed identity asks for its tokens."""
    async with ScriptedServer() as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "platform-header")
        yield server


@pytest.fixture
async def identity(platform):
    config = DynamicsConfig(ORGANISATION, "https://login.example.test/tenant", "id-1", managed_identity=True)
    tokens = tokens_of(config)
    assert isinstance(tokens, IdentityTokens)
    yield tokens
    await tokens.close()


def granted(text: str, seconds: int = 86_400):
    expires = int(datetime.now(UTC).timestamp()) + seconds
    return reply(200, {"access_token": text, "expires_on": str(expires), "resource": ORGANISATION})


async def test_the_identity_asks_once_for_many_and_keeps_the_token(identity, platform):
    platform.will(granted("t1"))
    assert await asyncio.gather(*(identity.token() for _ in range(10))) == ["t1"] * 10
    assert await identity.token() == "t1"
    (asked,) = platform.asked
    query = parse_qs(urlsplit(asked.path).query)
    assert (query["resource"], query["client_id"]) == ([ORGANISATION], ["id-1"])
    assert asked.headers["X-IDENTITY-HEADER"] == "platform-header"


async def test_a_refused_token_is_asked_for_anew_once(identity, platform):
    platform.will(granted("t1"), granted("t2"))
    await identity.token()
    assert await asyncio.gather(*(identity.renew("t1") for _ in range(5))) == ["t2"] * 5
    assert await identity.renew("t1") == "t2"
    assert len(platform.asked) == 2


@pytest.mark.parametrize(
    ("act", "kind", "reason"),
    [
        (reply(400, {"statusCode": 400, "message": "no such identity"}), Halt, Reason.DYNAMICS_CREDENTIALS),
        (hang_up, Retry, Reason.DYNAMICS_UNREACHABLE),
        (hold, Retry, Reason.DYNAMICS_UNREACHABLE),
    ],
)
async def test_a_platform_that_gives_no_token(platform, act, kind, reason):
    config = DynamicsConfig(ORGANISATION, "https://login.example.test/t", "id-1", managed_identity=True, timeout_s=1)
    tokens = tokens_of(config)
    platform.always = act
    with pytest.raises(Outcome) as caught:
        await tokens.token()
    await tokens.close()
    assert (type(caught.value), caught.value.reason) == (kind, reason)


async def test_outside_of_azure_there_is_no_identity(monkeypatch):
    """The address inside Azure's machines is asked; nobody answers at a loopback stand-in for it."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    tokens = tokens_of(DynamicsConfig(ORGANISATION, "", "id-1", managed_identity=True, timeout_s=5))
    with pytest.raises(Outcome) as caught:
        await tokens.token()
    await tokens.close()
    assert caught.value.reason in (Reason.DYNAMICS_CREDENTIALS, Reason.DYNAMICS_UNREACHABLE)
