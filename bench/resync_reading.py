"""The bulk reader and the mapping alone, in a process of their own: rows a second, memory, and patience when refused.

Run by bench.resync. Each partition's pages follow each other, the partitions go on side by side, as the bulk lane's do.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from shared import app as composition
from shared.clients.dynamics.bulk import BulkReader
from shared.clients.http import Http
from shared.connections import dynamics_config
from shared.domain.mapping import Mapping
from shared.domain.resync import PAGE_ROWS, Scope, Slice, by_time
from shared.errors import Retry
from shared.stores.clock import SystemClock

T = TypeVar("T")
PARTITIONS = 4
ALL = Scope("contact")
FIRST_WAIT_S = 1.0


@dataclass
class Read:
    """`refused`: requests that had to wait; anything else ends the run. Memory as the kernel has it."""

    rows: int = 0
    refused: int = 0
    took_s: float = 0.0
    cpu_s: float = 0.0
    idle_mb: float = 0.0
    peak_mb: float = 0.0


class _AnyToken:
    """For a server that asks for none."""

    async def token(self) -> str:
        """Any text."""
        return "any"

    async def renew(self, refused: str) -> str:
        """The same."""
        return refused


async def read(settings: str, elsewhere: str | None = None) -> Read:
    """All contacts, with what each profile should be. `elsewhere`: from that address, in one chain of pages."""
    config = composition.adopt(json.loads(settings))
    app = composition.build(config)
    await app.ports.refresh_mapping()
    mapping, found, http = app.ports.mappings().contact, Read(idle_mb=_peak_mb()), Http()
    at = replace(dynamics_config(config), url=elsewhere or config.dynamics_url)
    rows = app.bulk if elsewhere is None else BulkReader(at, http, _AnyToken(), SystemClock().now)
    began, cpu = time.perf_counter(), time.process_time()
    slices = [Slice()] if elsewhere else await _slices(rows, found)
    await asyncio.gather(*(_partition(rows, mapping, part, found) for part in slices))
    found.took_s, found.cpu_s = time.perf_counter() - began, time.process_time() - cpu
    found.peak_mb = _peak_mb()
    await http.close()
    await app.close()
    return found


async def _slices(rows: BulkReader, found: Read) -> list[Slice]:
    span = await _patiently(partial(rows.span, ALL), found)
    return by_time(*span, PARTITIONS) if span else [Slice()]


async def _partition(rows: BulkReader, mapping: Mapping, part: Slice, found: Read) -> None:
    position: str | None = None
    while True:
        page = await _patiently(partial(rows.page, mapping, (), ALL, part, PAGE_ROWS, position), found)
        for row in page.rows:
            found.rows += len(mapping.desired(row).digest) > 0
        position = page.position
        if position is None:
            return


async def _patiently(call: Callable[[], Awaitable[T]], found: Read) -> T:
    """As a page that comes back: after the time that the system asked for."""
    while True:
        try:
            return await call()
        except Retry as outcome:
            found.refused += 1
            await asyncio.sleep(FIRST_WAIT_S if outcome.after_s is None else outcome.after_s)


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    where = sys.argv[2] if len(sys.argv) > 2 else None
    sys.stdout.write(json.dumps(asdict(asyncio.run(read(text, where)))) + "\n")
