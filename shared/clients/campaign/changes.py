"""Profiles by their last change, newest first: what the opt-out poll reads, and where it may stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from typing_extensions import override

from shared.clients.calls import Request, Response
from shared.clients.campaign import wire
from shared.clients.campaign.config import SYSTEM, CampaignConfig
from shared.clients.campaign.listing import Trail
from shared.domain.contact import OLDEST
from shared.errors import Halt, Reason
from shared.ports.optouts import ChangedProfile

PAGE_ROWS = 500
ORDER = "lastModified"


class ChangedListing(AsyncIterator[Sequence[ChangedProfile]]):
    """Pages down to `moment`; profiles without externalId are left out. One engine call a page.

    A profile that changes meanwhile moves to the front, before what was read: the next poll finds it. Raises Outcome;
    Halt where the list is not in the order asked for, because then its end would be taken for the newest.
    """

    def __init__(
        self, config: CampaignConfig, send: Callable[[Request], Awaitable[Response]], moment: datetime
    ) -> None:
        self._config, self._send, self._moment = config, send, moment
        self._trail = Trail("changed profiles")
        self._url: str | None = None
        self._ended = False
        self._previous: datetime | None = None

    @override
    async def __anext__(self) -> Sequence[ChangedProfile]:
        if self._ended:
            raise StopAsyncIteration
        document = wire.read_list(await self._send(changes_request(self._config, self._url)))
        times = [wire.moment_of(item, ORDER) for item in document["content"]]
        self._check_order(times)
        following = wire.link(document, "next", self._config)
        self._ended = following is None or any(at < self._moment for at in times)
        if following is not None:
            self._url = self._trail.step(following)
        rows = zip(document["content"], times, strict=True)
        return [_changed(item, at) for item, at in rows if at >= self._moment and item.get(wire.KEY_FIELD)]

    def _check_order(self, times: Sequence[datetime]) -> None:
        for at in times:
            if at == OLDEST or (self._previous is not None and at > self._previous):
                raise Halt(Reason.CAMPAIGN_MISCONFIGURED, f"profiles are not listed in the order of {ORDER}")
            self._previous = at


def changes_request(config: CampaignConfig, url: str | None = None) -> Request:
    """`url`: a page's next; None: the first page. Without forced pagination a big table's list just stops."""
    query = f"_order={ORDER}%20desc&_lineCount={PAGE_ROWS}&_forcePagination=true"
    first = f"{config.url}/profileAndServicesExt/profile?{query}"
    return Request(SYSTEM, "changes", "GET", url or first, wire.headers(config), repeatable=True)


def _changed(item: Mapping[str, Any], at: datetime) -> ChangedProfile:
    return ChangedProfile(str(item[wire.KEY_FIELD]), at, wire.profile_of(item).opted_out)
