"""`python -m sandbox.host` as a process: exit codes, signals, reloads, and being killed in the middle of a call."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from sandbox.service_bus import QueueSettings
from sandbox.service_bus import start as start_broker
from tests.contract.host.conftest import AppFolder, soon

pytestmark = pytest.mark.timeout(60)

ROOT = Path(__file__).parents[3]


class Process:
    """A host process whose output is collected."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child
        self.output = ""
        self._reader = asyncio.create_task(self._read())

    @property
    def url(self) -> str:
        return str(re.findall(r"Host running at (\S+)", self.output)[-1])

    async def running(self, times: int = 1) -> None:
        await soon(lambda: self.output.count("Host running at") == times or self.child.returncode is not None, 20)
        assert self.child.returncode is None, self.output

    def said(self, words: str, times: int) -> bool:
        return self.output.count(words) == times

    async def ended(self) -> int:
        code = await asyncio.wait_for(self.child.wait(), 20)
        await self._reader
        return code

    async def _read(self) -> None:
        assert self.child.stdout is not None
        async for line in self.child.stdout:
            self.output += line.decode()


RunHost = Callable[..., Awaitable[Process]]


@pytest.fixture
async def run_host(app_folder: AppFolder) -> AsyncIterator[RunHost]:
    started: list[Process] = []

    async def run(*arguments: str, environment: dict[str, str] | None = None) -> Process:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "sandbox.host", "--app", str(app_folder.path), "--port", "0", *arguments),
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        started.append(Process(child))
        return started[-1]

    yield run
    for process in started:
        if process.child.returncode is None:
            process.child.kill()
        await process.ended()


async def text(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url) as answer:
        return await answer.text()


SAYS = """
import os
@app.route()
async def says(req: func.HttpRequest) -> str:
    return WORDS
"""


WRITES_ONCE = """
import pathlib
written = pathlib.Path(__file__).with_name("written.json")
if not written.exists():
    written.write_text("{}")
"""


