"""Messages that wait for a person: chosen, grouped by why they wait, and shown without personal data."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from cli.reason_register import Entry, entry
from shared.domain.change import Hint, Lane
from shared.domain.fact import FactChunk
from shared.stores.dead_letters import DeadLetters
from shared.stores.letter import MARKS, DeadLetter, Place
from shared.wire import UnreadableError, decode

# Properties that the bridge or the broker writes; a foreign sender's may hold anything.
OUR_PROPERTIES = MARKS | {"replay_of", "replays"}
REDACTED = "(not shown; --show-values)"


@dataclass(frozen=True)
class Choice:
    """Which messages; what is None or empty does not narrow. `numbers`: sequence numbers, unique in one queue only.

    A parked message belongs to the lane it came from, and to `parked`.
    """

    lane: Lane | None = None
    place: Place | None = None
    reason: str | None = None
    numbers: frozenset[int] = field(default_factory=frozenset)

    def takes(self, letter: DeadLetter) -> bool:
        """Whether the letter is one of them."""
        return (
            (self.lane is None or self.lane in (letter.lane, letter.queue))
            and self.place in (None, letter.place)
            and (self.reason is None or self.reason.lower() == letter.reason.lower())
            and (not self.numbers or letter.sequence_number in self.numbers)
        )


@dataclass(frozen=True)
class Group:
    """Messages that wait in one place for one reason. `lane` None: they do not say where they came from.

    `numbers`: the sequence numbers of the first few, for a look at one.
    """

    lane: Lane | None
    place: Place
    reason: Entry
    count: int
    first_at: datetime | None
    last_at: datetime | None
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Line:
    """One message in a list. `record`: what a hint asks to look at."""

    number: int
    queue: Lane
    place: Place
    lane: Lane | None
    reason: str
    detail: str
    message_id: str
    record: str | None
    enqueued_at: datetime | None
    delivery_count: int


@dataclass(frozen=True)
class LetterView:
    """One message. `body`: a hint as it is, ids only; of anything else a summary, unless values were asked for."""

    line: Line
    reason: Entry
    properties: Mapping[str, str | int]
    body: object


NUMBERS_KEPT = 3


async def waiting(dead_letters: DeadLetters, choice: Choice) -> list[DeadLetter]:
    """Those chosen, queue by queue, oldest first. Only looks. Raises BusUnavailableError."""
    found = await asyncio.gather(*(_taken(source, choice) for source in _sources(dead_letters, choice)))
    return [letter for letters in found for letter in letters]


async def grouped(dead_letters: DeadLetters, choice: Choice) -> tuple[Group, ...]:
    """By lane, place and reason; keeps counts, not messages, however many there are. Raises BusUnavailableError."""
    groups: dict[tuple[str, Place, str], Group] = {}

    async def count(source: AsyncIterator[DeadLetter]) -> None:
        async for letter in source:
            if choice.takes(letter):
                key = (letter.lane or "", letter.place, letter.reason)
                groups[key] = _joined(groups.get(key) or _empty(letter), letter)

    await asyncio.gather(*map(count, _sources(dead_letters, choice)))
    return tuple(groups[key] for key in sorted(groups))


async def first(letters: AsyncIterator[DeadLetter]) -> DeadLetter | None:
    """None if there is none. Raises BusUnavailableError."""
    try:
        return await anext(letters, None)
    finally:
        if isinstance(letters, AsyncGenerator):
            await letters.aclose()


def line(letter: DeadLetter) -> Line:
    """For a list."""
    return Line(
        number=letter.sequence_number,
        queue=letter.queue,
        place=letter.place,
        lane=letter.lane,
        reason=letter.reason,
        detail=letter.description,
        message_id=letter.message_id,
        record=_record(letter.body),
        enqueued_at=letter.enqueued_at,
        delivery_count=letter.delivery_count,
    )


def view(letter: DeadLetter, *, show_values: bool) -> LetterView:
    """For a closer look."""
    return LetterView(
        line=line(letter),
        reason=entry(letter.reason),
        properties={
            name: value if show_values or name in OUR_PROPERTIES else REDACTED
            for name, value in letter.properties.items()
        },
        body=_body(letter.body, show_values=show_values),
    )


async def _taken(source: AsyncIterator[DeadLetter], choice: Choice) -> list[DeadLetter]:
    return [letter async for letter in source if choice.takes(letter)]


def _sources(dead_letters: DeadLetters, choice: Choice) -> Iterator[AsyncIterator[DeadLetter]]:
    if choice.place != "parked":
        for lane in Lane:
            if choice.lane in (None, lane) or lane is Lane.PARKED:  # `parked` has dead letters of every lane
                yield dead_letters.dead(lane)
    if choice.place != "dead":
        yield dead_letters.parked()


def _empty(letter: DeadLetter) -> Group:
    return Group(letter.lane, letter.place, entry(letter.reason), 0, None, None, ())


def _joined(group: Group, letter: DeadLetter) -> Group:
    times = [time for time in (group.first_at, group.last_at, letter.enqueued_at) if time is not None]
    return replace(
        group,
        count=group.count + 1,
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        numbers=(*group.numbers, letter.sequence_number)[:NUMBERS_KEPT],
    )


def _record(body: bytes) -> str | None:
    try:
        message = decode(body)
    except UnreadableError:
        return None
    return str(message.record) if isinstance(message, Hint) else None


def _body(body: bytes, *, show_values: bool) -> object:
    try:
        message = decode(body)
    except UnreadableError as error:
        shown = body.decode("utf-8", "replace") if show_values else REDACTED
        return {"kind": "unknown", "bytes": len(body), "problem": str(error), "text": shown}
    if isinstance(message, Hint):
        return {"kind": "hint", "record": str(message.record), "why": message.why, **_history(message)} | {
            "columns": sorted(message.columns),
            "source": message.source,
            "by": message.by,
        }
    facts: object = message.facts if show_values else dict(Counter(str(fact.event) for fact in message.facts))
    return {"kind": "facts", **_history(message), "count": len(message.facts), "facts": facts}


def _history(message: Hint | FactChunk) -> dict[str, object]:
    return {"id": message.id, "first_seen": message.first_seen, "attempt": message.attempt}


def by_lane(letters: Iterable[DeadLetter]) -> dict[str, int]:
    """How many go to each lane, or came from it."""
    return dict(sorted(Counter(str(letter.lane or letter.queue) for letter in letters).items()))
