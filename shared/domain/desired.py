"""What a record of Campaign should be, by its row and the mapping, and the digest that names such content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace

from shared.domain.change import RecordKey
from shared.domain.contact import Profile, Value


@dataclass(frozen=True)
class Desired:
    """What a record should be. `opted_out`: by Campaign attribute. `key`: how it is found; `parents`: those it needs.

    `fields`: all of them, for a creation or a resync. `updates`: those that follow a change; `digest` is theirs.
    `once`: the digest of the others, which only a creation or a resync writes; None: there are no others.
    `truncated`: fields whose text was cut. `overlong`, `unconvertible`: fields whose value must not be sent (too long;
    not of the field's type). They are still in `fields`, as Dynamics has them: whoever writes must look here first.
    """

    fields: MappingOf[str, Value]
    updates: MappingOf[str, Value]
    digest: str
    opted_out: MappingOf[str, bool]
    key: str
    parents: frozenset[RecordKey] = frozenset()
    truncated: frozenset[str] = frozenset()
    overlong: frozenset[str] = frozenset()
    unconvertible: frozenset[str] = frozenset()
    once: str | None = None

    def as_first_load(self) -> Desired:
        """For a resync: an update writes all fields."""
        return replace(self, updates=self.fields)

    def differs_from(self, profile: Profile) -> bool:
        """Whether an update would change a field."""
        return any(not agree(profile.fields.get(name), value) for name, value in self.updates.items())

    def opt_outs_differ_from(self, profile: Profile) -> bool:
        """Whether any mapped opt-out has another value on the other side."""
        return any(
            profile.opted_out[name].value != value
            for name, value in self.opted_out.items()
            if name in profile.opted_out
        )


def agree(one: Value, other: Value) -> bool:
    """Whether two values of a field are the same. Campaign shows an empty field as an empty text."""
    return (None if one == "" else one) == (None if other == "" else other)


def digest(contact_id: str, fields: MappingOf[str, Value]) -> str:
    """Names the content without holding it. The id salts it, so that equal values of two people do not look alike."""
    content = json.dumps([contact_id, fields], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()
