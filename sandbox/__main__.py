"""`python -m sandbox`: the local world, its story, and a live picture of it."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from sandbox import picture, world
from sandbox.addresses import free, usual_or_free
from sandbox.azurite import AzuriteError
from sandbox.host_process import HostError
from sandbox.node import NodeError
from sandbox.people import People
from sandbox.provisioning import ProvisioningFailedError, provision
from sandbox.story.play import play, summary

commands = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
FRAME_S = 0.5
State = Annotated[Path, typer.Option(help="Where the stand-ins keep their data.")]
Keep = Annotated[bool, typer.Option("--keep", help="Go on with the data of the last time, without the story.")]


@commands.command()
def story() -> None:
    """Play the story once in a fresh world, check every expectation, print the summary; exit 0 if all held."""
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        held = _run(_story(Path(folder)))
    raise typer.Exit(0 if held else 1)


@commands.command()
def run(state: State = world.STATE, *, keep: Keep = False) -> None:
    """Start everything in a fresh world, play the story, and stay up with a live picture until Ctrl-C."""
    if not keep:
        shutil.rmtree(state, ignore_errors=True)
    _run(_stay(state, with_story=not keep))


async def _story(state: Path) -> bool:
    console = Console()
    with console.status("Starting the sandbox …"):
        sandbox = await world.start(free(), state)
    try:
        async with People(sandbox) as people:
            return await summary(await play(sandbox, people, console.print), console)
    finally:
        await sandbox.stop()


async def _stay(state: Path, *, with_story: bool) -> bool:
    console = Console()
    with console.status("Starting the sandbox …"):
        sandbox = await _at_usual_ports(state)
    try:
        async with People(sandbox) as people:
            console.print(picture.urls(sandbox))
            if with_story:
                await summary(await play(sandbox, people, console.print), console)
            else:
                await provision(sandbox)
            console.print(picture.what_next(sandbox))
            with Live(console=console, auto_refresh=False) as live:
                while True:
                    live.update(picture.picture(sandbox, await people.engine_calls()), refresh=True)
                    await asyncio.sleep(FRAME_S)
    finally:
        with console.status("Stopping …"):
            await sandbox.stop()


async def _at_usual_ports(state: Path) -> world.World:
    """Elsewhere, if somebody takes one of the usual ports before we do."""
    try:
        return await world.start(usual_or_free(), state)
    except (AzuriteError, HostError, OSError):
        return await world.start(free(), state)


def _run(work: Coroutine[Any, Any, bool]) -> bool:
    """Ctrl-C and SIGTERM cancel the work, so that everything is stopped on the way out."""

    async def main() -> bool:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task

    try:
        return asyncio.run(main())
    except (AzuriteError, HostError, NodeError, OSError, ProvisioningFailedError) as error:
        Console(stderr=True).print(f"[red]{error}[/red]")
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        raise typer.Exit(0) from None


if __name__ == "__main__":
    commands()