async def test_settings_come_from_file_environment_and_command_line(
    app_folder: AppFolder, run_host: RunHost, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    app_folder.write(SAYS.replace("WORDS", "' '.join(os.environ[f'HOST_TEST_{n}'] for n in 'ABC')"))
    file = tmp_path / "local.settings.json"
    file.write_text(json.dumps({"IsEncrypted": False, "Values": {f"HOST_TEST_{n}": "file" for n in "BC"}}))
    process = await run_host(
        *("--settings", str(file), "--set", "HOST_TEST_C=set=1"),
        environment={f"HOST_TEST_{n}": "environment" for n in "ABC"},
    )
    await process.running()
    assert await text(http, f"{process.url}/api/says") == "environment file set=1"
    process.child.send_signal(signal.SIGTERM)
    assert await process.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_stops_after_the_call_in_flight(
    app_folder: AppFolder, run_host: RunHost, http: aiohttp.ClientSession, number: signal.Signals
) -> None:
    app_folder.write(SAYS.replace("return WORDS", "await asyncio.sleep(0.5)\n    return 'done'"))
    process = await run_host()
    await process.running()
    call = asyncio.create_task(text(http, f"{process.url}/api/says"))
    await soon(lambda: "Executing 'Functions.says'" in process.output)
    process.child.send_signal(number)
    assert await call == "done"
    assert await process.ended() == 0


async def test_does_not_wait_for_ever_for_a_thread(app_folder: AppFolder, run_host: RunHost) -> None:
    app_folder.write("""
        import time
        @app.timer_trigger(arg_name="timer", schedule="0 0 0 29 2 *", run_on_startup=True)
        def stuck(timer: func.TimerRequest) -> None:
            time.sleep(600)
    """)
    process = await run_host("--drain", "0.2")
    await process.running()
    await soon(lambda: "Executing 'Functions.stuck'" in process.output)
    process.child.send_signal(signal.SIGTERM)
    assert await process.ended() == 0
    assert "1 synchronous calls still run" in process.output


async def test_refusal_is_one_message_and_exit_code_2(app_folder: AppFolder, run_host: RunHost) -> None:
    app_folder.write("""
        @app.service_bus_queue_trigger(arg_name="msg", queue_name="%QUEUE%", connection="Bus",
                                       data_type=func.DataType.BINARY)
        async def one(msg: func.ServiceBusMessage): ...
    """)
    process = await run_host()
    assert await process.ended() == 2
    assert process.output.count("refused:") == 1
    assert "QUEUE" in process.output
    assert "Bus__fullyQualifiedNamespace" in process.output
    assert "Traceback" not in process.output


async def test_a_taken_port_is_refused(app_folder: AppFolder, run_host: RunHost) -> None:
    app_folder.write(SAYS.replace("WORDS", "''"))
    first = await run_host()
    await first.running()
    second = await run_host("--port", first.url.rsplit(":", 1)[1])
    assert await second.ended() == 2
    assert "refused: cannot listen on 127.0.0.1:" in second.output


async def test_sighup_loads_the_app_anew_in_the_same_process(
    app_folder: AppFolder, run_host: RunHost, http: aiohttp.ClientSession
) -> None:
    app_folder.write(SAYS.replace("WORDS", "f'one {os.getpid()}'"))
    process = await run_host()
    await process.running()
    assert await text(http, f"{process.url}/api/says") == f"one {process.child.pid}"
    app_folder.write(SAYS.replace("WORDS", "f'two {os.getpid()}'"))
    process.child.send_signal(signal.SIGHUP)
    await process.running(times=2)
    assert await text(http, f"{process.url}/api/says") == f"two {process.child.pid}"


async def test_watch_reloads_and_survives_a_refused_app(
    app_folder: AppFolder, run_host: RunHost, http: aiohttp.ClientSession
) -> None:
    app_folder.write(SAYS.replace("WORDS", "'one'"))
    process = await run_host("--watch")
    await process.running()
    for broken, times in (("del app", 1), ("1 +", 2)):
        app_folder.write(broken)
        await soon(partial(process.said, "waiting for a change", times))
    assert "refused: Could not find" in process.output
    assert "SyntaxError" in process.output
    app_folder.write(SAYS.replace("WORDS", "'three'"))
    await process.running(times=2)
    assert await text(http, f"{process.url}/api/says") == "three"


async def test_watch_sees_what_changes_while_the_app_is_loaded(app_folder: AppFolder, run_host: RunHost) -> None:
    app_folder.write(SAYS.replace("WORDS", "'one'") + WRITES_ONCE)
    process = await run_host("--watch")
    await process.running(times=2)


async def test_kill_on_timeout_starts_the_process_image_anew(
    app_folder: AppFolder, run_host: RunHost, http: aiohttp.ClientSession
) -> None:
    app_folder.write(
        SAYS.replace("return WORDS", "await asyncio.sleep(0 if 'quick' in req.params else 60)\n    return 'quick'"),
        {"functionTimeout": "00:00:00.3"},
    )
    process = await run_host("--kill-on-timeout")
    await process.running()
    with pytest.raises(aiohttp.ClientError):
        await text(http, f"{process.url}/api/says")
    await process.running(times=2)
    assert await text(http, f"{process.url}/api/says?quick=1") == "quick"


async def test_a_message_survives_a_host_killed_in_mid_call(app_folder: AppFolder, run_host: RunHost) -> None:
    app_folder.write("""
        import pathlib, os
        @app.service_bus_queue_trigger(arg_name="msg", queue_name="work", connection="Bus",
                                       data_type=func.DataType.BINARY)
        async def handler(msg: func.ServiceBusMessage) -> None:
            print("delivery", msg.delivery_count, flush=True)
            await asyncio.sleep(60 if os.environ["HOST_TEST_HANG"] == "yes" else 0)
    """)
    broker = await start_broker([QueueSettings(name="work", lock_duration_s=2)])
    bus = ("--set", f"Bus={broker.connection_string}")
    first = await run_host(*bus, "--set", "HOST_TEST_HANG=yes")
    async with (
        ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client,
        client.get_queue_sender("work") as sender,
    ):
        await sender.send_messages(ServiceBusMessage(b"x"))
    await soon(lambda: "delivery 1" in first.output, 20)
    first.child.kill()
    await first.ended()
    second = await run_host(*bus, "--set", "HOST_TEST_HANG=no")
    await soon(lambda: "(Succeeded" in second.output, 20)
    assert "delivery 2" in second.output
    await soon(lambda: broker.counts()["work"]["locked"] == 0)
    assert broker.counts()["work"]["active"] == 0
    second.child.send_signal(signal.SIGTERM)
    assert await second.ended() == 0
    await broker.stop()
