"""Waits for a change in an app's folder, by looking at modification times."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

_SKIPPED = {"__pycache__", "node_modules", "site-packages"}
_WATCHED = {".py", ".json", ".yaml"}
_PAUSE_S = 1.0


async def change_below(folder: Path, others: Iterable[Path] = ()) -> None:
    """Return once a Python, JSON or YAML file below `folder`, or one of `others`, appeared, changed or went."""
    files = tuple(others)
    before = await asyncio.to_thread(_stamps, folder, files)
    while True:
        await asyncio.sleep(_PAUSE_S)
        if await asyncio.to_thread(_stamps, folder, files) != before:
            return


def _stamps(folder: Path, others: Iterable[Path]) -> dict[str, int]:
    stamps = {str(path): path.stat().st_mtime_ns for path in others if path.exists()}
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        for name in files:
            if Path(name).suffix in _WATCHED:
                path = os.path.join(root, name)
                stamps[path] = os.stat(path).st_mtime_ns
    return stamps
