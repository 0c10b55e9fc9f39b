"""Adobe Campaign Standard as the bridge uses it: sends what `wire` builds and returns what `wire` reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from shared.clients.calls import Sender
from shared.clients.campaign import wire
from shared.clients.campaign.config import REASONS, CampaignConfig
from shared.clients.exchange import Exchange, Tokens
from shared.domain.contact import Profile, Value
from shared.domain.ledger import Progress
from shared.domain.mapping import Privacy
from shared.errors import Retry
from shared.ports import Campaign


class CampaignClient(Campaign):
    """Every method is one engine call, but for `privacy_progress`: one a page. See the port for what they raise."""

    def __init__(self, config: CampaignConfig, http: Sender, tokens: Tokens, now: Callable[[], datetime]) -> None:
        self._config = config
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)

    async def profile(self, contact_id: str) -> Profile | None:
        """The profile whose externalId is the contact's id."""
        return wire.read_profile(await self._exchange.send(wire.profile_request(self._config, contact_id)), contact_id)

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        """False: a profile with this externalId exists already."""
        request = wire.create_request(self._config, contact_id, fields, opted_out)
        return wire.read_created(await self._exchange.send(request), {*fields, *opted_out, wire.KEY_FIELD})

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        """False: there is no such profile."""
        request = wire.update_request(self._config, handle or contact_id, fields)
        return wire.read_updated(await self._exchange.send(request), fields)

    async def opt_out(self, handle: str, attributes: frozenset[str]) -> bool:
        """Set the attributes to TRUE. False: there is no such profile."""
        request = wire.opt_out_request(self._config, handle, attributes)
        return wire.read_updated(await self._exchange.send(request), attributes)

    async def request_privacy_delete(self, contact_id: str, name: str, privacy: Privacy) -> None:
        """Asking again under the same name changes nothing."""
        request = wire.privacy_request(self._config, contact_id, name, privacy)
        wire.read_privacy_requested(await self._exchange.send(request))

    async def privacy_progress(self, name: str) -> Progress:
        """How far the request of that name is. Reads the list until the name appears: Campaign offers no look-up."""
        url: str | None = None
        seen: set[str | None] = set()
        while url not in seen:
            seen.add(url)
            response = await self._exchange.send(wire.privacy_list_request(self._config, url))
            page = wire.read_privacy_page(response, self._config)
            if name in page.progress:
                return page.progress[name]
            if page.next_url is None:
                return Progress.NOT_FOUND
            url = page.next_url
        raise Retry(REASONS.unreachable, "the list of privacy requests leads back to a page already read")

    async def ping(self) -> None:
        """Raises Outcome unless address, credentials and API key are accepted."""
        wire.read_ping(await self._exchange.send(wire.ping_request(self._config)))
