"""Two mappings tried on the same rows: what would be written anew, and who would start or stop taking part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.domain.contact import Contact, Value
from shared.domain.mapping import Desired, Mapping, agree

Kind = Literal["added", "removed", "kept"]
EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """Personal data: only where it was asked for."""

    contact: str
    before: Value
    after: Value


@dataclass(frozen=True)
class FieldImpact:
    """One field on the sampled rows that take part under the new mapping.

    `filled`: was empty; `emptied`: will be; `changed`: had another value. `removed`: no row writes it any more, and
    Campaign keeps what it has. `by_resync_only`: `apply_updates` is off.
    """

    target: str
    source: str
    kind: Kind
    filled: int
    emptied: int
    changed: int
    by_resync_only: bool
    examples: tuple[Example, ...] = ()

    @property
    def differing(self) -> int:
        """Rows whose value is another one."""
        return self.filled + self.emptied + self.changed


@dataclass(frozen=True)
class Impact:
    """On `sampled` rows. `parked_before`, `parked_after`: rows with a value that may not be sent."""

    sampled: int
    passing: int
    starting: int
    stopping: int
    parked_before: int
    parked_after: int
    cut: int
    fields: tuple[FieldImpact, ...]


@dataclass(frozen=True)
class _Tried:
    contact: Contact
    passed: bool
    passes: bool
    before: Desired
    after: Desired


def compare(old: Mapping, new: Mapping, contacts: Sequence[Contact], *, show_values: bool) -> Impact:
    """By the engine's own functions, `passes` and `desired`. Pure; without `show_values` no value is in the result."""
    tried = [_Tried(one, old.passes(one), new.passes(one), old.desired(one), new.desired(one)) for one in contacts]
    staying = [one for one in tried if one.passes]
    return Impact(
        sampled=len(tried),
        passing=len(staying),
        starting=sum(one.passes and not one.passed for one in tried),
        stopping=sum(one.passed and not one.passes for one in tried),
        parked_before=sum(one.passed and _parked(one.before) for one in tried),
        parked_after=sum(_parked(one.after) for one in staying),
        cut=sum(bool(one.after.truncated) for one in staying),
        fields=tuple(_fields(old, new, staying, show_values=show_values)),
    )


def _parked(desired: Desired) -> bool:
    return bool(desired.overlong or desired.unconvertible)


def _fields(old: Mapping, new: Mapping, tried: Sequence[_Tried], *, show_values: bool) -> Iterable[FieldImpact]:
    before = {row.target: row for row in old.field_rows}
    after = {row.target: row for row in new.field_rows}
    for target, row in after.items():
        kind: Kind = "kept" if target in before else "added"
        pairs = [Example(t.contact.id, t.before.fields.get(target), t.after.fields[target]) for t in tried]
        yield _impact(target, row.source, kind, pairs, by_resync_only=not row.apply_updates, show_values=show_values)
    for target in sorted(before.keys() - after.keys()):
        yield FieldImpact(target, before[target].source, "removed", 0, 0, 0, by_resync_only=False)


def _impact(
    target: str, source: str, kind: Kind, pairs: Sequence[Example], *, by_resync_only: bool, show_values: bool
) -> FieldImpact:
    differing = [pair for pair in pairs if not agree(pair.before, pair.after)]
    filled = sum(_is_empty(pair.before) for pair in differing)
    emptied = sum(_is_empty(pair.after) for pair in differing)
    return FieldImpact(
        target=target,
        source=source,
        kind=kind,
        filled=filled,
        emptied=emptied,
        changed=len(differing) - filled - emptied,
        by_resync_only=by_resync_only,
        examples=tuple(differing[:EXAMPLES]) if show_values else (),
    )


def _is_empty(value: Value) -> bool:
    return value is None or value == ""
