"""`bridge adopt --report` on a screen."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from cli import screen
from cli.adoption_report import Choice, Report


def estimate(in_campaign: int | None, choice: Choice) -> str:
    """Said before the reading begins."""
    if in_campaign is None:
        return f"Campaign does not say how many profiles it has; every {choice.page_size:,} cost one engine call."
    there, cost = screen.count(in_campaign, "profile"), screen.count(choice.pages(in_campaign), "engine call")
    return f"Campaign has {there}; reading {choice.rows(in_campaign):,} costs about {cost}."


def tables(found: Report) -> Iterator[RenderableType]:
    """What the profiles are, then what the adoptions will do."""
    yield screen.table(
        f"Profiles, by mapping {found.mapping}",
        ("Profiles", "What they are"),
        ((f"{group.profiles:,}", group.meaning) for group in found.groups),
    )
    if found.differing_fields:
        rows = ((name, f"{number:,}") for name, number in found.differing_fields.items())
        yield screen.table("Fields that adoption will write", ("Campaign", "Profiles"), rows)
    yield from _adoption(found)
    part = "" if found.stopped is None and not found.limited else ", not all"
    read, cost = screen.count(found.read, "profile"), screen.count(found.engine_calls, "engine call")
    yield Text(f"{read} read{part}; {cost} made. Nothing was written.")


def _adoption(found: Report) -> Iterator[Text]:
    adopted = next(group.profiles for group in found.groups if group.kind == "to_adopt")
    if not adopted:
        return
    yield Text(f"Of the {adopted:,} to adopt, {found.differing:,} differ in a mapped field.")
    if found.opt_outs_differing:
        yield Text(f"{found.opt_outs_differing:,} differ in an opt-out, which the opt-out rule then settles.")
    if found.unsendable:
        yield Text(f"{found.unsendable:,} will be parked: a value of the contact does not fit its field.")
    yield Text(f"Their adoption will cost about {screen.count(found.adoption_calls, 'engine call')}, once.")
