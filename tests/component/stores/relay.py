"""A TCP relay in front of a server, which can lose answers: the request arrives, the answer does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

import pytest

# After a broken connection the Service Bus library leaves the socket to the garbage collector. A test that breaks one
# ends with `gc.collect()`, so that the warning comes under this mark.
LEAKS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
METHODS = (b"GET ", b"POST ", b"PUT ", b"MERGE ", b"DELETE ")


class Answers(Enum):
    """What happens to the server's answers."""

    PASS = "pass"
    CUT = "cut"
    SWALLOW = "swallow"


@dataclass
class Relay:
    """`answers` may be changed at any time; `requests` counts the HTTP requests let through by their method."""

    target: int
    port: int = 0
    answers: Answers = Answers.PASS
    requests: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.target)
        forth = asyncio.create_task(self._forth(reader, upstream_writer))
        try:
            await self._back(upstream_reader, writer)
        finally:
            forth.cancel()
            for end in (writer, upstream_writer):
                end.close()
            await asyncio.gather(forth, writer.wait_closed(), upstream_writer.wait_closed(), return_exceptions=True)

    async def _forth(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            if piece.startswith(METHODS):
                self.requests.append(piece.split(b" ", 1)[0].decode())
            upstream.write(piece)
            await upstream.drain()
        upstream.close()

    async def _back(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await upstream.read(65536):
            if self.answers is Answers.CUT:
                return
            if self.answers is Answers.PASS:
                writer.write(piece)
                await writer.drain()


@asynccontextmanager
async def relay_to(target: int) -> AsyncIterator[Relay]:
    relay = Relay(target)
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await relay.serve(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
