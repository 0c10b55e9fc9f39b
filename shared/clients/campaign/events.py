"""Campaign's e-mail events, read from their journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from shared.clients.calls import Response, Sender
from shared.clients.campaign.config import REASONS, CampaignConfig
from shared.clients.campaign.wire_events import is_expired, page_request, read_page
from shared.clients.exchange import Exchange, Tokens
from shared.domain.event_log import EventShape
from shared.ports import EmailEvents, EventPage

DEFAULT_SHAPE = EventShape()
DEFAULT_LIMIT = 500


class JournalEvents(EmailEvents):
    """The journal delivers at least once and in no order; facts have ids, so both are harmless."""

    def __init__(
        self,
        config: CampaignConfig,
        http: Sender,
        tokens: Tokens,
        now: Callable[[], datetime],
        *,
        shape: EventShape = DEFAULT_SHAPE,
        limit: int = DEFAULT_LIMIT,
    ) -> None:
        self._config, self._shape, self._limit, self._now = config, shape, limit, now
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)

    async def page(self, since: str | None) -> EventPage:
        """The events after that position; None, or a position that has expired: from the oldest kept."""
        response = await self._ask(since)
        if since is None or not is_expired(response):
            return read_page(response, self._shape, self._now())
        return replace(read_page(await self._ask(None), self._shape, self._now()), gap=True)

    async def _ask(self, since: str | None) -> Response:
        return await self._exchange.send(page_request(self._config, since, self._limit))
