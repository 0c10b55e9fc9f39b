"""Azurite, Microsoft's storage emulator, as a child process: blobs, tables and queues on one machine."""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sandbox import node

HOST = "127.0.0.1"
# The account and key that Microsoft publishes for emulators; they open nothing else.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
LOOK_AGAIN_S = 0.02
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at http://[^:]+:(\d+)")
# The pipe to its stdin closes when this process ends, however it ends; SIGTERM makes Azurite write its files first.
_END_WITH_PARENT = (
    "data:text/javascript,process.stdin.on('end',()=>process.kill(process.pid,'SIGTERM')).resume().unref()"
)


class AzuriteError(RuntimeError):
    """Azurite did not start; the text holds its last words."""


@dataclass(frozen=True)
class Azurite:
    """A running Azurite. It ends with `stop`, or with the process that started it."""

    blob_port: int
    queue_port: int
    table_port: int
    process: subprocess.Popen[bytes]

    @property
    def connection_string(self) -> str:
        """For every Azure storage client, of all three services."""
        endpoints = {"Blob": self.blob_port, "Queue": self.queue_port, "Table": self.table_port}
        parts = [f"{service}Endpoint=http://{HOST}:{port}/{ACCOUNT};" for service, port in endpoints.items()]
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};" + "".join(parts)

    async def stop(self) -> None:
        """Let it write its files and end; after 10 s it is killed."""
        await asyncio.to_thread(_end, self.process)


async def start(state: Path | None, *, blob_port: int = 0, table_port: int = 0, queue_port: int = 0) -> Azurite:
    """Start it and wait until all three services listen. Port 0: a free one. `state` None: nothing outlives it.

    Installs the Node packages if they are not there. Raises NodeError, AzuriteError.
    """
    modules = await asyncio.to_thread(node.install)
    tools = await asyncio.to_thread(node.ensure_node)
    script = modules / "azurite" / "dist" / "src" / "azurite.js"
    ports = ["--blobPort", str(blob_port), "--tablePort", str(table_port), "--queuePort", str(queue_port)]
    hosts = ["--blobHost", HOST, "--tableHost", HOST, "--queueHost", HOST]
    storage = ["--inMemoryPersistence"] if state is None else ["--location", str(state)]
    options = [*ports, *hosts, *storage, "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
    with tempfile.NamedTemporaryFile(mode="ab") as output:
        process = _spawn([str(tools.node), "--import", _END_WITH_PARENT, str(script), *options], output)
        try:
            found = await _listening(process, Path(output.name))
        except BaseException:
            await asyncio.to_thread(_end, process)
            raise
    return Azurite(found["Blob"], found["Queue"], found["Table"], process)


def _spawn(command: list[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    # A file, not a pipe: nobody has to keep reading it.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603


async def _listening(process: subprocess.Popen[bytes], output: Path) -> dict[str, int]:
    text = ""
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                text = _read(output)
                found = {service: int(port) for service, port in _LISTENING.findall(text)}
                if len(found) == 3:
                    return found
                if process.poll() is not None:
                    raise AzuriteError(f"Azurite ended at its start: {_last_words(text)}")
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError:
        raise AzuriteError(f"Azurite did not start in {START_TIMEOUT_S:g} s: {_last_words(text)}") from None


def _read(output: Path) -> str:
    return output.read_text("utf-8", "replace")


def _last_words(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-3:]) or "it said nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
