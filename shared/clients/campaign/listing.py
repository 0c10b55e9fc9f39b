"""All profiles of Campaign, page by page, with one page in memory; and how many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from typing_extensions import override

from shared.clients.calls import Request, Response
from shared.clients.campaign import wire
from shared.clients.campaign.config import REASONS, SYSTEM, CampaignConfig
from shared.clients.campaign.wire_errors import refused
from shared.clients.outcomes import json_object
from shared.domain.contact import Profile
from shared.errors import Retry

Send = Callable[[Request], Awaitable[Response]]
Page = list[tuple[str, Profile]]


class Trail:
    """Where a walk over pages has been, in constant memory: a loop is noticed within a few times its length.

    One address is remembered, and replaced after 1, 2, 4, 8 … steps; a walk that turns in a circle meets it again.
    """

    def __init__(self, what: str) -> None:
        self._what, self._landmark = what, ""
        self._steps, self._next = 0, 1

    def step(self, url: str) -> str:
        """The address of the next page, unchanged. Raises Retry where it was met before."""
        if url == self._landmark:
            raise Retry(REASONS.unreachable, f"the list of {self._what} leads back to a page already read")
        self._steps += 1
        if self._steps == self._next:
            self._landmark, self._next = url, self._next * 2
        return url


class ProfileListing(AsyncIterator[Page]):
    """Pages of (externalId, profile); the id is an empty text where the profile has none. One engine call a page.

    `anext` raises Outcome; after a Retry it may be called again, and asks for the same page.
    """

    def __init__(self, config: CampaignConfig, send: Send, page_size: int) -> None:
        self._config, self._send, self._page_size = config, send, page_size
        self._trail = Trail("profiles")
        self._url: str | None = None
        self._ended = False

    @override
    async def __anext__(self) -> Page:
        if self._ended:
            raise StopAsyncIteration
        response = await self._send(profiles_request(self._config, self._page_size, self._url))
        page, following = read_profiles(response, self._config)
        if following is None:
            self._ended = True
        else:
            self._url = self._trail.step(following)
        return page


async def count_profiles(config: CampaignConfig, send: Send) -> int | None:
    """Asks a page of one row for the address of its count, and that for the number; None where there is none.

    Two engine calls. Raises Outcome.
    """
    page = wire.read_list(await send(profiles_request(config, 1)))
    address = wire.link(page, "count", config)
    return None if address is None else read_count(await send(_get(config, address)))


def profiles_request(config: CampaignConfig, page_size: int, url: str | None = None) -> Request:
    """`url`: a page's next; None: the first page. Without forced pagination a big table's list just stops."""
    first = f"{config.url}/profileAndServicesExt/profile?_lineCount={page_size}&_forcePagination=true"
    return _get(config, url or first)


def read_profiles(response: Response, config: CampaignConfig) -> tuple[Page, str | None]:
    """The page and the address of the next one. Raises Outcome."""
    document = wire.read_list(response)
    page = [(_external_id(item), wire.profile_of(item)) for item in document["content"]]
    return page, wire.link(document, "next", config)


def read_count(response: Response) -> int | None:
    """None: the answer holds no number. Raises Outcome."""
    if response.status != 200:
        raise refused(response, write=False)
    count = json_object(response, REASONS).get("count")
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def _external_id(item: dict[str, Any]) -> str:
    value = item.get(wire.KEY_FIELD)
    return "" if value is None else str(value)


def _get(config: CampaignConfig, url: str) -> Request:
    return Request(SYSTEM, "profile", "GET", url, wire.headers(config), repeatable=True)
