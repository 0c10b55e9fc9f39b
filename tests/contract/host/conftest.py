"""Small function apps in temporary folders, and hosts that run them in this process."""

from __future__ import annotations

import asyncio
import json
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.host import Host, start

HEADER = """
from __future__ import annotations
import asyncio
import azure.functions as func
app = func.FunctionApp()
"""


async def soon(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Wait until `condition` holds; raises TimeoutError when it does not in time."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


class AppFolder:
    """A folder that becomes a function app."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, source: str, host_json: dict[str, Any] | None = None) -> Path:
        (self.path / "function_app.py").write_text(HEADER + textwrap.dedent(source))
        (self.path / "host.json").write_text(json.dumps({"version": "2.0"} | (host_json or {})))
        return self.path


@pytest.fixture
def app_folder(tmp_path: Path) -> AppFolder:
    folder = tmp_path / "app"
    folder.mkdir()
    return AppFolder(folder)


StartHost = Callable[..., Awaitable[Host]]


@pytest.fixture
async def start_host(app_folder: AppFolder) -> AsyncIterator[StartHost]:
    """Write an app from its source and start it; everything is stopped after the test."""
    hosts: list[Host] = []

    async def run(
        source: str,
        settings: dict[str, str] | None = None,
        *,
        host_json: dict[str, Any] | None = None,
        **options: Any,
    ) -> Host:
        app_folder.write(source, host_json)
        hosts.append(await start(app_folder.path, settings or {}, **options))
        return hosts[-1]

    yield run
    for host in hosts:
        await host.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
