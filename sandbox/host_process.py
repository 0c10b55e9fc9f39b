"""The local Functions host as a child process: started, killed, started again; its decisions are read from its log."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from sandbox.addresses import ROOT

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
_SAID = re.compile(r" bridge \[[^]]*\] (decision|counted|alarm) (\{.*\})$")


class HostError(RuntimeError):
    """The host did not start; the text holds its last words."""


@dataclass
class Heard:
    """What the app said in its log since the sandbox started."""

    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    lags_s: deque[float] = field(default_factory=lambda: deque(maxlen=100_000))
    last: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=50))
    alarms: list[dict[str, Any]] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)

    def take(self, line: str) -> None:
        """Read one log line."""
        if found := _SAID.search(line):
            self._note(found[1], json.loads(found[2]))

    def _note(self, kind: str, said: dict[str, Any]) -> None:
        if kind == "alarm":
            self.alarms.append(said)
        elif kind == "counted":
            self.counted[said["what"]] += 1
        else:
            self.reasons[said["lane"], said["reason"]] += 1
            self.last.append(said)
            if "again_in_s" not in said and "lag_s" in said:
                self.lags_s.append(said["lag_s"])


class HostProcess:
    """`url` is where its HTTP triggers and its admin API answer."""

    def __init__(self, settings: Mapping[str, str], port: int, state: Path) -> None:
        self._settings = dict(settings)
        self._port = port
        self._state = state
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._tail: deque[str] = deque(maxlen=40)
        self.heard = Heard()
        self.settings_file = state / "settings.json"
        self.url = f"http://localhost:{port}"

    async def start(self) -> None:
        """Start it and wait until it runs. Raises HostError."""
        self._state.mkdir(parents=True, exist_ok=True)
        document = {"IsEncrypted": False, "Values": self._settings}
        self.settings_file.write_text(json.dumps(document), encoding="utf-8")
        command = [sys.executable, "-m", "sandbox.host", "--app", str(ROOT), "--settings", str(self.settings_file)]
        options = ["--port", str(self._port), "--state", str(self._state), "--end-with-stdin"]
        environment = {name: value for name, value in os.environ.items() if name not in self._settings}
        self._process = await asyncio.create_subprocess_exec(
            *command,
            *options,
            cwd=ROOT,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        await self._until_running()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with (self._state / "host.log").open("a", encoding="utf-8") as log:
            async for raw in process.stdout:
                line = raw.decode(errors="replace").rstrip()
                log.write(line + "\n")
                log.flush()
                self._tail.append(line)
                self.heard.take(line)

    async def _until_running(self) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not await self._is_running():
                    if self._process is None or self._process.returncode is not None:
                        break
                    await asyncio.sleep(0.05)
                else:
                    return
        except TimeoutError:
            pass
        await self.stop()
        raise HostError("\n".join(["the Functions host did not start:", *self._tail]))

    async def _is_running(self) -> bool:
        try:
            return bool((await self.status()).get("state") == "Running")
        except aiohttp.ClientError:
            return False

    async def status(self) -> dict[str, Any]:
        """As the host's admin API tells it."""
        found: dict[str, Any] = await self._told("host/status")
        return found

    async def metrics(self) -> list[dict[str, Any]]:
        """The app's OpenTelemetry metrics since the process began; `sandbox.host.metrics.Point` says their form."""
        found: list[dict[str, Any]] = await self._told("metrics")
        return found

    async def _told(self, what: str) -> Any:  # noqa: ANN401 - a JSON document
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/admin/{what}") as answer:
            return await answer.json()

    async def fire(self, timer: str) -> None:
        """Run a timer now and wait for its end. Raises HostError."""
        url = f"{self.url}/admin/functions/{timer}?wait=1"
        async with aiohttp.ClientSession() as session, session.post(url) as answer:
            if answer.status != 200:
                raise HostError(f"{timer}: {await answer.text()}")

    async def restart(self, **changed: str) -> None:
        """Stop it and start it with other values for some settings, as a change of app settings does."""
        await self.stop()
        self._settings |= changed
        await self.start()

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM; calls in flight may end. SIGKILL after 15 s."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(how)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader
