"""Campaign's access tokens: one for all callers, renewed before its end or after a refusal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shared.clients.calls import NotSentError, Sender, UnansweredError
from shared.clients.campaign.config import REASONS, CampaignConfig
from shared.clients.campaign.wire_token import Token, read_token, token_request
from shared.clients.single_flight import SingleFlight
from shared.errors import Retry


class ImsTokens:
    """Tokens of the technical account. However many wait, one request is under way."""

    def __init__(self, config: CampaignConfig, http: Sender, now: Callable[[], datetime]) -> None:
        self._config, self._http, self._now = config, http, now
        self._token: Token | None = None
        self._fetching = SingleFlight(self._fetch)

    async def token(self) -> str:
        """Raises Retry, Halt."""
        if self._token is None or self._now() >= self._token.renew_at:
            return await self._fetching.join()
        return self._token.text

    async def renew(self, refused: str) -> str:
        """Another token than `refused`; the one at hand if somebody has renewed it meanwhile. Raises Retry, Halt."""
        if self._token is not None and self._token.text == refused:
            self._token = None
        return await self.token()

    async def _fetch(self) -> str:
        try:
            response = await self._http.send(token_request(self._config), self._config.timeout_s)
        except (NotSentError, UnansweredError) as error:
            raise Retry(REASONS.unreachable, f"token service: {error}") from None
        self._token = read_token(response, self._now())
        return self._token.text
