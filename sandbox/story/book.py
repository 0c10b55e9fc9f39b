"""What a chapter needs: the world, the people, patience, and a list of expectations that held or did not."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sandbox.addresses import ROOT
from sandbox.garage import Lineage
from sandbox.people import People, Row
from sandbox.world import World

Holds = Callable[[], Awaitable[bool] | bool]
PATIENCE_S = 60.0
LOOK_AGAIN_S = 0.1


@dataclass(frozen=True)
class Expectation:
    """`chapter: what`, and whether it came true within the time."""

    chapter: str
    what: str
    held: bool
    after_s: float


@dataclass
class Book:
    """`contacts`: ids in the order of creation, `lineages` those of the last ones' vehicles and all below them.

    `stranger`: a profile of Campaign's own. `numbers`: the summary. `costs`: engine calls, by what they were for.
    """

    world: World
    people: People
    tell: Callable[[str], None]
    contacts: list[str] = field(default_factory=list)
    lineages: list[Lineage] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    costs: dict[str, int] = field(default_factory=dict)
    stranger: Row = field(default_factory=dict)
    chapter: str = ""

    def open(self, chapter: str) -> None:
        """Begin a chapter."""
        self.chapter = chapter
        self.tell(f"[bold]{chapter}[/bold]")

    async def expect(self, what: str, holds: Holds, patience_s: float = PATIENCE_S) -> None:
        """Wait until it holds; note whether it did."""
        began = time.monotonic()
        held = await self.until(holds, patience_s)
        after_s = time.monotonic() - began
        self.expectations.append(Expectation(self.chapter, what, held, after_s))
        self.tell(f"  {'[green]✓[/green]' if held else '[red]✗[/red]'} {what} [dim]{after_s:.1f} s[/dim]")

    async def until(self, holds: Holds, patience_s: float = PATIENCE_S) -> bool:
        """Wait until it holds; whether it did in time."""
        until = time.monotonic() + patience_s
        while True:
            answer = holds()
            if await answer if inspect.isawaitable(answer) else answer:
                return True
            if time.monotonic() > until:
                return False
            await asyncio.sleep(LOOK_AGAIN_S)

    async def bridge(self, *words: str) -> bool:
        """Run the command with the function app's settings; whether it says that all is well."""
        return (await self._run(*words))[0]

    async def show(self, *words: str) -> str:
        """Run the command, and tell what it says."""
        _, output = await self._run(*words)
        self.tell(output)
        return output

    async def _run(self, *words: str) -> tuple[bool, str]:
        settings = str(self.world.host.settings_file)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *words, "--settings", settings),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        said = output.decode(errors="replace")
        if process.returncode:
            self.tell(said)
        return process.returncode == 0, said

    async def at_rest(self) -> bool:
        """No message waits for work or for its time."""
        counts = self.world.broker.counts()
        return not any(n["active"] + n["locked"] + n["scheduled"] for name, n in counts.items() if name != "parked")
