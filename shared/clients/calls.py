"""HTTP requests and answers as data, and the two ways in which an answer can fail to come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Request:
    """One call, ready to send but for its token.

    `system` and `kind` name it in metrics ("campaign", "profile"). `url` is absolute and percent-encoded.
    `repeatable`: sending it twice does no more than sending it once, so a missing answer is no open question.
    Only names are shown in a repr: addresses and bodies hold personal data, headers hold tokens.
    """

    system: str
    kind: str
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    repeatable: bool = False


@dataclass(frozen=True)
class Response:
    """Header names are lower case; a header that came several times is joined with commas."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:  # noqa: ANN401 - whatever a JSON document may hold
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class CallRecord:
    """One call as metrics see it. `status` None: no answer; `sent` False: not even a request."""

    system: str
    kind: str
    method: str
    status: int | None
    sent: bool
    seconds: float


class NotSentError(Exception):
    """Not one byte of the request left: no connection, no name, no trust, or no time. Nothing was written."""


class UnansweredError(Exception):
    """The request was (perhaps partly) sent and no whole answer came: it may have been carried out, or may still be."""


class Sender(Protocol):
    """Sends one request."""

    async def send(self, request: Request, timeout_s: float) -> Response:
        """Raises NotSentError, UnansweredError."""
        ...
