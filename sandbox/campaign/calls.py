"""A request to Campaign taken out of HTTP, and the answer to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sandbox.campaign import problems


@dataclass(frozen=True)
class Address:
    """What a path names: tenant, API (`profileAndServicesExt`), resource (`profile`) and the segments behind it."""

    org: str
    api: str
    resource: str
    rest: tuple[str, ...]

    @property
    def extended(self) -> bool:
        """Tell whether the Ext endpoint was asked, which shows extension fields."""
        return self.api.endswith("Ext")


@dataclass(frozen=True)
class Call:
    """One API request; `base` is the absolute URL of the tenant's API, on which every href is built.

    `author` and `api_key` name the technical account that asks.
    """

    method: str
    address: Address
    query: Mapping[str, str]
    body: str
    base: str
    author: str
    api_key: str

    def document(self) -> dict[str, Any]:
        """Return the body as a JSON object, whatever its content type says. Raises Problem."""
        try:
            document = json.loads(self.body or "{}")
        except ValueError:
            raise problems.no_json(self.body) from None
        if not isinstance(document, dict):
            raise problems.bad_body()
        return document


@dataclass(frozen=True)
class Reply:
    """A status and a body: an object for success, text for an application error."""

    status: int
    body: object


Answer = Callable[[Call], Reply]


def parse_path(raw_path: str) -> Address | None:
    """Read `/<org>/campaign/<api>/<resource>/…`; None for any other path.

    Segments are decoded once, so an encoded slash stays inside its segment. A `.json` at the end and a slash at
    the end mean nothing.
    """
    segments = [unquote(part) for part in raw_path.split("?")[0].strip("/").split("/")]
    if len(segments) < 2 or segments[1] != "campaign":
        return None
    segments[-1] = segments[-1].removesuffix(".json")
    org, _, *rest = [*segments, "", ""]
    api, resource, *more = rest
    return Address(org, api, resource, tuple(part for part in more if part))
