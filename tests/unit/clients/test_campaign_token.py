"""Adobe's token service: form out, token in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from shared.clients.calls import Response
from shared.clients.campaign.wire_token import read_token, token_request
from shared.errors import Halt, Reason, Retry
from tests.unit.clients.test_campaign_wire import CONFIG

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def answer(status: int, document: object, **headers: str) -> Response:
    return Response(status, headers, json.dumps(document).encode())


def test_the_form_asks_for_client_credentials():
    request = token_request(CONFIG)
    assert (request.method, request.url) == ("POST", CONFIG.token_url)
    assert parse_qs((request.body or b"").decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["api-key"],
        "client_secret": ["s3cret"],
        "scope": ["openid,campaign_sdk"],
    }


@pytest.mark.parametrize(("life_s", "renewed_after_s"), [(86_399, 85_799), (6_000, 5_400), (100, 90), (0, 0)])
def test_a_token_is_renewed_ten_minutes_or_a_tenth_of_its_life_early(life_s, renewed_after_s):
    token = read_token(answer(200, {"access_token": "t0ken", "expires_in": life_s}), NOW)
    assert token.renew_at == NOW + timedelta(seconds=renewed_after_s)
    assert "t0ken" not in repr(token)


@pytest.mark.parametrize(
    ("response", "kind", "reason"),
    [
        (answer(401, {"error": "invalid_client", "error_description": "s3cret"}), Halt, Reason.CAMPAIGN_CREDENTIALS),
        (answer(400, {"error": "invalid_scope"}), Halt, Reason.CAMPAIGN_CREDENTIALS),
        (answer(400, {"error": "Secret Words s3cret"}), Halt, Reason.CAMPAIGN_CREDENTIALS),
        (answer(404, {}), Halt, Reason.CAMPAIGN_MISCONFIGURED),
        (answer(429, {}, **{"retry-after": "5"}), Retry, Reason.CAMPAIGN_BUSY),
        (answer(500, {}), Retry, Reason.CAMPAIGN_UNREACHABLE),
        (answer(200, {"access_token": "t"}), Retry, Reason.CAMPAIGN_UNREACHABLE),
        (answer(200, {"access_token": "", "expires_in": 9}), Retry, Reason.CAMPAIGN_UNREACHABLE),
        (answer(200, []), Retry, Reason.CAMPAIGN_UNREACHABLE),
    ],
)
def test_refusals(response, kind, reason):
    with pytest.raises(kind) as caught:
        read_token(response, NOW)
    assert caught.value.reason is reason
    assert "s3cret" not in str(caught.value)


def test_the_error_word_is_kept():
    with pytest.raises(Halt, match="invalid_client"):
        read_token(answer(401, {"error": "invalid_client"}), NOW)
