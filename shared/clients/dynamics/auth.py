"""Dataverse's access tokens, through MSAL, which keeps and renews them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msal  # type: ignore[import-untyped]

from shared.clients.dynamics.config import REASONS, DynamicsConfig
from shared.clients.single_flight import SingleFlight
from shared.errors import Halt, Outcome, Retry

_TEMPORARY = ("temporarily_unavailable", "server_error")
HELD_S = 60.0
_ERROR = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True)
class _Held:
    """`until`: the event loop's time."""

    token: str = field(repr=False)
    until: float


class MsalTokens:
    """Tokens of the app registration. MSAL blocks, so it works in a thread; however many wait, one asks.

    What it gave is used for a minute without asking: a thread has to wait for the busy event loop's lock each time.

    TLS follows requests: REQUESTS_CA_BUNDLE adds an authority.
    """

    def __init__(self, config: DynamicsConfig) -> None:
        self._config = config
        self._application: Any = None
        self._held: _Held | None = None
        self._asking = SingleFlight(self._ask)
        self._renewing = SingleFlight(self._ask_anew)

    async def token(self) -> str:
        """Raises Retry, Halt."""
        if self._held is not None and asyncio.get_running_loop().time() < self._held.until:
            return self._held.token
        return await self._asking.join()

    async def renew(self, refused: str) -> str:
        """Another token than `refused`; the one at hand if somebody has renewed it meanwhile. Raises Retry, Halt."""
        token = await self.token()
        return await self._renewing.join() if token == refused else token

    async def close(self) -> None:
        """Close MSAL's connections."""
        if self._application is not None:
            await asyncio.to_thread(self._application.http_client.close)
            self._application = None

    async def _ask(self) -> str:
        return self._hold(await asyncio.to_thread(self._acquire))

    async def _ask_anew(self) -> str:
        self._held = None
        return self._hold(await asyncio.to_thread(self._acquire, forget=True))

    def _hold(self, result: Mapping[str, Any]) -> str:
        token = _granted(result)
        seconds = min(HELD_S, float(result.get("expires_in", 0)) / 2)
        self._held = _Held(token, asyncio.get_running_loop().time() + seconds)
        return token

    def _acquire(self, *, forget: bool = False) -> Mapping[str, Any]:
        """In a thread. MSAL looks into its cache first.

        Network errors are OSErrors, a status from 500 on is a MsalServiceError, a bad authority a ValueError.
        """
        try:
            if self._application is None:
                self._application = msal.ConfidentialClientApplication(
                    self._config.client_id,
                    client_credential=_credential(self._config),
                    authority=self._config.authority,
                    instance_discovery=False,
                    timeout=self._config.timeout_s,
                )
            if forget:
                self._application.remove_tokens_for_client()
            result: Mapping[str, Any] = self._application.acquire_token_for_client([self._config.scope])
        except (OSError, msal.exceptions.MsalServiceError) as error:
            raise Retry(REASONS.unreachable, f"token service: {type(error).__name__}") from None
        except ValueError:
            wrong = "DYNAMICS_AUTHORITY is not a known tenant, or DYNAMICS_CLIENT_CERTIFICATE cannot be read"
            raise Halt(REASONS.credentials, f"token service: {wrong}") from None
        return result


def _credential(config: DynamicsConfig) -> str | dict[str, str]:
    """One PEM holds the private key and the certificate; MSAL finds each in it."""
    pem = config.client_certificate
    return {"private_key": pem, "public_certificate": pem} if pem else config.client_secret


def _granted(result: Mapping[str, Any]) -> str:
    if "access_token" not in result:
        raise _refused(result)
    return str(result["access_token"])


def _refused(result: Mapping[str, Any]) -> Outcome:
    """OAuth's error word and Entra's numbers, never the description."""
    word = str(result.get("error", ""))
    word = word if _ERROR.fullmatch(word) else "error"
    if word in _TEMPORARY:
        return Retry(REASONS.unreachable, f"token service: {word}")
    numbers = " ".join(f"AADSTS{number}" for number in result.get("error_codes") or () if isinstance(number, int))
    return Halt(REASONS.credentials, f"token service: {word} {numbers}".rstrip())
