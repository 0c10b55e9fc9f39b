"""`bridge sandbox`: hands over to the sandbox, a program of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from types import FrameType
from typing import Any

import typer

from cli import screen
from cli.failures import FAILED

# Everything after `sandbox` is the sandbox's own, `--help` behind one of its words included.
SETTINGS: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
    "options_metavar": "[story|run] [OPTIONS]",
}


def sandbox(ctx: typer.Context) -> None:
    """Run the whole bridge on this computer, against stand-ins for both systems and for Azure.

    Examples:

    [bold]bridge sandbox story[/bold] plays a story, checks it, and ends.

    [bold]bridge sandbox run[/bold] plays it and stays up until Ctrl-C; [bold]run --help[/bold] tells its options.
    """
    if ctx.args in (["--help"], ["-h"]):
        return typer.echo(ctx.get_help())
    if find_spec("sandbox") is None:
        screen.complain("the sandbox is not part of this installation", remedy="Run it from a checkout of the project.")
        raise typer.Exit(FAILED)
    raise typer.Exit(_hand_over([sys.executable, "-m", "sandbox", *ctx.args]))


def _hand_over(command: Sequence[str]) -> int:
    """The program's exit code; that of a signal is 128 and its number, as in a shell."""
    with subprocess.Popen(command) as process, _signals_go_to(process):  # noqa: S603 - our own module, this Python
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _signals_go_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A terminal sends Ctrl-C to both of us, so it is passed on only where there is none."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT or not sys.stdin.isatty():
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
