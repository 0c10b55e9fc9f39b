"""The options that choose dead letters, shared by the commands about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args

import typer

from cli.deadletters.choice import NOTHING, Choice
from shared.domain.change import Lane
from shared.stores.letter import Place

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

OfGroup = Annotated[
    str | None,
    typer.Option("--group", metavar="NAME", help="Only this group, by its name or the beginning of it."),
]
OfLane = Annotated[Lane | None, typer.Option("--lane", help="Only of this lane; parked ones count for theirs.")]
OfReason = Annotated[str | None, typer.Option("--reason", metavar="SLUG", help="Only with this reason.")]
InPlace = Annotated[
    Literal["dead", "parked"] | None,
    typer.Option("--place", help="dead: the broker gave it up; parked: the bridge did."),
]
OfTable = Annotated[str | None, typer.Option("--table", metavar="NAME", help="Only hints about this Dynamics table.")]
OfRecord = Annotated[str | None, typer.Option("--record", metavar="ID", help="Only hints about this row.")]
Older = Annotated[str | None, typer.Option("--older-than", metavar="AGE", help="Waiting for longer: 30m, 12h, 7d.")]
Newer = Annotated[str | None, typer.Option("--newer-than", metavar="AGE", help="Waiting for less long: 30m, 12h, 7d.")]
Ids = Annotated[list[str] | None, typer.Option("--ids", metavar="N,N…", help="Only these sequence numbers.")]
Everything = Annotated[bool, typer.Option("--all", help="All that wait.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the audit log.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Values = Annotated[bool, typer.Option("--show-values", help="Show the whole body: it may hold personal data.")]


@dataclass(frozen=True)
class Asked:
    """What was typed. Ages count from the moment at which the app looks: `at` makes it a choice."""

    choice: Choice = field(default_factory=Choice)
    older: timedelta | None = None
    newer: timedelta | None = None

    def at(self, now: datetime) -> Choice:
        """`now`: UTC."""
        since = None if self.newer is None else now - self.newer
        until = None if self.older is None else now - self.older
        return replace(self.choice, since=since, until=until)


def asked(
    group: str | None = None,
    lane: Lane | None = None,
    reason: str | None = None,
    place: Place | None = None,
    table: str | None = None,
    record: str | None = None,
    older: str | None = None,
    newer: str | None = None,
    ids: Sequence[str] | None = None,
) -> Asked:
    """Raises typer.BadParameter."""
    choice = Choice(lane, place, reason, table, record, group, numbers=_numbers(ids))
    return Asked(choice, _age(older, "--older-than"), _age(newer, "--newer-than"))


def narrowed(asked: Asked, *, everything: bool) -> Asked:
    """What changes something must be told which letters, in so many words. Raises typer.BadParameter."""
    if (asked != Asked()) == everything:
        words = "say which: --group, --lane, --reason, --place, --table, --record, the ages and --ids narrow it down"
        raise typer.BadParameter(f"{words}; --all takes all")
    if asked.choice.numbers and asked.choice.lane is None:
        raise typer.BadParameter("sequence numbers count within a queue: name its --lane", param_hint="--ids")
    return asked


def required(why: str, reason: str) -> str:
    """What stands in the audit log. Raises typer.BadParameter, with the reason, for none."""
    if not why.strip():
        raise typer.BadParameter(f"say why: {reason}", param_hint="--why")
    return why


def group_name(name: str) -> str:
    """Raises typer.BadParameter for what no group can be called."""
    match name.split("/"):
        case [lane, place, reason, table] if lane in {NOTHING, *Lane} and place in get_args(Place) and reason and table:
            return name
        case _:
            raise typer.BadParameter("a group's whole name, LANE/PLACE/REASON/TABLE", param_hint="GROUP")


def _numbers(ids: Sequence[str] | None) -> frozenset[int]:
    """Raises typer.BadParameter."""
    words = [word.strip() for text in ids or () for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise typer.BadParameter("sequence numbers, as in 17,18", param_hint="--ids")
    return frozenset(map(int, words))


def _age(text: str | None, option: str) -> timedelta | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if match is None:
        raise typer.BadParameter("a number and s, m, h or d, as in 12h", param_hint=option)
    try:
        return timedelta(**{UNITS[match[2]]: int(match[1])})
    except OverflowError:
        raise typer.BadParameter("that is longer than time goes back", param_hint=option) from None
