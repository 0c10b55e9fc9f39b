"""`bridge explain` on a screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli import screen
from cli.execution import Execution
from cli.explanation import Explanation, FieldView, OptOutView, ParentView
from cli.rehearsal import Rehearsal
from shared.domain.mapping import DeleteMode, WhenFilteredOut

OUT = {
    WhenFilteredOut.LEAVE: "Its {record}, if there is one, is left as it is.",
    WhenFilteredOut.DELETE: "Its {record}, if there is one, is treated as if the {row} were deleted.",
}
DELETED = {
    DeleteMode.PRIVACY_REQUEST: "Campaign is asked to delete the person's data (privacy request)",
    DeleteMode.PROFILE_DELETE: "the profile is deleted; what Campaign logged of the person stays",
    DeleteMode.IGNORE: "the profile is left as it is",
}
RECORD_DELETED = {
    DeleteMode.PROFILE_DELETE: "its record is deleted, and Campaign deletes, or hides, what needs it",
    DeleteMode.IGNORE: "its record is left as it is",
}
PROBLEMS = {
    "truncated": "cut to the field's length",
    "overlong": "too long: not sent, the message is parked",
    "unconvertible": "not of the field's type: not sent, the message is parked",
}
OF_PERSONS = ("opt-outs kept of a deleted profile", "privacy request that has not ended", "  sent at")
THERE = {True: "there", False: "not there", None: "not looked at"}


def tables(explanation: Explanation, hints: Sequence[Rehearsal]) -> Iterator[RenderableType]:
    """From what is there to what would happen."""
    yield _head(explanation)
    yield from _part(explanation)
    shown = any(view.values for view in explanation.fields)
    yield _values(explanation.fields) if shown else _fields(explanation.fields)
    yield from _opt_outs(explanation.opt_outs) if explanation.contact else _parents(explanation.parents)
    if explanation.children is not None:
        count = f"{'more than ' if explanation.more_children else ''}{explanation.children}"
        yield Text(f"Children that the ledger knows, hidden or deleted in Campaign without this record: {count}")
    yield Text()
    yield _ledger(explanation)
    yield Text("If a hint came now", style="bold")
    for hint in hints:
        yield from _hint(hint)


def _head(explanation: Explanation) -> Text:
    return Text.assemble(
        ("Contact " if explanation.contact else f"{explanation.table} ", "bold"),
        f"{explanation.record} at {screen.text(explanation.at)}, mapping {explanation.mapping}\n",
        f"Dynamics: {THERE[explanation.in_dynamics]} · Campaign: {THERE[explanation.in_campaign]}\n",
    )


def _part(explanation: Explanation) -> Iterator[Text]:
    """Whether the row takes part, and what follows where it does not."""
    part = explanation.part
    record, row, deleted = ("profile", "contact", DELETED) if explanation.contact else ("record", "row", RECORD_DELETED)
    if part.passes is False:
        by = "the mapping's filters" if part.kept_out_by else "a parent that it lacks"
        yield Text(f"Kept out by {by}:", style="yellow")
        yield from (Text(f"  does not hold: {condition}") for condition in part.kept_out_by)
        yield from (Text(f"  {column} is empty, and without that parent Campaign hides it") for column in part.lacks)
        yield Text(f"  {OUT[part.when_filtered_out].format(record=record, row=row)}")
    elif part.passes:
        yield Text(
            "Takes part: " + ("the mapping's filters let it pass." if part.filtered else "there are no filters.")
        )
    yield Text(f"If it is deleted in Dynamics: {deleted[explanation.delete_mode]}.\n")


def _fields(views: Sequence[FieldView]) -> Table:
    columns = ("Dynamics", "Campaign", "Verdict", "wanted", "there", "Note")
    rows = ((view.column, view.target, view.verdict, view.wanted, view.campaign, _note(view)) for view in views)
    return screen.table("Fields", columns, rows, firm=3)


def _note(view: FieldView) -> str:
    creation = "" if view.apply_updates else "at creation and by a resync only"
    return ", ".join(filter(None, (PROBLEMS.get(view.problem or ""), creation)))


def _values(views: Sequence[FieldView]) -> Table:
    """`from`: as Dynamics has it; `wanted`: as the mapping gives it; `there`: as Campaign has it."""
    columns = ("Campaign", "Verdict", "from", "wanted", "there", "Note")
    rows = (
        (v.target, v.verdict, v.values.dynamics, v.values.wanted, v.values.campaign, _note(v))
        for v in views
        if v.values
    )
    return screen.table("Fields", columns, rows, firm=2)


def _opt_outs(views: Sequence[OptOutView]) -> Iterator[Text]:
    """Lines, since four names and two times to a pair are too wide for a table."""
    yield Text("Opt-outs", style="bold")
    for view in views:
        verdict = f": should be {_flag(view.prevails)}" if view.prevails is not None else ""
        yield Text.assemble(f"  {view.column} / ", (view.attribute, "bold"), verdict)
        yield Text(f"      {view.because}")
        if view.dynamics is not None:
            yield Text(
                f"      Dynamics says {_flag(view.dynamics)}, row modified {screen.text(view.dynamics_modified_on)}"
            )
        if view.campaign is not None:
            changed = screen.text(view.campaign_changed_at) if view.campaign_changed_at else "never"
            yield Text(f"      Campaign says {_flag(view.campaign)}, changed {changed}")


def _parents(views: Sequence[ParentView]) -> Iterator[Text]:
    """Those whom the record needs, and behind each that is missing those whom it needs itself."""
    if views:
        yield Text("Parents", style="bold")
    for view in views:
        need = "needed" if view.needed else "not needed"
        there = {True: ", in Dynamics", False: ", not in Dynamics", None: ""}[view.in_dynamics]
        where = f"{view.record} ({need}; ledger: {view.state}{there})" if view.record else f"none ({need})"
        indent = "  " * view.depth
        yield Text.assemble(f"{indent}{view.column} → ", (where, "bold" if view.missing else ""))
        if view.missing and view.needed:
            yield Text(f"{indent}    missing: {view.missing}", style="yellow")


def _flag(value: bool | None) -> str:
    return "opted out" if value else "opted in"


def _ledger(explanation: Explanation) -> Table:
    row = explanation.ledger
    facts: dict[str, object] = {
        "state": row.state,
        "what was sent is what is wanted": row.up_to_date,
        "a deletion was seen": row.deletion_seen,
        "incarnation": row.incarnation,
        "opt-outs kept of a deleted profile": ", ".join(row.kept_opt_outs),
        "privacy request that has not ended": row.privacy_request,
        "  sent at": row.privacy_request_sent_at,
        "claimed by a worker until": row.claimed_until,
        "will be verified at": row.check_at,
    }
    if not explanation.contact:
        facts |= {"sent under": ", ".join(row.parents), "remembers a key other than the id": row.own_key}
        facts = {name: fact for name, fact in facts.items() if name not in OF_PERSONS}
    return screen.table("Ledger", ("What", "Value"), facts.items())


def _hint(hint: Rehearsal) -> Iterator[Text]:
    reason = f" ({hint.reason})" if hint.reason else ""
    yield Text.assemble((f"  {hint.why}", "bold"), f" → {hint.ending}{reason}: {hint.meaning}")
    for number, step in enumerate(hint.steps, start=1):
        cost = f" [{step.calls} engine call]" if step.calls else ""
        yield Text(f"      {number}. {step.order}{cost}")


def executions(done: Sequence[Execution]) -> Iterator[Text]:
    """How the real work ended."""
    yield Text("\nPerformed", style="bold")
    for one in done:
        reason = f" ({one.reason})" if one.reason else ""
        style = "green" if one.settled else "bold red"
        cost = f" [engine calls made: {one.calls}]"
        yield Text.assemble((f"  {one.why}", "bold"), " → ", (one.ending, style), f"{reason}: {one.meaning}{cost}")
        if one.detail:
            yield Text(f"      {one.detail}")
        if one.remedy:
            yield Text(f"      What to do: {one.remedy}")
        if one.after_s is not None:
            yield Text(f"      Another try has a chance in {one.after_s:.0f} s.")
