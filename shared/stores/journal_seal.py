"""A day's seal: what each of its chains was when the day was over, and the hash of the seal before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from shared.stores.journal_line import UnreadableLineError

VERSION = 1


@checked(config=ConfigDict(extra="forbid"), frozen=True)
class SealedChain:
    """`size` in bytes; `head`: the hash of the last line, empty for a chain without one."""

    name: str
    size: int
    entries: int
    head: str


@dataclass(frozen=True)
class Seal:
    """`previous`: the hash of the seal before, empty for the first. `chains`: by name."""

    day: date
    previous: str
    chains: tuple[SealedChain, ...]


@checked(config=ConfigDict(extra="forbid"), frozen=True)
class _Document:
    v: int
    day: date
    previous: str
    chains: tuple[SealedChain, ...]


_DOCUMENT: TypeAdapter[_Document] = TypeAdapter(_Document)


def encode(seal: Seal) -> bytes:
    """The inverse of `decode`."""
    chains = [{"name": c.name, "size": c.size, "entries": c.entries, "head": c.head} for c in seal.chains]
    document = {"v": VERSION, "day": seal.day.isoformat(), "previous": seal.previous, "chains": chains}
    return json.dumps(document, separators=(",", ":")).encode()


def decode(content: bytes) -> Seal:
    """Raises UnreadableLineError."""
    try:
        found = _DOCUMENT.validate_json(content)
    except ValidationError as error:
        raise UnreadableLineError(f"not a seal: {error.error_count()} faults") from None
    if found.v != VERSION:
        raise UnreadableLineError("not a seal of a version that is known")
    return Seal(found.day, found.previous, found.chains)
