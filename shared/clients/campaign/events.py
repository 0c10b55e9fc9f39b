"""Campaign's e-mail events, read from their journal."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from shared.clients.calls import Sender
from shared.clients.campaign.config import REASONS, CampaignConfig
from shared.clients.campaign.wire_events import EventShape, is_expired, page_request, read_page
from shared.clients.exchange import Exchange, Tokens
from shared.ports import EmailEvents, EventPage

logger = logging.getLogger(f"bridge.{__name__}")

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
        response = await self._exchange.send(page_request(self._config, since, self._limit))
        if since is not None and is_expired(response):
            logger.warning("the journal's position has expired: events may be missing; going on with the oldest kept")
            response = await self._exchange.send(page_request(self._config, None, self._limit))
        return read_page(response, self._shape, self._now())
