"""The one place that speaks HTTP: one session, a total time a call, no redirects, no repeats of a write."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from shared.clients.calls import CallRecord, NotSentError, Request, Response, UnansweredError

logger = logging.getLogger(f"bridge.{__name__}")

USER_AGENT = "dynamics-campaign-bridge"
# Dataverse refuses the 52nd request at once of one user.
CONNECTIONS_PER_HOST = 48
# Reading twice is reading once. aiohttp also takes PUT and DELETE for repeatable.
READS = frozenset({"GET", "HEAD"})


@dataclass
class _Progress:
    """Whether any byte of a request may have left."""

    sent: bool = False


class BrokenConnectionError(aiohttp.ClientError):
    """A connection broke under a write; unlike aiohttp's own errors for this, none that makes aiohttp send it again."""


class Http:
    """Sends requests over kept-open connections, which belong to the event loop of the first call.

    `observe` is told of every call. TLS follows Python's defaults, so SSL_CERT_FILE adds an authority. A GET is
    repeated, once, when the server had closed the idle connection; a write never is, whatever its method.
    """

    def __init__(
        self,
        observe: Callable[[CallRecord], None] | None = None,
        *,
        connections_per_host: int = CONNECTIONS_PER_HOST,
    ) -> None:
        self._observe = observe
        self._connections_per_host = connections_per_host
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request, timeout_s: float) -> Response:
        """The answer, whatever its status. `timeout_s` is for everything: waiting for a connection to the last byte.

        Raises NotSentError, UnansweredError; their texts hold no address, header or body.
        """
        progress, started = _Progress(), asyncio.get_running_loop().time()
        status: int | None = None
        try:
            response = await self._exchange(request, timeout_s, progress)
            status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            failure = UnansweredError if progress.sent else NotSentError
            raise failure(_described(error)) from None
        else:
            return response
        finally:
            seconds = asyncio.get_running_loop().time() - started
            self._record(CallRecord(request.system, request.kind, request.method, status, progress.sent, seconds))

    async def close(self) -> None:
        """Close the connections; calls under way fail."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(self, request: Request, timeout_s: float, progress: _Progress) -> Response:
        if timeout_s <= 0:
            raise TimeoutError
        async with self._opened().request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            trace_request_ctx=progress,
        ) as answer:
            body = await answer.read()
            return Response(answer.status, _joined(answer.headers), body)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_mark_sent)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=_trust(ssl.get_default_verify_paths()), limit=0, limit_per_host=self._connections_per_host
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT},
                trace_configs=[trace],
                middlewares=(_send_writes_once,),
            )
        return self._session

    def _record(self, record: CallRecord) -> None:
        logger.debug(
            "%s %s %s: %s in %.3f s", record.system, record.method, record.kind, record.status or "-", record.seconds
        )
        if self._observe is not None:
            self._observe(record)


@cache
def _trust(_paths: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    """Python's defaults, read once for each place where the environment says that they lie: reading them is slow."""
    return ssl.create_default_context()


async def _mark_sent(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    """Told just before the first byte is written, so that a doubt counts as sent."""
    context.trace_request_ctx.sent = True


async def _send_writes_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp sends again after these two errors, outside of this; what it does not know it leaves alone."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method in READS:
            raise
        raise BrokenConnectionError(type(error).__name__) from error


def _joined(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    return {name.lower(): ", ".join(headers.getall(name)) for name in headers}


def _described(error: Exception) -> str:
    """The kind of failure; a connector's own text names host and system error, the others may show an address."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__
