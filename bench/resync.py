"""`python -m bench.resync [rows]`: a resync beside Airbyte's source and beside dlt; memory; patience when refused."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import stand_ins
from bench.doors import Doors
from bench.environments import python_of
from bench.errors import BenchError
from bench.stand_ins import StandIns
from sandbox.addresses import ROOT
from sandbox.host_process import HostError, HostProcess

OURS, THEIRS = "London", "Paris"  # as many contacts of each: one half is the bridge's, the other dlt's
STORM, RETRY_AFTER_S = 8, 2
MEMORY_ROWS = (100_000, 1_000_000)
LONGEST_S = 1800.0
FREE_PORTS = range(17171, 17271)


@dataclass(frozen=True)
class Timed:
    """One run. `cpu_s`: of the process that did it, where it is one."""

    rows: int
    took_s: float
    cpu_s: float | None = None

    @property
    def per_s(self) -> float:
        """Rows a second."""
        return self.rows / self.took_s


@dataclass(frozen=True)
class Storm:
    """Refused reads. `asked_s`: the sum of what the answers asked for. `waited_s`: what the run took longer.

    `missing`: rows that were not read in the end; a run that fails in any other way ends the bench.
    """

    refused: int
    missing: int
    asked_s: float
    waited_s: float


@dataclass(frozen=True)
class Memory:
    """The reader's process. `idle_mb`: before the first row."""

    rows: int
    idle_mb: float
    peak_mb: float
    took_s: float


@dataclass(frozen=True)
class Found:
    """All that was measured. Of a load the first run finds no profile, the second finds nothing changed."""

    reading: Timed
    airbyte: Timed
    storm: Storm
    loads: tuple[Timed, Timed]
    dlt: tuple[Timed, Timed]
    memory: tuple[Memory, ...]


def main(
    rows: Annotated[int, typer.Argument(min=2000, help="How many contacts are read.")] = 20_000,
    *,
    loaded: Annotated[int, typer.Option(min=50, help="How many of them are loaded, by each.")] = 4000,
    memory: Annotated[bool, typer.Option(help="Measure memory, too: some minutes.")] = True,
    as_document: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")] = False,
) -> None:
    """A resync of contacts: reading with the mapping applied, end to end, memory, and a storm of refusals."""
    if 2 * loaded > rows:
        raise typer.BadParameter(f"twice {loaded:,} rows are loaded, of {rows:,} that are read", param_hint="--loaded")
    try:
        found = asyncio.run(_measure(rows, loaded, memory=memory))
    except (BenchError, HostError) as error:
        Console(stderr=True).print(f"[red]{error}[/red]")
        raise typer.Exit(1) from None
    typer.echo(json.dumps(asdict(found), indent=2)) if as_document else _show(found)


async def _measure(rows: int, loaded: int, *, memory: bool) -> Found:
    airbyte, dlt = python_of("airbyte"), python_of("dlt")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with stand_ins.running(Path(folder)) as parts, Doors(parts) as doors:
            os.environ |= {"SSL_CERT_FILE": str(parts.tls.ca), "REQUESTS_CA_BUNDLE": str(parts.tls.ca)}
            await doors.silence()
            for count, city in ((loaded, OURS), (loaded, THEIRS), (rows - 2 * loaded, "Rome")):
                await doors.create_many(count, city)
            settings = _settings(parts)
            reading = await _child(sys.executable, "-m", "bench.resync_reading", settings)
            theirs = await _child(str(airbyte), str(ROOT / "bench" / "airbyte_reading.py"), settings)
            again = await _child(sys.executable, "-m", "bench.resync_reading", settings)
            best = min(reading, again, key=lambda one: one["took_s"])
            storm = await _storm(doors, settings, rows, best["took_s"])
            loads, by_dlt = await _loads(parts, dlt, settings)
            sizes = MEMORY_ROWS if memory else ()
            kept = tuple([await _memory(parts, settings, size) for size in sizes])
    return Found(_timed(best), _timed(theirs), storm, loads, by_dlt, kept)


async def _storm(doors: Doors, settings: str, rows: int, undisturbed_s: float) -> Storm:
    await doors.storm(STORM, RETRY_AFTER_S)
    told = await _child(sys.executable, "-m", "bench.resync_reading", settings)
    waited_s = told["took_s"] - undisturbed_s
    return Storm(told["refused"], rows - told["rows"], STORM * RETRY_AFTER_S, waited_s)


