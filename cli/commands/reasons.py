"""`bridge reasons`: why messages end as they do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from rich.text import Text

from cli import screen
from cli.reason_register import Entry, entries
from cli.wiring import AsJson


def reasons(
    slug: Annotated[str | None, typer.Argument(help="Only this one.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Every reason that a log line, a metric or a waiting message can name: its meaning, and what to do.

    Example: [bold]bridge reasons refused_email[/bold]
    """
    chosen = [entry for entry in entries() if slug in (None, entry.slug)]
    if not chosen:
        raise typer.BadParameter(f"there is no reason {slug!r}; `bridge reasons` lists them", param_hint="SLUG")
    if as_json:
        return screen.emit(chosen)
    screen.show(*words(chosen))


def words(chosen: Iterable[Entry]) -> Iterator[Text]:
    """Two sentences a reason: lines, since they are too long for columns."""
    for entry in chosen:
        yield Text.assemble((entry.slug or "(no reason)", "bold"), f": {entry.meaning}")
        yield Text(f"    What to do: {entry.action}")
