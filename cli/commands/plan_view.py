"""`bridge plan` on a screen."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from cli import screen
from cli.first_load import FirstLoad, Kind, Tally
from shared.clients.budget import SHARE_OF_LAST

KINDS = {
    Kind.INSERT: "inserted",
    Kind.UPDATE: "there and different: updated",
    Kind.ALIKE: "there and alike: looked at only",
    Kind.UNCHANGED: "in the ledger as wanted: no engine call",
    Kind.KEPT_OUT: "kept out by the filters, or for lack of a parent",
    Kind.PARKED: "parked: a value may not be sent, or a key has changed",
    Kind.LATER: "later: somebody works on it, or a privacy request runs",
}
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def load(found: FirstLoad, what: str = "First load") -> Iterator[RenderableType]:
    """From the rows to what they cost."""
    yield Text.assemble((f"{what} of {found.table}", "bold"), f", by mapping {found.mapping}\n")
    at_least = "at least " if found.rows.at_least else ""
    yield Text(f"Dynamics has {at_least}{screen.count(found.rows.rows, 'row')}.")
    if found.rows.at_least:
        yield Text("  Dataverse counts no further; with --rows N the figures below are of N rows.")
    if not found.sampled:
        yield Text("There is no row to try.")
        yield from _bounds(found)
        return
    rows = (_row(tally, found) for tally in found.tallies)
    tried = screen.count(found.sampled, "row")
    title = f"Tried on the {tried} that changed last"
    yield screen.table(title, ("Rows", "Share", "Engine calls", "What becomes of them"), rows, firm=3)
    if found.waiting:
        count = screen.count(found.waiting, "row")
        yield Text(f"{count} of these wait for a parent that is not in Campaign yet: load its table first.")
    if found.create_first:
        yield Text("Rows that the ledger has never seen are created without a look: one call instead of two.")
    yield from _cost(found, at_least)
    yield from _bounds(found)


def _row(tally: Tally, found: FirstLoad) -> tuple[object, ...]:
    return tally.rows, f"{tally.rows / found.sampled:.0%}", tally.calls, KINDS[tally.kind]


def _cost(found: FirstLoad, at_least: str) -> Iterator[Text]:
    yield Text(f"All rows: about {at_least}{screen.count(found.engine_calls, 'engine call')}.")
    if found.rate is None or found.seconds is None:
        yield Text("Time: not known. The sample needed no look at Campaign; say `--rate` in engine calls a second.")
    else:
        yield Text(f"Time: about {at_least}{duration(found.seconds)}, at {found.rate.per_second:,.1f} a second.")
        yield Text(f"  The rate: {found.rate.source}.")
    if found.days is not None:
        share = f"{SHARE_OF_LAST:.0%} of them are for a load"
        yield Text(f"CAMPAIGN_CALLS_PER_DAY is {found.per_day:,}, {share}: at least {found.days:.1f} days.")


def _bounds(found: FirstLoad) -> Iterator[RenderableType]:
    named = (f"{one.here} of {one.most} {one.what}" for one in found.guardrails)
    yield Text(f"Guardrails: {', '.join(named)}.")
    for warning in found.warnings:
        yield Text.assemble(("Warning: ", "yellow"), warning)
    yield Text(f"{screen.count(found.asked, 'engine call')} made. Nothing was written.")


def duration(seconds: float) -> str:
    """In the unit that a person would use."""
    for unit_s, name in ((DAY_S, "days"), (HOUR_S, "hours"), (MINUTE_S, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.1f} {name}"
    return f"{seconds:.0f} seconds"