async def _loads(parts: StandIns, dlt: Path, settings: str) -> tuple[tuple[Timed, Timed], tuple[Timed, Timed]]:
    """The bridge by its command, through its host, queues and ledger; dlt by its pipeline. In turns, each twice."""
    host = HostProcess(parts.settings, parts.host_port, parts.state / "host")
    await host.start()
    try:
        ours = [await _resync(str(host.settings_file), first=True)]
        by_dlt = [_timed(await _child(str(dlt), str(ROOT / "bench" / "dlt_load.py"), settings, THEIRS))]
        ours.append(await _resync(str(host.settings_file), first=False))
        by_dlt.append(_timed(await _child(str(dlt), str(ROOT / "bench" / "dlt_load.py"), settings, THEIRS)))
    finally:
        await host.stop()
    return (ours[0], ours[1]), (by_dlt[0], by_dlt[1])


async def _resync(settings: str, *, first: bool) -> Timed:
    """As the run's own report has it: from its beginning to the end of the last page. The forecast comes before."""
    city = f"{{column: address1_city, is: equals, value: {OURS}}}"
    words = ("contact", "--filter", city, "--yes", "--json", "--settings", settings)
    told = await _child(sys.executable, "-m", "cli", "resync", *words)
    if told["state"] != "finished" or any(one["ending"] != "settled" for one in told["counts"]):
        raise BenchError(f"the resync ended as {told['state']}: {told['counts']}")
    if told["create_first"] is not first:
        raise BenchError("the forecast took the first load for another one, or the other way round")
    return Timed(told["rows"], told["rows"] / told["rows_per_second"])


async def _memory(parts: StandIns, settings: str, rows: int) -> Memory:
    """With one chain of pages from a server that makes them up, since Campaign has no part in it."""
    port, tls = _free_port(), parts.tls.ca.parent
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.endless_contacts", str(port), str(rows), str(tls)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await server.stdout.readline()  # type: ignore[union-attr]  # a pipe, see above
        where = f"https://localhost:{port}"
        told = await _child(sys.executable, "-m", "bench.resync_reading", settings, where)
    finally:
        server.stdin.close()  # type: ignore[union-attr]  # a pipe, see above
        await server.wait()
    if told["rows"] != rows:
        raise BenchError(f"{told['rows']} of {rows} rows were read")
    return Memory(rows, told["idle_mb"], told["peak_mb"], told["took_s"])


async def _child(*command: str) -> dict[str, Any]:
    """The last line of what it prints is JSON, or all of it is."""
    child = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, complaint = await asyncio.wait_for(child.communicate(), LONGEST_S)
    if child.returncode:
        raise BenchError(f"{' '.join(command[:4])} ended with {child.returncode}: {complaint.decode()[-800:]}")
    with suppress(ValueError):
        whole: dict[str, Any] = json.loads(output)
        return whole
    last: dict[str, Any] = json.loads(output.splitlines()[-1])
    return last


def _settings(parts: StandIns) -> str:
    file = parts.state / "settings.json"
    file.write_text(json.dumps(dict(parts.settings)), encoding="utf-8")
    return str(file)


def _timed(told: Mapping[str, Any]) -> Timed:
    return Timed(told["rows"], told["took_s"], told["cpu_s"])


def _free_port() -> int:
    for port in FREE_PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise BenchError(f"no port of {FREE_PORTS.start} to {FREE_PORTS.stop - 1} is free")


def _show(found: Found) -> None:
    table = Table("", "rows", "rows a second", "of the other")
    pairs = [("reading, mapping applied", found.reading, found.airbyte, "Airbyte's source, as it comes")]
    for number, load in enumerate(("first load", "nothing changed")):
        pairs.append((f"end to end, {load}", found.loads[number], found.dlt[number], f"dlt, {load}"))
    for ours, own, other, theirs in pairs:
        table.add_row(ours, f"{own.rows:,}", f"{own.per_s:,.0f}", f"{own.per_s / other.per_s:.1f} times")
        table.add_row(theirs, f"{other.rows:,}", f"{other.per_s:,.0f}", "")
    console, storm = Console(), found.storm
    console.print(table)
    ratio = storm.waited_s / storm.asked_s
    console.print(
        f"Refused {storm.refused} times: {storm.missing} rows missing, {ratio:.2f} of the wait that was asked for."
    )
    for one in found.memory:
        console.print(f"{one.rows:,} rows: {one.peak_mb:.0f} MB at most, {one.idle_mb:.0f} before; {one.took_s:.0f} s.")


if __name__ == "__main__":
    typer.run(main)
