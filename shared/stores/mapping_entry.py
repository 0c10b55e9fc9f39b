"""One applied version of the mapping, and its JSON form in blob storage."""

from __future__ import annotations

import json
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared import mapping_file
from shared.domain.change import CONTACT
from shared.domain.conversion import ColumnType, Target, TargetType, Types
from shared.domain.mapping import Mappings

CONTACTS_ONLY, FORMAT = 1, 2  # the first had one table pair


class UnreadableEntryError(Exception):
    """What lies in the store is not what this module wrote. The text names the blob and the fault, no content."""


@dataclass(frozen=True)
class Draft:
    """What an operator wants to put in force. `types`: what the check found both systems to say, by Dynamics table.

    `restores`: the number of the earlier version whose text this is.
    """

    text: str = field(repr=False)
    types: MappingOf[str, Types]
    applied_by: str
    note: str = ""
    restores: int | None = None


@dataclass(frozen=True)
class Applied:
    """A version that was put in force: never changed again. `replaces`: the blob of the version before it."""

    number: int
    draft: Draft
    applied_at: datetime
    replaces: str | None = None

    @property
    def version(self) -> str:
        """The same hash of the text that decisions name."""
        return mapping_file.version(self.draft.text)

    @property
    def blob(self) -> str:
        """Where it lies."""
        return f"versions/{self.number}-{self.version}.json"

    def mappings(self) -> Mappings:
        """With the types found when it was applied. Raises MappingError where the text no longer does."""
        return mapping_file.read(self.draft.text).with_types(self.draft.types)


def to_bytes(entry: Applied) -> bytes:
    """The blob's content."""
    draft = entry.draft
    document = {
        "format": FORMAT,
        "number": entry.number,
        "version": entry.version,
        "text": draft.text,
        "types": {table: _types_document(types) for table, types in draft.types.items()},
        "applied_at": entry.applied_at.isoformat(),
        "applied_by": draft.applied_by,
        "note": draft.note,
        "restores": draft.restores,
        "replaces": entry.replaces,
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def from_bytes(blob: str, content: bytes) -> Applied:
    """Raises UnreadableEntryError, also where the text is not the one whose hash stands beside it."""
    document = _document(blob, content)
    try:
        entry = _entry(document)
        intact = entry.version == document["version"] and entry.blob == blob
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableEntryError(f"{blob} is not readable ({type(error).__name__})") from None
    if not intact:
        raise UnreadableEntryError(f"{blob} was changed after it was written: number, text and hash do not agree")
    return entry


def pointer_bytes(entry: Applied) -> bytes:
    """The content of the blob that says which version is in force."""
    return json.dumps({"format": FORMAT, "number": entry.number, "blob": entry.blob}).encode()


def pointed_at(blob: str, content: bytes) -> str:
    """The version's blob. Raises UnreadableEntryError."""
    name = _document(blob, content).get("blob")
    if not isinstance(name, str) or not name.startswith("versions/"):
        raise UnreadableEntryError(f"{blob} names no version")
    return name


def _document(blob: str, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        raise UnreadableEntryError(f"{blob} is not JSON") from None
    if not isinstance(document, dict) or document.get("format") not in (CONTACTS_ONLY, FORMAT):
        raise UnreadableEntryError(f"{blob} is not of format {FORMAT}")
    return document


def _entry(document: MappingOf[str, Any]) -> Applied:
    draft = Draft(
        text=document["text"],
        types=_all_types(document),
        applied_by=str(document["applied_by"]),
        note=str(document["note"]),
        restores=document["restores"],
    )
    at = datetime.fromisoformat(document["applied_at"])
    return Applied(int(document["number"]), draft, at, document["replaces"])


def _all_types(document: MappingOf[str, Any]) -> dict[str, Types]:
    if document["format"] == CONTACTS_ONLY:
        return {CONTACT: _types(document["types"])}
    return {table: _types(types) for table, types in document["types"].items()}


def _types_document(types: Types) -> dict[str, Any]:
    targets = {
        name: {
            "type": str(target.type),
            "length": target.length,
            "values": list(target.values),
            "read_only": target.read_only,
        }
        for name, target in types.targets.items()
    }
    return {"columns": {name: str(kind) for name, kind in types.columns.items()}, "targets": targets}


def _types(document: MappingOf[str, Any]) -> Types:
    targets = {
        name: Target(TargetType(one["type"]), one["length"], tuple(one["values"]), bool(one["read_only"]))
        for name, one in document["targets"].items()
    }
    return Types({name: ColumnType(kind) for name, kind in document["columns"].items()}, targets)
