"""The bulk reader and the mapping alone, in a process of their own: rows a second, memory, and patience when refused.

Run by bench.resync. Each partition's pages follow each other, the partitions go on side by side, as the bulk lane's do.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from shared import app as composition
from shared.app import App
from shared.domain.mapping import Mapping
from shared.domain.resync import PAGE_ROWS, Scope, Slice, by_time
from shared.errors import Retry

T = TypeVar("T")
PARTITIONS = 4
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


async def read(settings: str, slices: Sequence[Slice] | None = None) -> Read:
    """All contacts, with what each profile should be."""
    app = composition.build(composition.adopt(json.loads(settings)))
    await app.ports.refresh_mapping()
    mapping, scope, found = app.ports.mappings().contact, Scope("contact"), Read(idle_mb=_peak_mb())
    began, cpu = time.perf_counter(), time.process_time()
    if slices is None:
        span = await _patiently(partial(app.bulk.span, scope), found)
        slices = by_time(*span, PARTITIONS) if span else [Slice()]
    await asyncio.gather(*(_partition(app, mapping, scope, part, found) for part in slices))
    found.took_s, found.cpu_s = time.perf_counter() - began, time.process_time() - cpu
    found.peak_mb = _peak_mb()
    await app.close()
    return found


async def _partition(app: App, mapping: Mapping, scope: Scope, part: Slice, found: Read) -> None:
    position: str | None = None
    while True:
        page = await _patiently(partial(app.bulk.page, mapping, (), scope, part, PAGE_ROWS, position), found)
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
    one_chain = [Slice()] if sys.argv[2:] == ["one"] else None
    sys.stdout.write(json.dumps(asdict(asyncio.run(read(text, one_chain)))) + "\n")
