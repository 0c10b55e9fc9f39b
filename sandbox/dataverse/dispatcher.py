"""Sends the queued calls and messages in the background, by the platform's rules of time-out and retry."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp

from sandbox.dataverse.config import DataverseConfig
from sandbox.dataverse.jobs import Job, Jobs
from sandbox.dataverse.queue_endpoint import post
from sandbox.dataverse.registration import HEADER_AUTH, KEY_AUTH, QUEUE, auth_pairs
from sandbox.dataverse.schema import Table
from sandbox.dataverse.store import Store
from sandbox.dataverse.values import Row, show_moment

_log = logging.getLogger(__name__)
_RETRIED = frozenset({502, 503, 504})
_TICK_S = 0.05
# Documented: a post to a queue is repeated at growing intervals and at last given up. Their number and lengths are
# the stand-in's own.
_QUEUE_ATTEMPTS = 6
_QUEUE_WAIT_S = 2.0


class Dispatcher:
    """Takes jobs oldest first, several at once, so the order of arrival is likely but never promised.

    Of a webhook any 2xx is success. Exactly one more attempt is made, and only after 502, 503 or 504. Everything else
    fails the job, which is then kept as a row of asyncoperation. A queue that does not take a message is tried again.
    """

    def __init__(
        self, config: DataverseConfig, store: Store, jobs: Jobs, endpoints: Table, now: Callable[[], datetime]
    ) -> None:
        self._config = config
        self._store = store
        self._jobs = jobs
        self._endpoints = endpoints
        self._now = now
        self._host = "localhost"
        self._news = asyncio.Event()
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None

    def wake(self) -> None:
        """Tell that a job was queued."""
        self._news.set()

    async def start(self, host: str) -> None:
        """Begin to send, first what an earlier run left over; `host` is what receivers read as the organisation."""
        self._host = host
        timeout = aiohttp.ClientTimeout(total=self._config.webhook_timeout_s)
        connector = aiohttp.TCPConnector(ssl=self._config.tls.client_context(), force_close=True)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop at once; calls that are under way stay queued and are repeated by the next start."""
        tasks = [task for task in (self._loop, *self._sending.values()) if task is not None]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        if self._session is not None:
            await self._session.close()

    async def drop_all(self) -> None:
        """Cancel the calls under way: their jobs were deleted."""
        for task in list(self._sending.values()):
            task.cancel()
        await asyncio.gather(*self._sending.values(), return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._news.clear()
            self._take()
            await self._pause()

    def _take(self) -> None:
        room = self._config.webhooks_at_once - len(self._sending)
        if room <= 0:
            return
        listed = self._jobs.ready(self._now().timestamp(), room + len(self._sending))
        for job in [job for job in listed if job.id not in self._sending][:room]:
            task = asyncio.create_task(self._deliver(job))
            self._sending[job.id] = task
            task.add_done_callback(partial(self._sent, job.id))

    def _sent(self, job_id: str, task: asyncio.Task[None]) -> None:
        del self._sending[job_id]
        self._news.set()
        if not task.cancelled() and task.exception() is not None:
            _log.error("webhook job %s broke the dispatcher", job_id, exc_info=task.exception())

    async def _pause(self) -> None:
        """Sleep until there is news; jobs that are held back become due by the clock, so those are polled for."""
        if self._jobs.waiting() == len(self._sending):
            await self._news.wait()
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), _TICK_S)

    async def _deliver(self, job: Job) -> None:
        endpoint = self._store.get(self._endpoints, job.endpoint_id)
        if endpoint is not None and endpoint["contract"] == QUEUE:
            return await self._enqueue(job, endpoint)
        attempts, error = 0, None
        for _ in range(job.copies):
            more, error = await self._call(job)
            attempts += more
        self._jobs.finish(job, attempts, error, show_moment(self._now()))
        _log.info("webhook job %s: %s of %s %s", job.id, job.message, job.table, error or "delivered")

    async def _enqueue(self, job: Job, endpoint: Row) -> None:
        error, attempts = None, job.attempts + 1
        for _ in range(job.copies):
            error = await post(job, endpoint, self._host, self._config.organization_id)
        if error is not None and attempts < _QUEUE_ATTEMPTS:
            now = self._now()
            self._jobs.postpone(job, attempts, now.timestamp() + _QUEUE_WAIT_S**attempts, show_moment(now))
        else:
            self._jobs.finish(job, attempts, error, show_moment(self._now()))
        _log.info("queue job %s: %s of %s %s", job.id, job.message, job.table, error or "delivered")

    async def _call(self, job: Job) -> tuple[int, str | None]:
        """Call once, and once more after a gateway error; returns the attempts and the error, None for success."""
        endpoint = self._store.get(self._endpoints, job.endpoint_id)
        if endpoint is None:
            return 1, "The service endpoint of this step no longer exists."
        attempts = 1
        status, error = await self._post(job, endpoint)
        if status in _RETRIED:
            attempts += 1
            status, error = await self._post(job, endpoint)
        return attempts, error

    async def _post(self, job: Job, endpoint: Row) -> tuple[int | None, str | None]:
        assert self._session is not None
        url, headers = self._address(job, endpoint)
        try:
            async with self._session.post(url, data=job.body, headers=headers, allow_redirects=False) as response:
                ok = 200 <= response.status < 300
                return response.status, None if ok else f"The webhook call failed with status code {response.status}."
        except TimeoutError:
            return None, f"The webhook call timed out after {self._config.webhook_timeout_s:g} seconds."
        except aiohttp.ClientError as problem:
            return None, f"The webhook could not be reached ({type(problem).__name__})."

    def _address(self, job: Job, endpoint: Row) -> tuple[str, dict[str, str]]:
        headers = {
            "Content-Type": "application/json",
            "x-ms-dynamics-organization": self._host,
            "x-ms-dynamics-entity-name": job.table,
            "x-ms-dynamics-request-name": job.message,
            "x-ms-correlation-request-id": job.correlation_id,
        }
        if job.oversize:
            headers["x-ms-dynamics-msg-size-exceeded"] = "true"
        if endpoint["authtype"] == KEY_AUTH:
            return _with_query(endpoint["url"], [("code", endpoint["authvalue"])]), headers
        pairs = auth_pairs(endpoint["authvalue"])
        if endpoint["authtype"] == HEADER_AUTH:
            return endpoint["url"], headers | dict(pairs)
        return _with_query(endpoint["url"], pairs), headers


def _with_query(url: str, pairs: list[tuple[str, str]]) -> str:
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(pairs)) if part)
    return urlunsplit(parts._replace(query=query))
