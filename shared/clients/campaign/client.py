"""Adobe Campaign Standard as the bridge uses it: sends what `wire` builds and returns what `wire` reads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

from shared import call_tally
from shared.clients.calls import Request, Response, Sender
from shared.clients.campaign import wire, wire_resources
from shared.clients.campaign.changes import ChangedListing
from shared.clients.campaign.config import REASONS, CampaignConfig
from shared.clients.campaign.listing import ProfileListing, Trail, count_profiles
from shared.clients.exchange import Exchange, Tokens
from shared.domain.contact import Profile, Value
from shared.domain.ledger import Progress
from shared.domain.mapping import Privacy, Resource
from shared.ports import Campaign, Records
from shared.ports.optouts import ChangedProfile


class CampaignClient(Campaign, Records):
    """Every method is one engine call, but for those that read lists: one a page. See the port for what they raise."""

    def __init__(self, config: CampaignConfig, http: Sender, tokens: Tokens, now: Callable[[], datetime]) -> None:
        self._config = config
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)
        self._calls = 0

    @property
    def engine_calls(self) -> int:
        """Those made so far by this client; one that failed counts, too."""
        return self._calls

    async def profile(self, contact_id: str) -> Profile | None:
        """The profile whose externalId is the contact's id."""
        return wire.read_profile(await self._send(wire.profile_request(self._config, contact_id)), contact_id)

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        """False: a profile with this externalId exists already."""
        request = wire.create_request(self._config, contact_id, fields, opted_out)
        return wire.read_created(await self._send(request), {*fields, *opted_out, wire.KEY_FIELD})

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        """False: there is no such profile."""
        request = wire.update_request(self._config, handle or contact_id, fields)
        return wire.read_updated(await self._send(request), fields)

    async def write_flags(self, handle: str, attributes: Mapping[str, bool]) -> bool:
        """Set opt-outs. False: there is no such profile."""
        request = wire.flags_request(self._config, handle, attributes)
        return wire.read_updated(await self._send(request), attributes)

    async def delete_profile(self, handle: str) -> bool:
        """False: there is no such profile."""
        return wire.read_updated(await self._send(wire.delete_request(self._config, handle)), ())

    async def record(self, resource: Resource, key_field: str, key: str) -> Profile | None:
        """The custom resource's record whose key field has that value; None also for one that Campaign hides."""
        response = await self._send(wire_resources.look_up_request(self._config, resource, key))
        return wire_resources.read_looked_up(response, resource, key_field, key)

    async def any_record(self, resource: Resource) -> Profile | None:
        """One of the custom resource's records; None: Campaign shows none."""
        return wire_resources.read_sample(await self._send(wire_resources.sample_request(self._config, resource)))

    async def create_record(self, resource: Resource, fields: Mapping[str, Value]) -> bool:
        """`fields`: the key's, too. False: a record with this key exists already, shown or hidden."""
        request = wire_resources.create_request(self._config, resource, fields)
        return wire.read_created(await self._send(request), fields)

    async def update_record(self, resource: Resource, handle: str, fields: Mapping[str, Value]) -> bool:
        """False: there is no such record."""
        request = wire_resources.update_request(self._config, resource, handle, fields)
        return wire.read_updated(await self._send(request), fields)

    async def delete_record(self, resource: Resource, handle: str) -> bool:
        """False: there is no such record."""
        request = wire_resources.delete_request(self._config, resource, handle)
        return wire.read_updated(await self._send(request), ())

    async def request_privacy_delete(self, contact_id: str, name: str, privacy: Privacy) -> None:
        """Asking again under the same name changes nothing."""
        request = wire.privacy_request(self._config, contact_id, name, privacy)
        wire.read_privacy_requested(await self._send(request))

    async def privacy_progress(self, name: str) -> Progress:
        """How far the request of that name is. Reads the list until the name appears: Campaign offers no look-up."""
        async with aclosing(self._privacy_pages()) as pages:
            async for page in pages:
                if name in page.statuses:
                    return page.progress[name]
        return Progress.NOT_FOUND

    async def privacy_statuses(self) -> Mapping[str, str]:
        """Campaign's own word for every privacy request, by name: the whole list, one engine call a page."""
        return {name: status async for page in self._privacy_pages() for name, status in page.statuses.items()}

    def profiles(self, page_size: int) -> ProfileListing:
        """Every profile with its externalId, page by page; see the listing for what it raises and costs."""
        return ProfileListing(self._config, self._send, page_size)

    async def changed_since(self, moment: datetime) -> AsyncIterator[Sequence[ChangedProfile]]:
        """Pages of the profiles of contacts changed at or after that moment, newest first."""
        async for page in ChangedListing(self._config, self._send, moment):
            yield page

    async def profile_count(self) -> int | None:
        """How many profiles there are; None where Campaign does not say. Two engine calls. Raises Outcome."""
        return await count_profiles(self._config, self._send)

    async def ping(self) -> None:
        """Raises Outcome unless address, credentials and API key are accepted."""
        wire.read_ping(await self._send(wire.ping_request(self._config)))

    async def _privacy_pages(self) -> AsyncGenerator[wire.PrivacyPage]:
        url: str | None = None
        trail = Trail("privacy requests")
        while True:
            page = wire.read_privacy_page(await self._send(wire.privacy_list_request(self._config, url)), self._config)
            yield page
            if page.next_url is None:
                return
            url = trail.step(page.next_url)

    async def _send(self, request: Request) -> Response:
        self._calls += 1
        call_tally.add()
        return await self._exchange.send(request)
