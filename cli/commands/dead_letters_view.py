"""`bridge deadletters` on a screen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from cli import screen
from cli.commands.reasons import words
from cli.letters import Group, LetterView, Line
from cli.replay import Report

DONE = {"replay": "replayed", "discard": "discarded"}


def groups(found: Sequence[Group]) -> Iterator[RenderableType]:
    """Two lines a group, then what each reason means."""
    if not found:
        yield Text("Nothing waits.")
        return
    for group in found:
        place = f"{group.lane or 'no lane'} ({group.place})"
        yield Text.assemble((place, "bold"), f": {group.count} with {group.reason.slug or 'no reason'}")
        yield Text(f"    {_times(group)} · number {_numbers(group)}")
    yield Text()
    yield from words(dict.fromkeys(group.reason for group in found))


def lines(found: Sequence[Line]) -> Iterator[RenderableType]:
    """One row a message."""
    columns = ("Number", "Lane", "Place", "Waits since", "Reason", "Record")
    rows = ((one.number, one.lane, one.place, one.enqueued_at, one.reason, one.record) for one in found)
    yield screen.table("Waiting messages", columns, rows, firm=4) if found else Text("Nothing waits.")


def letter(shown: LetterView) -> Iterator[RenderableType]:
    """Everything about one message."""
    one = shown.line
    facts = {
        "lies in": f"{one.queue} ({one.place}), number {one.number}",
        "replay sends it to": one.lane,
        "message id": one.message_id,
        "waits since": one.enqueued_at,
        "deliveries": one.delivery_count,
        "reason": one.reason,
        "meaning": shown.reason.meaning,
        "what to do": shown.reason.action,
        "detail": one.detail,
    } | {f"property {name}": value for name, value in shown.properties.items()}
    yield screen.table("Message", ("What", "Value"), facts.items())
    yield Text("\nBody", style="bold")
    yield Text(json.dumps(shown.body, indent=2, ensure_ascii=False, default=screen.plain))


def report(done: Report) -> Iterator[RenderableType]:
    """What was, or would be, done."""
    past = DONE[done.verb]
    for lane, count in done.lanes.items() if done.dry_run else ():
        yield Text(f"{lane}: {count} would be {past}")
    if not done.dry_run:
        yield Text(f"{done.done} of {done.chosen} {past}.")
    for one in done.left:
        yield Text(f"left: {one.queue} {one.place} {one.number}: gone or held by another tool; list again, then repeat")
    for one in done.refused:
        yield Text(f"refused: {one.queue} {one.place} {one.number}: it names no lane; show it, then discard it")
    if done.failure:
        yield Text(f"stopped: {done.failure}; {done.not_tried} are untouched or sent twice at most: repeat the command")


def _times(group: Group) -> str:
    return " to ".join(dict.fromkeys((screen.text(group.first_at), screen.text(group.last_at))))


def _numbers(group: Group) -> str:
    more = ", …" if group.count > len(group.numbers) else ""
    return ", ".join(map(str, group.numbers)) + more
