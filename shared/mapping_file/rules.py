"""What no single row can be judged by: targets and opt-outs that meet, modes that need each other, the guardrail.

The rules look at the file's plain values, so that they say what they have to say also where another row is broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.domain import template
from shared.mapping_file import table_rules
from shared.mapping_file.document import Document
from shared.mapping_file.file_models import attribute
from shared.mapping_file.finding import Finding, Path, Severity

MOST_COLUMNS = 50
Rows = list[tuple[Path, dict[str, Any]]]


def findings(document: Document) -> Iterator[Finding]:
    """Everything that the rules find, in no special order."""
    tables = _rows(document, ("tables",))
    for path, table in tables:
        rows = _rows(document, (*path, "fields"))
        yield from _twice(document, rows + _rows(document, (*path, "links")))
        yield from _values_and_objects(document, rows)
        yield from _key_as_field(document, table, rows)
        yield from _modes(document, path, table)
        yield from _guardrail(document, path, rows)
    yield from table_rules.findings(document, tables)
    pairs = _rows(document, ("opt_outs",))
    yield from _paired_twice(document, pairs)
    yield from _unknown_regulations(document, pairs)


def _value(value: Any, path: Path) -> Any:  # noqa: ANN401 - a file may hold anything anywhere
    """What is at the path; None where the file has another shape."""
    for step in path:
        if isinstance(step, int) and isinstance(value, list):
            value = value[step] if step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _rows(document: Document, path: Path) -> Rows:
    rows = _value(document.value, path)
    numbered = enumerate(rows) if isinstance(rows, list) else ()
    return [((*path, place), row) for place, row in numbered if isinstance(row, dict)]


def _named(rows: Rows, key: str) -> list[tuple[Path, str]]:
    return [((*path, key), row[key]) for path, row in rows if isinstance(row.get(key), str)]


def _twice(document: Document, rows: Rows) -> Iterator[Finding]:
    first: dict[str, Path] = {}
    for path, target in _named(rows, "campaign"):
        if target in first:
            line = document.positions[first[target]][0]
            remedy = f"Keep one of the rows; the first is on line {line}. A template joins several columns."
            yield document.finding(path, f"another row writes `{target}`, too", remedy)
        first.setdefault(target, path)


def _values_and_objects(document: Document, rows: Rows) -> Iterator[Finding]:
    targets = _named(rows, "campaign")
    objects = {name.partition(".")[0] for _, name in targets if "." in name}
    for path, target in targets:
        if target in objects:
            reason = f"other rows write fields of `{target}`, so it cannot be a value as well"
            yield document.finding(path, reason, f"Name one of its fields, e.g. {target}.name, or leave the row out.")


def _paired_twice(document: Document, pairs: Rows) -> Iterator[Finding]:
    for key in ("dynamics", "campaign"):
        seen: set[str] = set()
        for path, name in _named(pairs, key):
            if attribute(name) in seen:
                yield document.finding(path, f"another pair has `{name}`, too", "Keep one of the pairs.")
            seen.add(attribute(name))


def _unknown_regulations(document: Document, pairs: Rows) -> Iterator[Finding]:
    known = _value(document.value, ("opt_out_rules", "regulations"))
    for path, name in _named(pairs, "regulation"):
        if not isinstance(known, dict) or name not in known:
            reason = f"`opt_out_rules.regulations` gives no days for `{name}`"
            yield document.finding(path, reason, f"Add it there, e.g. {{{name}: 10}}, or leave this out.")


def _key_as_field(document: Document, table: dict[str, Any], rows: Rows) -> Iterator[Finding]:
    key = _value(table, ("key", "campaign")) or "externalId"
    for row_path, target in _named(rows, "campaign"):
        if target == key:
            remedy = "Leave the row out: the bridge writes the key by itself, and opt-outs are paired under `opt_outs`."
            yield document.finding(row_path, f"no field row may write `{target}`", remedy)


def _modes(document: Document, at: Path, table: dict[str, Any]) -> Iterator[Finding]:
    contact = table.get("dynamics") == "contact"
    mode = table.get("delete_mode", "privacy_request" if contact else "delete")
    if mode == "privacy_request" and contact and table.get("privacy") is None:
        path: Path = (*at, "delete_mode") if "delete_mode" in table else (*at, "privacy")
        remedy = "Add `privacy` with `regulation` and `namespace_name`, or choose another delete_mode."
        yield document.finding(path, "deletions are privacy requests, but `privacy` is missing", remedy)
    filtered_out = (*at, "when_filtered_out")
    if table.get("when_filtered_out") == "delete" and mode == "ignore":
        what = "profiles" if contact else "records"
        reason = f"{what} of filtered-out rows are to be deleted, but `delete_mode: ignore` deletes nothing"
        yield document.finding(filtered_out, reason, "Use leave, or another delete_mode.")
    elif "when_filtered_out" in table and table.get("filters") is None:
        reason, remedy = "without filters no row is ever filtered out", "Add `filters`, or leave this out."
        yield document.finding(filtered_out, reason, remedy, Severity.WARNING)


def _guardrail(document: Document, at: Path, rows: Rows) -> Iterator[Finding]:
    count = len({name for _, row in rows for name in _columns(row)})
    if count > MOST_COLUMNS:
        reason = (
            f"{count} columns are mapped; Adobe's guardrail for its own integration is {MOST_COLUMNS} for each table"
        )
        remedy = "Leave out what no campaign uses: each column makes more changes count as engine calls."
        yield document.finding((*at, "fields"), reason, remedy, Severity.WARNING)


def _columns(row: dict[str, Any]) -> list[str]:
    text = row.get("template")
    if isinstance(text, str):
        try:
            return [part.column for part in template.parse(text) if isinstance(part, template.Slot)]
        except template.TemplateError:
            return []
    column = row.get("dynamics")
    return [column] if isinstance(column, str) else []
