"""Waits for a change in an app's folder, by looking at modification times."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

_SKIPPED = {"__pycache__", "node_modules", "site-packages"}
_WATCHED = {".py", ".json", ".yaml"}
_PAUSE_S = 1.0


class Watch:
    """Over the Python, JSON and YAML files below `folder`, and `others`, from its making on.

    Made before the app is loaded: what changes while it loads is a change, too.
    """

    def __init__(self, folder: Path, others: Iterable[Path] = ()) -> None:
        self._folder, self._others = folder, tuple(others)
        self._before = _stamps(self._folder, self._others)

    async def change(self) -> None:
        """Return once one of them appeared, changed or went."""
        while True:
            if await asyncio.to_thread(_stamps, self._folder, self._others) != self._before:
                return
            await asyncio.sleep(_PAUSE_S)


def _stamps(folder: Path, others: Iterable[Path]) -> dict[str, int]:
    stamps = {str(path): path.stat().st_mtime_ns for path in others if path.exists()}
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        for name in files:
            if Path(name).suffix in _WATCHED:
                path = os.path.join(root, name)
                stamps[path] = os.stat(path).st_mtime_ns
    return stamps
