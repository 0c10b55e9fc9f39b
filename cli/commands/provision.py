"""`bridge provision`: what the bridge needs in Dynamics, made, checked, and taken away again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from cli import provisioning, screen, webhook_rotation
from cli.failures import USAGE
from cli.provisioning import Deed, Step
from cli.wiring import AsJson, SettingsFile, run, wiring
from cli.workbench import Workbench
from shared.app import App

app = typer.Typer(no_args_is_help=True, help="What the bridge needs in Dynamics: make it, check it, take it away.")
Result = TypeVar("Result")

AdminId = Annotated[
    str | None,
    typer.Option(
        "--admin-client-id",
        metavar="ID",
        envvar="BRIDGE_ADMIN_CLIENT_ID",
        help="Work as this application user, a System Administrator, instead of the bridge's own.",
    ),
]
AdminSecret = Annotated[
    str | None,
    typer.Option(
        "--admin-client-secret",
        metavar="SECRET",
        envvar="BRIDGE_ADMIN_CLIENT_SECRET",
        help="Its secret; better given by the variable.",
    ),
]


@app.command("dynamics")
def dynamics(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look, and say what would be done.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take everything away again.")] = False,
    delete_activities: Annotated[
        bool, typer.Option("--delete-activities", help="With --remove: also tables that hold activities.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --remove: do not ask.")] = False,
    admin_id: AdminId = None,
    admin_secret: AdminSecret = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Create or correct the solution: activity tables, forms, change tracking, security role, webhook and its steps.

    Example: [bold]bridge provision dynamics --dry-run[/bold]

    May be run as often as you like: what is right is left alone, and each part is checked after it was written.
    """
    if delete_activities and not remove:
        screen.complain("--delete-activities goes with --remove", remedy="Leave it out, or add --remove.")
        raise typer.Exit(USAGE)
    if remove and not (dry_run or yes):
        typer.confirm(
            "Take webhook, steps, role and tables away? Changes are no longer announced", abort=True, err=True
        )

    async def work(opened: App, bench: Workbench) -> list[Step]:
        parts = provisioning.blueprint(opened, delete_activities=delete_activities).parts()
        if remove:
            return await provisioning.remove(bench.desk, parts, _tell, dry_run=dry_run)
        return await (provisioning.preview if dry_run else provisioning.provision)(bench.desk, parts, _tell)

    steps = run(ctx, settings, _as_administrator(ctx, admin_id, admin_secret, work))
    if as_json:
        screen.emit(steps)
    else:
        rows = ((step.found, step.deed, step.part, step.detail) for step in steps)
        screen.show(screen.table("Dynamics", ("Found", "Done", "Part", "Note"), rows, firm=2))


@app.command("rotate-webhook-secret")
def rotate_webhook_secret(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask whether it can be done; write nothing.")] = False,
    admin_id: AdminId = None,
    admin_secret: AdminSecret = None,
    settings: SettingsFile = None,
) -> None:
    """Let Dynamics call with the first of the two secrets in WEBHOOK_SECRETS, once the function app admits both.

    Example: [bold]bridge provision rotate-webhook-secret[/bold]
    """

    async def work(opened: App, bench: Workbench) -> None:
        endpoint = provisioning.blueprint(opened).endpoint()
        await webhook_rotation.rotate(bench, endpoint, opened.settings, dry_run=dry_run)

    run(ctx, settings, _as_administrator(ctx, admin_id, admin_secret, work))
    if dry_run:
        return screen.show("Both secrets are admitted. Dynamics would call with the first from then on.")
    done = "Dynamics calls with the first secret now."
    return screen.show(f"{done} Take the second out of WEBHOOK_SECRETS in a day's time.")


def _as_administrator(
    ctx: typer.Context,
    admin_id: str | None,
    admin_secret: str | None,
    work: Callable[[App, Workbench], Awaitable[Result]],
) -> Callable[[App], Awaitable[Result]]:
    async def within(opened: App) -> Result:
        await opened.ports.refresh_mapping()
        bench = wiring(ctx).workbench(opened.settings, admin_id, admin_secret)
        try:
            return await work(opened, bench)
        finally:
            await bench.close()

    return within


def _tell(step: Step) -> None:
    """While it lasts: the platform takes its time for a table."""
    if step.deed is not Deed.NOTHING:
        screen.tell(f"{step.part}: {step.deed}")
