"""The long form: `python -m tests.component.replaying killed 10000` and `… long 100000`; prints what was measured."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.component.replaying.stage import Stage, assert_each_once, opened


async def killed(stage: Stage, count: int, seed: int, kills: int) -> None:
    """A replay of so many letters, killed so many times."""
    expected = await stage.fill(count)
    start = time.monotonic()
    async with stage.worker():
        done = await stage.replay_killed(seed, kills, "replay", "--all", "--yes", "--why", "killed at random")
    assert_each_once(stage.settled, expected)
    assert stage.waiting == 0
    say(f"seed {seed}: {count:,} letters, killed {done} times, each settled exactly once", start)


async def long(stage: Stage, count: int) -> None:
    """List, export and replay one kind of letters among many others, each with the command's highest memory."""
    expected = await stage.fill(count, chosen=lambda number: number % 2 == 1)
    for words in (
        ("list",),
        ("export", "--format", "csv", "--to", os.devnull),
        ("replay", "--reason", "refused_value"),
    ):
        start = time.monotonic()
        more = ("--yes", "--why", "memory is measured") if words[0] == "replay" else ()
        process = await stage.command(*words, *more)
        peak_mb, ended = 0.0, asyncio.create_task(process.communicate())
        while not ended.done():
            peak_mb = max(peak_mb, resident_mb(process.pid))
            await asyncio.sleep(0.1)
        output, complaint = await ended
        assert process.returncode == 0, output.decode() + complaint.decode()
        say(f"{count:,} letters, {' '.join(words)}: {peak_mb:.0f} MB at most", start)
    async with stage.worker():
        pass
    assert_each_once(stage.settled, expected)
    assert stage.waiting == count - len(expected)


def resident_mb(pid: int) -> float:
    """What the process holds in memory now; 0 when it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def say(text: str, start: float) -> None:
    """One line of the result."""
    sys.stdout.write(f"{text}; {time.monotonic() - start:.0f} s\n")
    sys.stdout.flush()


async def main() -> None:
    """As the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["killed", "long"])
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder)) as stage:
            if asked.what == "killed":
                await killed(stage, asked.count, asked.seed, asked.kills)
            else:
                await long(stage, asked.count)


if __name__ == "__main__":
    asyncio.run(main())
