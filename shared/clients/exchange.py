"""One authorised call: token, request, and after a 401 one new token and one repeat, all within one total time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from shared.clients.calls import NotSentError, Request, Response, Sender, UnansweredError
from shared.clients.limiter import NoTurnError
from shared.clients.outcomes import Reasons, busy, unanswered
from shared.errors import Halt, Retry


class Tokens(Protocol):
    """Where access tokens come from."""

    async def token(self) -> str:
        """A token that should be valid. Raises Retry, Halt."""
        ...

    async def renew(self, refused: str) -> str:
        """Another token than the one that was refused. Raises Retry, Halt."""
        ...


class Exchange:
    """Calls of one system. A call as a whole, tokens and repeat included, lasts at most `timeout_s`.

    The protocol's bounds rest on that: between the caller's look at its claim and the last byte of the request no more
    time can pass.
    """

    def __init__(
        self, http: Sender, tokens: Tokens, reasons: Reasons, timeout_s: float, now: Callable[[], datetime]
    ) -> None:
        self._http, self._tokens, self._reasons = http, tokens, reasons
        self._timeout_s, self._now = timeout_s, now

    async def send(self, request: Request) -> Response:
        """The answer, but never a 401, 429 or 503.

        Raises Retry (nothing was written), Uncertain (a write that is not repeatable got no answer) and Halt (a new
        token is refused too).
        """
        ends_at = asyncio.get_running_loop().time() + self._timeout_s
        token = await self._in_time(self._tokens.token(), ends_at)
        response = await self._attempt(request, token, ends_at)
        if response.status == 401:
            token = await self._in_time(self._tokens.renew(token), ends_at)
            response = await self._attempt(request, token, ends_at)
        if response.status == 401:
            raise Halt(self._reasons.credentials, "status 401, also with a new token")
        if wait := busy(response, self._reasons, self._now()):
            raise wait
        return response

    async def _in_time(self, token: Awaitable[str], ends_at: float) -> str:
        try:
            async with asyncio.timeout_at(ends_at):
                return await token
        except TimeoutError:
            raise Retry(self._reasons.unreachable, "no token in time") from None

    async def _attempt(self, request: Request, token: str, ends_at: float) -> Response:
        authorised = replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})
        try:
            return await self._http.send(authorised, ends_at - asyncio.get_running_loop().time())
        except NoTurnError as error:
            raise Retry(self._reasons.busy, str(error), after_s=error.after_s) from None
        except NotSentError as error:
            raise Retry(self._reasons.unreachable, f"not sent: {error}") from None
        except UnansweredError as error:
            raise unanswered(request, self._reasons, f"no answer: {error}") from None
