"""A journal entry ↔ its line: JSON that names its chain and carries the hash of the line before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from pydantic import AwareDatetime, ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from shared.domain.journal import JournalEntry

VERSION = 1


class UnreadableLineError(ValueError):
    """Not a line of the journal. The text names places and kinds of error, never a value."""


@dataclass(frozen=True)
class Link:
    """An entry in its place: the `number`th (from 1) of `chain`, after a line of the hash `previous`."""

    chain: str
    number: int
    previous: str
    entry: JournalEntry


@checked(config=ConfigDict(extra="forbid"), frozen=True)
class _Line:
    v: int
    chain: str
    number: int
    previous: str
    at: AwareDatetime
    contact: str
    attribute: str
    dynamics: bool | None
    dynamics_at: AwareDatetime | None
    campaign: bool | None
    campaign_at: AwareDatetime | None
    configuration: str
    policy: str
    decision: bool | None
    effects: tuple[str, ...]
    origin: str
    flag: str


_LINE: TypeAdapter[_Line] = TypeAdapter(_Line)


def hash_of(line: bytes) -> str:
    """SHA-256 of a line's exact bytes without its line end, in hex."""
    return hashlib.sha256(line).hexdigest()


def encode(link: Link) -> bytes:
    """The inverse of `decode`, without a line end."""
    entry = link.entry
    document = {
        "v": VERSION,
        "chain": link.chain,
        "number": link.number,
        "previous": link.previous,
        "at": entry.at.isoformat(),
        "contact": entry.contact_id,
        "attribute": entry.attribute,
        "dynamics": entry.dynamics_value,
        "dynamics_at": _text(entry.dynamics_at),
        "campaign": entry.campaign_value,
        "campaign_at": _text(entry.campaign_at),
        "configuration": entry.configuration,
        "policy": entry.policy,
        "decision": entry.decision,
        "effects": entry.effects,
        "origin": entry.origin,
        "flag": entry.flag,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def decode(line: bytes) -> Link:
    """Raises UnreadableLineError."""
    try:
        found = _LINE.validate_json(line)
    except ValidationError as error:
        faults = {".".join(map(str, e["loc"])) or "line": e["type"] for e in error.errors()}
        raise UnreadableLineError("; ".join(f"{place}: {kind}" for place, kind in sorted(faults.items())[:5])) from None
    if found.v != VERSION:
        raise UnreadableLineError("v: not a version that is known")
    return Link(found.chain, found.number, found.previous, _entry(found))


def _entry(found: _Line) -> JournalEntry:
    return JournalEntry(
        at=found.at,
        contact_id=found.contact,
        attribute=found.attribute,
        dynamics_value=found.dynamics,
        dynamics_at=found.dynamics_at,
        campaign_value=found.campaign,
        campaign_at=found.campaign_at,
        configuration=found.configuration,
        policy=found.policy,
        decision=found.decision,
        effects=found.effects,
        origin=found.origin,
        flag=found.flag,
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
