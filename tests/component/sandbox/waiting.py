"""Waiting for what must become true, with a bound."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

from sandbox.world import World

Holds = Callable[[], Awaitable[bool] | bool]


async def eventually(holds: Holds, within_s: float = 40) -> bool:
    """Whether it came true in time."""
    until = time.monotonic() + within_s
    while True:
        answer = holds()
        if await answer if inspect.isawaitable(answer) else answer:
            return True
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.1)


async def at_rest(world: World, within_s: float = 60) -> bool:
    """No message waits for work or for its time."""

    def empty() -> bool:
        counts = world.broker.counts()
        return not any(n["active"] + n["locked"] + n["scheduled"] for name, n in counts.items() if name != "parked")

    return await eventually(empty, within_s)


async def sweep(world: World) -> None:
    """A whole run of the change sweep."""
    runs = world.host.heard.counted["change_sweep"]
    await world.host.fire("change_sweep")
    assert await eventually(lambda: world.host.heard.counted["change_sweep"] > runs)
