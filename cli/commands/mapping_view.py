"""`bridge mapping` on a screen. Lines of files are never wrapped: editors follow them, and `show` may fill a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import typer
from rich.console import RenderableType
from rich.text import Text

from cli import screen
from cli.mapping_comparison import FieldImpact, Impact
from cli.mapping_difference import Difference
from cli.mapping_review import Plan, Review, TablePlan
from cli.mapping_workbench import InForce
from shared.mapping_file import Severity, errors
from shared.stores.mapping_entry import Applied

_SEVERITIES = {Severity.ERROR: typer.colors.RED, Severity.WARNING: typer.colors.YELLOW}
_SIGNS = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}


def review(found: Review) -> None:
    """A line a finding, in the form that editors and CI make links of; then the sum."""
    for finding in found.findings:
        typer.secho(finding.text(found.file), fg=_SEVERITIES[finding.severity])
    wrong = len(errors(found.findings))
    against = "the file alone was checked" if found.offline else "checked against both systems"
    typer.echo(f"{found.file}: errors: {wrong}, warnings: {len(found.findings) - wrong}; {against}.")


def version(one: Applied) -> None:
    """The exact text on stdout; beside it, who applied it and when."""
    screen.tell(
        f"Version {one.number} ({one.version}), applied {screen.text(one.applied_at)} by {one.draft.applied_by}"
    )
    if note := _note(one):
        screen.tell(note)
    typer.echo(one.draft.text, nl=False)


def shipped(one: InForce) -> None:
    """No version was ever applied."""
    screen.tell(f"No version was applied yet; in force is {one.name} ({one.version}).")
    typer.echo(one.text, nl=False)


def history(found: Sequence[Applied]) -> None:
    """The newest first: the first row is in force."""
    if not found:
        return typer.echo("No version was applied yet: the mapping shipped with the app is in force.")
    columns = ("Number", "Version", "Applied", "By", "Note")
    rows = ((one.number, one.version, one.applied_at, one.draft.applied_by, _note(one)) for one in found)
    screen.show(screen.table("Versions of the mapping; the first is in force", columns, rows, firm=3))


def difference(found: Difference) -> None:
    """In words, then line by line."""
    if not found.lines:
        return typer.echo(f"{found.before} and {found.after} are the same text.")
    for told in found.summary or ("nothing that the bridge would do in another way",):
        typer.echo(f"- {told}")
    typer.echo()
    for line in found.lines:
        typer.secho(line, fg=_SIGNS.get(line[:1]))


def plan(made: Plan) -> None:
    """From the difference to what follows from it."""
    difference(made.difference)
    typer.echo()
    screen.show(*_consequences(made))


def _consequences(made: Plan) -> Iterator[RenderableType]:
    if not made.comparable:
        yield Text("The version in force does not parse, so there is nothing to compare rows with.")
    for part in made.tables:
        yield from _table(part, comparable=made.comparable)
    yield Text("\nEvery row follows the new version when it is next worked on; a resync brings all of them at once.")


def _table(part: TablePlan, *, comparable: bool) -> Iterator[RenderableType]:
    yield Text(f"\n{part.table}", style="bold")
    if part.impact is not None:
        yield from _impact(part.impact)
    elif comparable:
        yield Text(
            "  The version in force does not map it; `bridge plan` says what a first load would do, once it does."
        )
    count = f"at least {part.rows.rows:,}" if part.rows.at_least else f"{part.rows.rows:,}"
    yield Text(f"  Dynamics has {count} rows.")
    if part.by_resync_only:
        yield Text(f"  By creation or a resync only (apply_updates is off): {', '.join(part.by_resync_only)}.")


def _impact(impact: Impact) -> Iterator[RenderableType]:
    yield Text(f"  Tried on the {impact.sampled} rows that changed last:")
    yield Text(f"  {impact.passing} take part; {impact.starting} start to, {impact.stopping} stop to.")
    yield Text(f"  {impact.parked_after} would be parked for a value that does not fit (now: {impact.parked_before}).")
    if impact.cut:
        yield Text(f"  {impact.cut} would have a text cut to its field's length.")
    touched = [field for field in impact.fields if field.differing or field.kind == "added"]
    if not touched:
        yield Text("  No field would get another value.")
        return
    columns = ("Field", "From", "Row", "filled", "changed", "emptied")
    rows = ((one.target, one.source, one.kind, one.filled, one.changed, one.emptied) for one in touched)
    yield screen.table("Fields that would be written anew", columns, rows)
    yield from _examples(touched)


def _examples(fields: Iterable[FieldImpact]) -> Iterator[RenderableType]:
    for one in fields:
        for example in one.examples:
            values = f"{screen.text(example.before)} → {screen.text(example.after)}"
            yield Text(f"  {one.target} of {example.contact}: {values}")


def _note(one: Applied) -> str:
    restored = f"the text of version {one.draft.restores}" if one.draft.restores is not None else ""
    return ": ".join(filter(None, (restored, one.draft.note)))
