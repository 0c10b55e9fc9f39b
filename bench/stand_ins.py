"""The stand-ins in a process of their own, so that they and the measured host do not share one event loop."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import BenchError
from sandbox import world
from sandbox.addresses import ROOT, free
from sandbox.provisioning import provision
from sandbox.tls import Tls, ensure_tls

NEVER = "0 0 0 1 1 *"  # once a year: a timer's run would fall into some measurements and not into others
TIMERS = ("OPTOUT_FILE", "EVENT_EGRESS", "LEDGER_CHECKS", "JOURNAL_SEAL")
NO_TIMERS = {f"{timer}_SCHEDULE": NEVER for timer in TIMERS}
# Below the range of outgoing connections: while the host is down, one of the raw loop's could take its port.
HOST_PORTS = range(17071, 17171)
SHIPPED = {"MAPPING_FILE": "mapping.yaml"}  # not the sandbox's, whose contacts have children to look for
LINE_LIMIT_BYTES = 1 << 20
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class StandIns:
    """Dynamics, Campaign, Service Bus, SFTP and Azurite, running. `settings` are those for a function app."""

    settings: Mapping[str, str]
    host_port: int
    state: Path
    tls: Tls


@asynccontextmanager
async def running(state: Path) -> AsyncIterator[StandIns]:
    """Start them below this process, with their data in `state`; they end with the block, or with this process.

    The webhook is registered for a function app at `host_port`, which the caller starts. Raises BenchError.
    """
    with (state / "stand_ins.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.stand_ins", str(state)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            limit=LINE_LIMIT_BYTES,
        )
        try:
            yield await _told(process, state)
        finally:
            process.stdin.close()  # type: ignore[union-attr]  # a pipe, see above
            await _ended(process)


async def _told(process: asyncio.subprocess.Process, state: Path) -> StandIns:
    line = await process.stdout.readline()  # type: ignore[union-attr]  # a pipe, see above
    if not line:
        words = (state / "stand_ins.log").read_text(encoding="utf-8", errors="replace").splitlines()
        raise BenchError("\n".join(["the stand-ins did not start:", *words[-10:]]))
    told = json.loads(line)
    return StandIns(told["settings"], told["host_port"], state, ensure_tls(state / "tls"))


async def _ended(process: asyncio.subprocess.Process) -> None:
    """By itself, or killed: what it keeps is thrown away with the run, and Azurite ends with it."""
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _serve(state: Path) -> None:
    started = await world.start(replace(free(), host=_host_port()), state, overrides=NO_TIMERS | SHIPPED)
    try:
        await provision(started)
        await started.host.stop()  # the parent starts its own, to listen to it
        told = {"settings": dict(started.settings), "host_port": started.addresses.host}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await started.stop()


def _host_port() -> int:
    for port in HOST_PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise BenchError(f"no port of {HOST_PORTS.start} to {HOST_PORTS.stop - 1} is free")


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
