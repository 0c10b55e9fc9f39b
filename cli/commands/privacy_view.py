"""`bridge privacy list` on a screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from rich.text import Text

from cli import screen
from cli.privacy_list import PrivacyList, Waiting


def lines(found: PrivacyList) -> Iterator[Text]:
    """Three lines a request, since a request's name alone is half a screen wide; then the sum."""
    limit = timedelta(days=found.late_after_days)
    for one in found.requests:
        yield from _request(one, late=one.age > limit)
    yield _sum(found)


def _request(one: Waiting, *, late: bool) -> Iterator[Text]:
    yield Text.assemble(("Contact ", "bold"), (one.contact, "bold"), f", request {one.request}")
    since = f"    sent {screen.text(one.sent_at)}, "
    said = f"Campaign says {one.status}" if one.status is not None else "Campaign's list does not hold it"
    yield Text.assemble(since, (f"{age(one.age)} ago", "bold red" if late else ""), f" · {said}")
    yield Text.assemble("    waits for: ", (one.waits_for, "yellow" if one.for_a_person else ""))


def _sum(found: PrivacyList) -> Text:
    cost = f" {screen.count(found.engine_calls, 'engine call')} made."
    if not found.requests:
        return Text(f"No privacy request waits.{cost}")
    states = Counter(one.state for one in found.requests)
    parts = ", ".join(f"{state}: {number}" for state, number in states.most_common())
    late = f" {found.late} for longer than {found.late_after_days:g} days." if found.late else ""
    waiting = screen.count(len(found.requests), "privacy request")
    return Text(f"{waiting} waiting ({parts}), {found.for_a_person} of them for a person.{late}{cost}")


def age(span: timedelta) -> str:
    """The two largest units: 3 d 4 h, 4 h 12 min, 5 min."""
    minutes = int(span.total_seconds()) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{rest} min"
