"""`bridge deadletters` on a screen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from cli import screen
from cli.commands.reasons import words
from cli.deadletters.forecast import Forecast
from cli.deadletters.listing import Group
from cli.deadletters.plan import Verb
from cli.deadletters.run import Report
from cli.deadletters.view import LetterView, Line
from shared.stores.letter_desk import Action

DONE = {"replay": "replayed", "discard": "discarded"}
VERDICTS = {
    "would_apply": "would apply",
    "already_settled": "already settled",
    "still_failing": "still failing",
    "would_wait": "would wait and try again",
    "unknown": "cannot be known",
}


@dataclass(frozen=True)
class Discarding:
    """What a discard would remove."""

    verb: Verb
    dry_run: bool
    chosen: int
    lanes: dict[str, int]


def groups(found: Sequence[Group]) -> Iterator[RenderableType]:
    """A few lines a group, then what each reason means."""
    if not found:
        yield Text("Nothing waits.")
        return
    for group in found:
        yield Text.assemble((_title(group), "bold"), f": {group.count:,}")
        yield Text(f"    {_times(group)} · number {_numbers(group)}")
        for note in group.notes:
            yield Text(f"    note of {screen.text(note.at)} by {note.who}: {note.text}")
    yield Text()
    yield from words(dict.fromkeys(group.reason for group in found if group.reason))


async def lines(found: AsyncIterator[Line]) -> None:
    """One line a message, shown as it comes."""
    count = 0
    async for one in found:
        count += 1
        where = f"{one.lane or 'no lane'} ({one.place})  {screen.text(one.enqueued_at)}"
        screen.show(Text(f"{one.number:>8}  {where}  {one.reason}  {one.record or '-'}"))
    if not count:
        screen.show(Text("Nothing waits."))


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
    yield _json(shown.body)
    if shown.edit:
        edit = shown.edit
        yield Text(f"\nEdited {screen.text(edit.at)} by {edit.who} ({edit.why}); a replay sends", style="bold")
        yield _json(edit.body)


async def forecasts(found: AsyncIterator[Forecast], counts: Counter[str]) -> None:
    """One line a message as it comes, then the sums; `counts` has been filled by then."""
    async for one in found:
        where = f"{one.line.lane or 'no lane'} ({one.line.place})"
        calls = f" [{screen.count(one.calls, 'engine call')}]" if one.calls else ""
        reason = f" ({one.reason})" if one.reason else ""
        words = f"{one.line.number:>8}  {where}  {VERDICTS[one.verdict]}{reason}: {one.because}{calls}"
        screen.show(Text(words))
    for verdict, name in VERDICTS.items():
        if counts[verdict]:
            screen.show(Text(f"{name}: {counts[verdict]:,}", style="bold"))
    if not counts:
        screen.show(Text("No message that waits is one of these."))


def discarding(plan: Discarding) -> Iterator[RenderableType]:
    """What a discard would remove."""
    for lane, count in plan.lanes.items():
        yield Text(f"{lane}: {count:,} would be discarded")
    if not plan.lanes:
        yield Text("No message that waits is one of these.")


def report(done: Report) -> Iterator[RenderableType]:
    """What was done."""
    yield Text(f"{done.done:,} of {done.chosen:,} {DONE[done.verb]} in {done.seconds:,.0f} s (run {done.run}).")
    if done.gone:
        yield Text(f"gone: {done.gone:,} were taken by somebody else meanwhile")
    if done.left:
        yield Text(f"left: {done.left:,}; {_go_on(done)}")
    for one in done.refused_examples:
        yield Text(f"refused: {one.queue} {one.place} {one.number}: it names no lane; show it, then discard it")
    if done.refused > len(done.refused_examples):
        yield Text(f"refused: {done.refused - len(done.refused_examples):,} more like these")
    for said, what in ((done.stopped, "stopped"), (done.failure, "failed")):
        if said:
            yield Text(f"{what}: {said}", style="bold red")
    for group in done.new_failures:
        yield Text(f"new since the start: {_title(group)}: {group.count:,}", style="yellow")


def actions(found: Sequence[Action]) -> Iterator[RenderableType]:
    """One row an action."""
    if not found:
        yield Text("Nothing was done.")
        return
    rows = ((one.at, one.who, one.what, one.run, one.why, _detail(one)) for one in found)
    yield screen.table("Audit log", ("When", "Who", "What", "Run", "Why", "Detail"), rows, firm=4)


def _go_on(done: Report) -> str:
    if done.stopped:
        return "find the cause first, then repeat the command"
    if done.failure:
        return f"`bridge deadletters {done.verb} --resume {done.run}` goes on" if done.verb == "replay" else "repeat it"
    return "another tool holds them; repeat the command later"


def _title(group: Group) -> str:
    if group.name:
        return group.name
    reason = group.reason.slug or "no reason" if group.reason else None
    return " · ".join(part for part in (group.function, group.place, reason, group.table, group.age) if part) or "all"


def _detail(action: Action) -> str:
    told = {name: value for name, value in action.detail.items() if value not in (None, {}, [], False, 0)}
    told.pop("horizon", None)
    return json.dumps(told, ensure_ascii=False)[1:-1]


def _json(body: object) -> Text:
    return Text(json.dumps(body, indent=2, ensure_ascii=False, default=screen.plain))


def _times(group: Group) -> str:
    return " to ".join(dict.fromkeys((screen.text(group.first_at), screen.text(group.last_at))))


def _numbers(group: Group) -> str:
    more = ", …" if group.count > len(group.numbers) else ""
    return ", ".join(map(str, group.numbers)) + more
