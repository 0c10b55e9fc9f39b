"""Adobe's token service (IMS) on the wire: OAuth server-to-server, client credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from shared.clients.calls import Request, Response
from shared.clients.campaign.config import REASONS, SYSTEM, CampaignConfig
from shared.clients.outcomes import busy, is_unclear, json_object
from shared.errors import Halt, Reason, Retry

_EARLY = timedelta(minutes=10)
_EARLY_SHARE = 0.1
_ERROR = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True)
class Token:
    """`renew_at`: ten minutes before its end, or a tenth of its life before, whichever is the shorter."""

    text: str = field(repr=False)
    renew_at: datetime


def token_request(config: CampaignConfig) -> Request:
    """The secret travels in the form."""
    form = {
        "grant_type": "client_credentials",
        "client_id": config.client_id,
        "client_secret": config.client_secret,
        "scope": config.scopes,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return Request(SYSTEM, "token", "POST", config.token_url, headers, urlencode(form).encode(), repeatable=True)


def read_token(response: Response, now: datetime) -> Token:
    """`expires_in` is in seconds. Raises Retry, Halt."""
    if response.status == 200:
        return _granted(json_object(response, REASONS), now)
    if wait := busy(response, REASONS, now):
        raise wait
    if is_unclear(response.status):
        raise Retry(REASONS.unreachable, f"token service: status {response.status}")
    if response.status in (400, 401, 403):
        raise Halt(REASONS.credentials, f"token service: status {response.status} {_error(response)}".rstrip())
    raise Halt(Reason.CAMPAIGN_MISCONFIGURED, f"token service: status {response.status}; check CAMPAIGN_TOKEN_URL")


def _granted(document: Mapping[str, object], now: datetime) -> Token:
    text, seconds = document.get("access_token"), document.get("expires_in")
    if not isinstance(text, str) or not text or isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise Retry(REASONS.unreachable, "token service: the answer is not readable")
    life = timedelta(seconds=seconds)
    return Token(text, now + life - min(_EARLY, life * _EARLY_SHARE))


def _error(response: Response) -> str:
    """OAuth's error word; never its description."""
    document = response.json()
    word = document.get("error") if isinstance(document, dict) else None
    return word if isinstance(word, str) and _ERROR.fullmatch(word) else ""
