"""`python -m bench.optout_file [rows]`: a large opt-out file that agrees with Dynamics: rows a second, and memory."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import stand_ins
from bench.doors import Doors
from bench.errors import BenchError
from bench.stand_ins import StandIns
from sandbox.addresses import ROOT
from sandbox.sftp import EXPORTS
from shared import app as composition
from shared.domain.contact import Contact
from shared.engine import optout_file

NAME = "recipients_20261120_081532.txt"
CONTACTS = 500  # those of one comparison, over and over
MOST_WIRE_ROWS = 20_000
COLUMNS = ("blackListEmail", "blackListPhone", "blackListFax", "blackListPostalMail")


@dataclass(frozen=True)
class Measured:
    """One run over one file. `cpu_s`: processor time of the bridge's process alone.

    `peak_mb`: its largest resident memory, libraries and all; `idle_mb`: what it was before the file.
    """

    dynamics: str
    rows: int
    took_s: float
    cpu_s: float
    peak_mb: float
    idle_mb: float

    @property
    def per_s(self) -> float:
        """Rows a second, both readings of the file included."""
        return self.rows / self.took_s

    @property
    def per_cpu_s(self) -> float:
        """Rows for each second of processor time: what a core of its own could do at best."""
        return self.rows / self.cpu_s


class Everybody:
    """Dynamics in memory: every contact is there and has opted out of nothing."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns: Mapping[str, Any] = dict.fromkeys(columns)
        self._now = datetime.now(UTC)

    async def read_many(self, _table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        """All of them."""
        return {key: Contact(key, "1", self._now, self._columns) for key in ids}


def main(
    rows: Annotated[int, typer.Argument(min=1000, help="How many rows the file has.")] = 1_000_000,
    *,
    as_document: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """The file timer's run on SFTP and tables, once with Dynamics in memory, once with its stand-in over HTTPS."""
    try:
        found = asyncio.run(_measure(rows))
    except BenchError as error:
        Console(stderr=True).print(f"[red]{error}[/red]")
        raise typer.Exit(1) from None
    if as_document:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        _show(found)


async def _measure(rows: int) -> list[Measured]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with stand_ins.running(Path(folder)) as parts, Doors(parts) as doors:
            strangers = [str(uuid.UUID(int=number)) for number in range(rows)]
            in_memory = await _run(parts, strangers, "memory")
            ids = await doors.create(CONTACTS)
            some = [ids[number % CONTACTS] for number in range(min(rows, MOST_WIRE_ROWS))]
            return [in_memory, await _run(parts, some, "stand-in")]


async def _run(parts: StandIns, ids: Sequence[str], dynamics: str) -> Measured:
    """In a process of its own: its memory is nobody else's."""
    await asyncio.to_thread(_write, parts.state / "sftp" / EXPORTS / NAME, ids)
    settings = parts.state / "settings.json"
    settings.write_text(json.dumps(dict(parts.settings)), encoding="utf-8")
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.optout_file", "--measured", str(settings), dynamics),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await child.communicate()
    if child.returncode:
        raise BenchError(f"the run with Dynamics in {dynamics} ended with {child.returncode}")
    found = Measured(**json.loads(output))
    if found.rows != len(ids):
        raise BenchError(f"{found.rows} of {len(ids)} rows were compared")
    return found


def _write(path: Path, ids: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(";".join(["externalId", "lastName", *COLUMNS]) + "\n")
        file.writelines(f"{key};Somebody;false;false;false;false\n" for key in ids)


async def _timed(settings: str, dynamics: str) -> Measured:
    config = composition.adopt(json.loads(settings))
    app = composition.build(config)
    ports = app.ports
    await ports.refresh_mapping()
    if dynamics == "memory":
        in_memory: Any = Everybody(ports.mappings().contact.columns)
        ports = replace(ports, dynamics=in_memory)
    idle_mb = _peak_mb()
    policy = replace(config.file_policy(), settle_s=0)
    began, cpu_began = time.perf_counter(), time.process_time()
    tally = await optout_file.run(ports, policy)
    while not tally.files:
        tally = await optout_file.run(ports, policy)
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    await app.close()
    if tally.hints:
        raise BenchError(f"{tally.hints} rows disagreed")
    return Measured(dynamics, tally.rows, took_s, cpu_s, _peak_mb(), idle_mb)


def _peak_mb() -> float:
    """From the kernel's own account: what getrusage says begins with the parent's size."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def _show(found: Sequence[Measured]) -> None:
    table = Table("Dynamics in", "rows", "rows a second", "… of its processor time", "peak memory", "before the file")
    for one in found:
        counts = (f"{one.rows:,}", f"{one.per_s:,.0f}", f"{one.per_cpu_s:,.0f}")
        table.add_row(one.dynamics, *counts, f"{one.peak_mb:.0f} MB", f"{one.idle_mb:.0f} MB")
    Console().print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measured"]:
        measured = asyncio.run(_timed(Path(sys.argv[2]).read_text(encoding="utf-8"), sys.argv[3]))
        sys.stdout.write(json.dumps(asdict(measured)) + "\n")
    else:
        typer.run(main)
