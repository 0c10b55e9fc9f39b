"""What people did with dead letters: the audit log, notes on groups, and edits that keep the original."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from shared.ports import Clock
from shared.stores.append_log import AppendLog, Entry
from shared.stores.letter import DeadLetter

CONTAINER = "deadletters"


@dataclass(frozen=True)
class Action:
    """One line of the audit log: ids, names and numbers, never a body. `run` joins the lines of one replay."""

    at: datetime
    who: str
    what: str
    why: str
    run: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Note:
    """What a person wrote about a group."""

    at: datetime
    who: str
    text: str


@dataclass(frozen=True)
class Edit:
    """What a person made of a letter's body, and what it was."""

    at: datetime
    who: str
    why: str
    original: bytes = field(repr=False)
    edited: bytes = field(repr=False)


class LetterDesk:
    """Append only, all of it. Every method raises Retry when storage does not answer."""

    def __init__(self, log: AppendLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    async def record(
        self, who: str, what: str, why: str, *, run: str | None = None, detail: Mapping[str, Any] | None = None
    ) -> None:
        """One more line of the audit log, a log a day (UTC)."""
        now = self._clock.now()
        entry = {"at": now.isoformat(), "who": who, "what": what, "why": why, "run": run, "detail": detail or {}}
        await self._log.append(_day(now.date()), entry)

    async def actions(self, days: int) -> AsyncIterator[Action]:
        """The audit log of the last so many days, the oldest first."""
        today = self._clock.now().date()
        for back in range(days - 1, -1, -1):
            for entry in await self._log.entries(_day(today - timedelta(days=back))):
                yield _action(entry)

    async def note(self, group: str, who: str, text: str) -> None:
        """One more note on a group."""
        entry = {"at": self._clock.now().isoformat(), "who": who, "text": text}
        await self._log.append(_note_name(group), entry)

    async def noted(self) -> frozenset[str]:
        """Names of logs that hold notes; `notes` needs no look for a group whose log is not among them."""
        return frozenset(await self._log.names("notes/"))

    async def notes(self, group: str, noted: frozenset[str]) -> Sequence[Note]:
        """A group's notes, the oldest first."""
        name = _note_name(group)
        found = await self._log.entries(name) if name in noted else ()
        return tuple(Note(_time(entry), entry["who"], entry["text"]) for entry in found)

    async def edit(self, letter: DeadLetter, edited: bytes, who: str, why: str) -> None:
        """Keep what the letter becomes when it is replayed; the letter itself stays as it is."""
        entry = {
            "at": self._clock.now().isoformat(),
            "who": who,
            "why": why,
            "message_id": letter.message_id,
            "original": _text(letter.body),
            "edited": _text(edited),
        }
        await self._log.append(_edit_name(letter), entry)

    async def edited(self) -> frozenset[str]:
        """Names of logs that hold edits; `edit_of` needs no look for a letter whose log is not among them."""
        return frozenset(await self._log.names("edits/"))

    async def edit_of(self, letter: DeadLetter, edited: frozenset[str]) -> Edit | None:
        """The last edit of this letter."""
        name = _edit_name(letter)
        found = await self._log.entries(name) if name in edited else ()
        if not found:
            return None
        last = found[-1]
        return Edit(_time(last), last["who"], last["why"], _bytes(last["original"]), _bytes(last["edited"]))


def _day(day: date) -> str:
    return f"audit/{day.isoformat()}.jsonl"


def _note_name(group: str) -> str:
    return f"notes/{quote(group, safe='')}.jsonl"


def _edit_name(letter: DeadLetter) -> str:
    """The body's digest: numbers begin anew in a queue that was deleted and made again."""
    digest = hashlib.sha256(letter.body).hexdigest()[:16]
    return f"edits/{letter.queue}-{letter.place}-{letter.sequence_number}-{digest}.jsonl"


def _action(entry: Entry) -> Action:
    return Action(_time(entry), entry["who"], entry["what"], entry["why"], entry["run"], entry["detail"])


def _time(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry["at"])


def _text(body: bytes) -> str:
    return base64.b64encode(body).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
