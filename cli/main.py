"""The command tree, and its entry point."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from cli.commands import (
    adopt,
    config,
    dead_letters,
    doctor,
    drift,
    explain,
    mapping,
    optouts,
    plan,
    privacy,
    provision,
    reasons,
    resync,
    sandbox,
    timeline,
)
from cli.failures import ReportingGroup

EXIT_CODES = "Exit codes: 0 all is well · 1 something is wrong, and the output says what · 2 usage or settings."

app = typer.Typer(
    cls=ReportingGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a bug gives a plain traceback, which never shows the values of variables
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)


@app.callback()
def bridge(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every call to stderr; ids only.")] = False,
) -> None:
    """Look at the Dynamics-Campaign bridge, check it, and put messages back to work.

    Start with [bold]bridge doctor[/bold]: it says what works and what to do about the rest.
    """
    logging.basicConfig(level=logging.DEBUG if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    for noisy in ("asyncio", "asyncssh", "azure", "msal", "urllib3"):  # their lines quote addresses and headers
        logging.getLogger(noisy).setLevel(logging.WARNING if verbose else logging.CRITICAL)


app.command("doctor")(doctor.doctor)
app.command("drift")(drift.drift)
app.command("explain", no_args_is_help=True)(explain.explain)
app.add_typer(dead_letters.app, name="deadletters")
app.add_typer(mapping.app, name="mapping")
app.command("plan", no_args_is_help=True)(plan.plan)
app.add_typer(resync.app, name="resync")
app.add_typer(privacy.app, name="privacy")
app.add_typer(provision.app, name="provision")
app.command("timeline")(timeline.timeline)
app.add_typer(optouts.app, name="optouts")
app.command("adopt")(adopt.adopt)
app.command("reasons")(reasons.reasons)
app.command("config")(config.config)
app.command("sandbox", **sandbox.SETTINGS)(sandbox.sandbox)


def main() -> None:
    """The console script `bridge`."""
    app(prog_name="bridge")
