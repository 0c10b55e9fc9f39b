"""The sandbox as a command: it ends on Ctrl-C, and leaves no process behind even when it is killed."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.component.sandbox.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.timeout(120)]


def alive(pid: int) -> bool:
    """Whether the process still runs; one that only waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    """All processes below it."""
    found = [
        int(text) for task in Path(f"/proc/{pid}/task").iterdir() for text in (task / "children").read_text().split()
    ]
    return found + [below for child in found for below in children(child)]


async def started(state: Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "sandbox", "run", "--keep", "--state", str(state)]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    seen = b""
    while b"Try next" not in seen:
        piece = await asyncio.wait_for(process.stdout.read(4096), 60)
        assert piece, seen.decode()
        seen += piece
    return process


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_nothing_is_left_behind(tmp_path: Path, how: signal.Signals) -> None:
    process = await started(tmp_path / "state")
    below = children(process.pid)
    assert len(below) >= 2, "the Functions host and Azurite"
    process.send_signal(how)
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.read(), 40)
    code = await asyncio.wait_for(process.wait(), 40)
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    assert await eventually(lambda: not any(alive(pid) for pid in below), 20), below
