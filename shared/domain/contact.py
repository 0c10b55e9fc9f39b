"""Both sides of one record as read: the Dynamics row and what Campaign has for it, of a person or anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

Value = str | int | float | bool | None
OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Contact:
    """A row as it is now: a contact's, or that of a custom table.

    `version`: the opaque ETag to write against. `modified_on`: whole seconds, UTC, record level. `columns`: the
    mapped columns under their Dataverse names; `labels`: the formatted values that came with them. `modified_by`: the
    system user who wrote last.
    """

    id: str
    version: str
    modified_on: datetime
    columns: Mapping[str, Value]
    labels: Mapping[str, str] = field(default_factory=dict)
    modified_by: str | None = None


@dataclass(frozen=True)
class Flag:
    """One opt-out of a profile: its value, and when that attribute last changed (`OLDEST` when never)."""

    value: bool
    changed_at: datetime = OLDEST


@dataclass(frozen=True)
class Profile:
    """A profile as read, or a custom resource's record, which has no opt-outs.

    `handle` is good for this operation only and is never stored.

    `fields`: flat, under the mapping's dotted names. `opted_out`: by Campaign attribute.
    """

    handle: str
    fields: Mapping[str, Value]
    opted_out: Mapping[str, Flag] = field(default_factory=dict)
