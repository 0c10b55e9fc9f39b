"""Which letters a command is about, and the groups they fall into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from shared.domain.change import Hint, Lane
from shared.stores.letter import Box, DeadLetter, Place
from shared.wire import Message, UnreadableError, decode

NOTHING = "-"


@dataclass(frozen=True)
class Choice:
    """What is None or empty does not narrow. `numbers`: sequence numbers, unique in one queue only.

    A parked message belongs to the lane it came from, and to `parked`. `group`: a group's name, or the beginning of it.
    `since`, `until`: when it came to its queue, UTC; `since` is included, `until` is not.
    """

    lane: Lane | None = None
    place: Place | None = None
    reason: str | None = None
    table: str | None = None
    record: str | None = None
    group: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    numbers: frozenset[int] = field(default_factory=frozenset)

    def takes(self, letter: DeadLetter) -> bool:
        """Whether the letter is one of them. Cheap questions come first: a body is read only where it must be."""
        return (
            (self.lane is None or self.lane in (letter.lane, letter.queue))
            and self.place in (None, letter.place)
            and (self.reason is None or self.reason.lower() == letter.reason.lower())
            and (not self.numbers or letter.sequence_number in self.numbers)
            and self._in_time(letter.enqueued_at)
            and self._in_body(letter)
        )

    def looks_into(self, box: Box) -> bool:
        """Whether such a letter may lie there. The queue `parked` has dead letters of every lane."""
        return self.place in (None, box.place) and (box.queue is Lane.PARKED or self.lane in (None, box.queue))

    def _in_time(self, at: datetime | None) -> bool:
        if self.since is None and self.until is None:
            return True
        return at is not None and (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def _in_body(self, letter: DeadLetter) -> bool:
        if self.table is None and self.record is None and self.group is None:
            return True
        message = readable(letter.body)
        return (
            self.table in (None, table_of(message))
            and self.record in (None, message.record.id if isinstance(message, Hint) else NOTHING)
            and (self.group is None or f"{group_of(letter, message)}/".startswith(f"{self.group}/"))
        )

    def document(self) -> dict[str, Any]:
        """As JSON holds it, without what does not narrow."""
        values = asdict(self) | {"numbers": sorted(self.numbers)}
        values |= {name: at.isoformat() for name in ("since", "until") if (at := getattr(self, name)) is not None}
        return {name: value for name, value in values.items() if value not in (None, [])}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Choice:
        """The inverse of `document`."""
        values = dict(document)
        values |= {name: datetime.fromisoformat(values[name]) for name in ("since", "until") if name in values}
        values["numbers"] = frozenset(values.get("numbers", ()))
        if "lane" in values:
            values["lane"] = Lane(values["lane"])
        return cls(**values)


def boxes() -> tuple[Box, ...]:
    """Every place where letters lie."""
    return (*(Box(lane, "dead") for lane in Lane), Box(Lane.PARKED, "parked"))


def readable(body: bytes) -> Message | None:
    """None: not a message of ours."""
    try:
        return decode(body)
    except UnreadableError:
        return None


def table_of(message: Message | None) -> str | None:
    """The Dataverse table that a hint is about; None for e-mail events, and for what cannot be read."""
    return message.record.table if isinstance(message, Hint) else None


def group_of(letter: DeadLetter, message: Message | None) -> str:
    """`LANE/PLACE/REASON/TABLE`: the name that lists show, and that `--group` takes."""
    parts = (letter.lane, letter.place, letter.reason, table_of(message))
    return "/".join(str(part or NOTHING).replace("/", "_") for part in parts)
