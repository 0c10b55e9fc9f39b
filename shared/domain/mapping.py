"""The mapping: which Dynamics column becomes which Campaign field, and what a contact's profile should hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.contact import Contact, Profile, Value


class Picklist(StrEnum):
    """How a choice column travels: under its label or its technical code."""

    LABEL = "label"
    CODE = "code"


@dataclass(frozen=True)
class FieldRow:
    """One row of Adobe's mapping screen: `column` becomes `target` (dotted for nested fields).

    `replacements` apply to the value before `default`, which stands in for an empty one. Keys are the value as text.
    """

    column: str
    target: str
    picklist: Picklist = Picklist.CODE
    replacements: MappingOf[str, Value] = field(default_factory=dict)
    default: Value = None

    def value(self, contact: Contact) -> Value:
        """What the field should hold. An empty text counts as empty."""
        raw = contact.columns.get(self.column)
        if self.picklist is Picklist.LABEL:
            raw = contact.labels.get(self.column, raw)
        if str(raw) in self.replacements:
            return self.replacements[str(raw)]
        return self.default if raw is None or raw == "" else raw


@dataclass(frozen=True)
class OptOutPair:
    """A boolean Dynamics column and the Campaign attribute that means the same; TRUE is opted out on both sides."""

    column: str
    attribute: str


@dataclass(frozen=True)
class Privacy:
    """What a privacy request must name besides the person."""

    regulation: str
    namespace_name: str


@dataclass(frozen=True)
class Desired:
    """What a profile should be. `opted_out`: by Campaign attribute."""

    fields: MappingOf[str, Value]
    digest: str
    opted_out: MappingOf[str, bool]

    def differs_from(self, profile: Profile) -> bool:
        """Whether an update would change a mapped field. Campaign shows an empty field as an empty text."""
        return any(_shown(profile.fields.get(name)) != _shown(value) for name, value in self.fields.items())

    def opt_outs_differ_from(self, profile: Profile) -> bool:
        """Whether any mapped opt-out has another value on the other side."""
        return any(
            profile.opted_out[name].value != value
            for name, value in self.opted_out.items()
            if name in profile.opted_out
        )


@dataclass(frozen=True)
class Mapping:
    """`version` names the file's content, so that a decision can say which one it followed."""

    version: str
    table: str
    field_rows: tuple[FieldRow, ...]
    opt_outs: tuple[OptOutPair, ...]
    privacy: Privacy

    @property
    def columns(self) -> tuple[str, ...]:
        """Every Dynamics column that the bridge reads of a row, in a stable order."""
        return tuple(sorted({row.column for row in self.field_rows} | self.opt_out_columns))

    @property
    def field_columns(self) -> frozenset[str]:
        """The columns whose change concerns the profile's fields."""
        return frozenset(row.column for row in self.field_rows)

    @property
    def opt_out_columns(self) -> frozenset[str]:
        """The columns whose change concerns the opt-out lane."""
        return frozenset(pair.column for pair in self.opt_outs)

    def desired(self, contact: Contact) -> Desired:
        """Total: every row has a desired profile."""
        fields = {row.target: row.value(contact) for row in self.field_rows}
        return Desired(fields, digest(contact.id, fields), self.opted_out(contact))

    def opted_out(self, contact: Contact) -> dict[str, bool]:
        """By Campaign attribute; an empty Dynamics column means not opted out."""
        return {pair.attribute: bool(contact.columns.get(pair.column)) for pair in self.opt_outs}


def _shown(value: Value) -> Value:
    return None if value == "" else value


def digest(contact_id: str, fields: MappingOf[str, Value]) -> str:
    """Names the content without holding it. The id salts it, so that equal values of two people do not look alike."""
    text = json.dumps([contact_id, fields], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
