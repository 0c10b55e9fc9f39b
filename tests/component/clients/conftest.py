"""A server that does as it is told, and an HTTP client that is closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.clients.calls import CallRecord
from shared.clients.http import Http
from tests.component.clients.scripted_server import ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as running:
        yield running


@pytest.fixture
def calls() -> list[CallRecord]:
    """What the client told its observer."""
    return []


@pytest.fixture
async def http(calls: list[CallRecord]) -> AsyncIterator[Http]:
    client = Http(calls.append)
    yield client
    await client.close()
