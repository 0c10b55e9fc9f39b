"""`bridge optouts` on a screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from cli import screen
from cli.journal_reading import Files
from shared.domain.journal import JournalEntry
from shared.domain.optout_file import FileRecord
from shared.stores.journal_proof import Proof

OUT = {True: "out", False: "in", None: "?"}
SHOWN_FAULTS = 50


def proof(found: Proof) -> Iterator[RenderableType]:
    """The sum, and what is wrong."""
    chains, days = screen.count(found.chains, "chain"), screen.count(found.sealed_days, "sealed day")
    yield Text(f"{found.entries:,} entries in {chains}, {days}.")
    yield Text(f"The newest seal: {found.seal or 'none yet'}")
    for fault in found.faults[:SHOWN_FAULTS]:
        yield Text.assemble(("  - ", "bold red"), fault)
    if len(found.faults) > SHOWN_FAULTS:
        yield Text(f"  … and {len(found.faults) - SHOWN_FAULTS} more (--json shows all)")
    if not found.faults:
        yield Text("Every chain holds together, and none is missing.", style="green")


def entries(found: Sequence[JournalEntry]) -> Iterator[RenderableType]:
    """Two lines a decision."""
    for entry in found:
        yield from _entry(entry)
    yield Text(f"{screen.count(len(found), 'decision')}.")


def conflicts(found: Sequence[JournalEntry]) -> Iterator[RenderableType]:
    """As `entries`, with the contacts, and a sum by kind."""
    for entry in found:
        yield Text(f"Contact {entry.contact_id}", style="bold")
        yield from _entry(entry)
    kinds = ", ".join(f"{kind}: {number}" for kind, number in Counter(entry.flag for entry in found).most_common())
    yield Text(f"{screen.count(len(found), 'conflict')}{f' ({kinds})' if kinds else ''}.")


def files(found: Files) -> Iterator[RenderableType]:
    """Two lines a file, three if something is wrong with it; then the folders' sizes."""
    for record in found.records:
        yield from _file(record)
    sizes = ", ".join(f"{name} {size:,} bytes" for name, size in found.sizes.items())
    yield Text(f"{screen.count(len(found.records), 'file')}; {sizes}.")


def _file(record: FileRecord) -> Iterator[Text]:
    at = record.finished_at or record.first_seen
    yield Text.assemble((f"{screen.text(at)}  ", "dim"), (record.file.name, "bold"), f": {record.state.value}")
    counts = ((record.rows, "row"), (record.strangers, "stranger"), (record.hints, "hint"))
    rows, strangers, hints = (screen.count(number, what) for number, what in counts)
    newest = f" · newest {screen.text(record.newest)}" if record.newest else ""
    yield Text(f"    {rows}, {record.bad_rows:,} bad, {strangers}, {hints}{newest}")
    if record.problem:
        yield Text(f"    {record.problem}", style="yellow")


def _entry(entry: JournalEntry) -> Iterator[Text]:
    mark = f" · {entry.flag}" if entry.flag else ""
    decided = "nothing decided" if entry.decision is None else f"opted {OUT[entry.decision]}"
    yield Text.assemble(
        (f"{screen.text(entry.at)}  ", "dim"), (entry.attribute, "bold"), f": {decided}", (mark, "bold yellow")
    )
    yield Text(
        f"    Dynamics {_side(entry.dynamics_value, entry.dynamics_at)}, "
        f"Campaign {_side(entry.campaign_value, entry.campaign_at)} · {entry.configuration}, {entry.policy}"
    )
    yield Text(f"    {', '.join(entry.effects) or 'none'} · from {entry.origin}")


def _side(value: bool | None, at: datetime | None) -> str:
    return f"{OUT[value]} ({screen.text(at)})" if at else OUT[value]
