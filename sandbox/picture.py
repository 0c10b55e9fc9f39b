"""The live picture: lanes, what was decided, engine calls, lag, and the last records."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from sandbox.world import World

NEXT = (
    "bridge doctor --settings {settings}",
    "bridge deadletters list --settings {settings}",
    "bridge timeline ID --settings {settings}",
    "bridge explain contact ID --settings {settings}    (or new_vehicle, new_servicevisit, …)",
    "bridge plan new_vehicle --settings {settings}",
    "bridge optouts verify --settings {settings}    (or show ID, conflicts, files)",
    "curl -X POST {host}/admin/functions/optout_file    (fires a timer: event_egress, ledger_checks, journal_seal)",
    "curl {host}/admin/metrics    (lanes, reasons, lag and calls, as Azure gets them)",
    'curl -X POST {campaign}/_sandbox/faults -d \'{{"fault": "refuse", "times": 20}}\'    (Campaign says 503)',
)


def urls(world: World) -> RenderableType:
    """Where everything answers."""
    table = Table(title="The sandbox", show_header=False)
    table.add_row("function app", world.host.url)
    table.add_row("Dynamics", f"{world.dataverse.url}/api/data/v9.2   (trust {world.tls.ca})")
    table.add_row("Campaign", world.settings["CAMPAIGN_URL"])
    table.add_row("SFTP", world.settings["OPTOUT_FILES_URL"])
    table.add_row("Service Bus", world.broker.connection_string.partition(";")[0].removeprefix("Endpoint="))
    table.add_row("storage", f"http://127.0.0.1:{world.azurite.table_port} (tables)")
    table.add_row("log", str(world.state / "host" / "host.log"))
    return table


def what_next(world: World) -> RenderableType:
    """Commands to try."""
    names = {"settings": world.state / "host" / "settings.json", "host": world.host.url, "campaign": world.campaign.url}
    return Panel("\n".join(line.format(**names) for line in NEXT), title="Try next (Ctrl-C stops everything)")


def picture(world: World, engine_calls: Mapping[str, int]) -> RenderableType:
    """One frame."""
    return Group(_lanes(world), _decided(world, engine_calls), _last(world))


def _lanes(world: World) -> Table:
    table = Table("lane", "waiting", "scheduled", "in work", "dead", title="Lanes")
    for name, count in world.broker.counts().items():
        table.add_row(name, *(str(count[kind]) for kind in ("active", "scheduled", "locked", "dead")))
    return table


def _decided(world: World, engine_calls: Mapping[str, int]) -> Table:
    heard = world.host.heard
    lags = list(heard.lags_s)[-500:]
    table = Table("lane: reason", "messages", "engine calls", "", title=f"Decisions{_lag(lags)}")
    reasons = [(f"{lane}: {reason}", str(count)) for (lane, reason), count in sorted(heard.reasons.items())]
    calls = [(kind, str(count)) for kind, count in sorted(engine_calls.items())]
    for row in range(max(len(reasons), len(calls))):
        left = reasons[row] if row < len(reasons) else ("", "")
        right = calls[row] if row < len(calls) else ("", "")
        table.add_row(*left, *right)
    return table


def _lag(lags_s: list[float]) -> str:
    if len(lags_s) < 2:
        return ""
    return f" (lag p50 {statistics.median(lags_s):.2f} s, p95 {statistics.quantiles(lags_s, n=20)[18]:.2f} s)"


def _last(world: World) -> Table:
    table = Table("lane", "record", "why", "reason", "lag", title="Last records")
    for said in list(world.host.heard.last)[-8:]:
        again = f", again in {said['again_in_s']:.0f} s" if "again_in_s" in said else ""
        record = said.get("record") or f"{said.get('facts', 0)} facts"
        table.add_row(
            said["lane"], record, said.get("why", ""), said["reason"] + again, f"{said.get('lag_s', 0):.2f} s"
        )
    return table
