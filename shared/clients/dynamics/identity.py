"""Dataverse's access tokens for a managed identity: no secret that could leak, expire or need rotation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity.aio import ManagedIdentityCredential

from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.config import REASONS, DynamicsConfig
from shared.clients.single_flight import SingleFlight
from shared.errors import Halt, Retry


class DynamicsTokens(Protocol):
    """Where Dataverse's tokens come from; holds connections until it is closed."""

    async def token(self) -> str:
        """Raises Retry, Halt."""
        ...

    async def renew(self, refused: str) -> str:
        """Another token than `refused`, if there is one. Raises Retry, Halt."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def tokens_of(config: DynamicsConfig) -> DynamicsTokens:
    """The source that the configuration names."""
    if config.managed_identity:
        return IdentityTokens(config, lambda: ManagedIdentityCredential(client_id=config.client_id))
    return MsalTokens(config)


class IdentityTokens:
    """Tokens of the identity whose application user Dataverse knows by its client id.

    `credential` makes one that keeps and renews its tokens itself. The platform keeps them too, for up to a day, so a
    role given just now may need that long; a new credential is all that can be tried after a refusal.
    """

    def __init__(self, config: DynamicsConfig, credential: Callable[[], AsyncTokenCredential]) -> None:
        self._config = config
        self._credential = credential
        self._current: AsyncTokenCredential | None = None
        self._asking = SingleFlight(self._ask)
        self._renewing = SingleFlight(self._ask_anew)

    async def token(self) -> str:
        """Raises Retry, Halt."""
        return await self._asking.join()

    async def renew(self, refused: str) -> str:
        """Another token than `refused`, if the platform gives one. Raises Retry, Halt."""
        token = await self.token()
        return await self._renewing.join() if token == refused else token

    async def close(self) -> None:
        """Close the credential's connections."""
        credential, self._current = self._current, None
        if credential is not None:
            await credential.close()

    async def _ask_anew(self) -> str:
        await self.close()
        return await self._ask()

    async def _ask(self) -> str:
        """ClientAuthenticationError: no such identity here. What else goes wrong on the way may mend."""
        credential = self._current = self._current or self._credential()
        try:
            async with asyncio.timeout(self._config.timeout_s):
                return (await credential.get_token(self._config.scope)).token
        except ClientAuthenticationError:
            wrong = "the managed identity of DYNAMICS_CLIENT_ID gets no token here"
            raise Halt(REASONS.credentials, f"token service: {wrong}") from None
        except (AzureError, TimeoutError) as error:
            raise Retry(REASONS.unreachable, f"token service: {type(error).__name__}") from None
