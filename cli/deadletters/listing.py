"""Waiting letters one after the other, and counted in groups; memory stays flat however many there are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from cli.deadletters.choice import Choice, boxes, group_of, readable, table_of
from cli.reason_register import Entry, entry
from shared.domain.change import Lane
from shared.stores.dead_letters import DeadLetters
from shared.stores.letter import DeadLetter, Place
from shared.stores.letter_desk import LetterDesk, Note

Dimension = Literal["function", "place", "reason", "table", "age"]
USUAL: tuple[Dimension, ...] = ("function", "place", "reason", "table")
NUMBERS_KEPT = 3
AGES = (
    ("under an hour", timedelta(hours=1)),
    ("under a day", timedelta(days=1)),
    ("under a week", timedelta(weeks=1)),
    ("a week or more", timedelta.max),
)
# The function that works on a lane, for those who know the bridge by what Azure shows of it.
FUNCTIONS = {
    Lane.CONTACT_UPSERT: "contact_upsert",
    Lane.CONTACT_DELETE: "contact_delete",
    Lane.CUSTOM_ENTITY: "custom_entity_sync",
    Lane.OPTOUT: "optout_writeback",
    Lane.TIMELINE: "timeline_activity",
    Lane.BULK: "bulk_page",
    Lane.INBOX: "dataverse_inbox",
}


@dataclass(frozen=True)
class Group:
    """Letters that are alike. What the list is not split by is None, as is what the letters do not say.

    `name`: what `--group` takes; None where the list is split by something else. `numbers`: the sequence numbers of the
    first few, for a look at one.
    """

    name: str | None
    lane: Lane | None
    function: str | None
    place: Place | None
    reason: Entry | None
    table: str | None
    age: str | None
    count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    numbers: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()


async def waiting(dead_letters: DeadLetters, choice: Choice) -> AsyncGenerator[DeadLetter, None]:
    """Those chosen, box by box, oldest first. Only looks. Raises BusUnavailableError."""
    looked_into = [box for box in boxes() if choice.looks_into(box)]
    await dead_letters.connect(looked_into)
    for box in looked_into:
        async with aclosing(dead_letters.letters(box)) as letters:
            async for letter in letters:
                if choice.takes(letter):
                    yield letter


async def grouped(
    letters: AsyncIterator[DeadLetter], by: Sequence[Dimension] = USUAL, now: datetime | None = None
) -> tuple[Group, ...]:
    """Counts, not letters. `now` is needed for ages. Raises BusUnavailableError."""
    counted: dict[Group, Group] = {}
    async for letter in letters:
        kind = _kind(letter, by, now)
        counted[kind] = _joined(counted.get(kind, kind), letter)
    return tuple(sorted(counted.values(), key=_order))


async def with_notes(desk: LetterDesk, groups: Sequence[Group]) -> tuple[Group, ...]:
    """The same with what people wrote about them. Raises Retry."""
    noted = await desk.noted()
    return tuple(
        [replace(group, notes=tuple(await desk.notes(group.name, noted))) if group.name else group for group in groups]
    )


async def first(letters: AsyncGenerator[DeadLetter, None]) -> DeadLetter | None:
    """None if there is none. Raises BusUnavailableError."""
    async with aclosing(letters):
        return await anext(letters, None)


def _kind(letter: DeadLetter, by: Sequence[Dimension], now: datetime | None) -> Group:
    message = readable(letter.body)
    with_function = "function" in by
    return Group(
        name=group_of(letter, message) if set(by) == set(USUAL) else None,
        lane=letter.lane if with_function else None,
        function=FUNCTIONS.get(letter.lane) if with_function and letter.lane else None,
        place=letter.place if "place" in by else None,
        reason=entry(letter.reason) if "reason" in by else None,
        table=table_of(message) if "table" in by else None,
        age=_age(letter.enqueued_at, now) if "age" in by and now else None,
    )


def _age(at: datetime | None, now: datetime) -> str | None:
    return None if at is None else next(words for words, limit in AGES if now - at < limit)


def _joined(group: Group, letter: DeadLetter) -> Group:
    times = [time for time in (group.first_at, group.last_at, letter.enqueued_at) if time is not None]
    return replace(
        group,
        count=group.count + 1,
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        numbers=(*group.numbers, letter.sequence_number)[:NUMBERS_KEPT],
    )


def _order(group: Group) -> tuple[str, str, str, str, int]:
    ages = [words for words, _ in AGES]
    age = ages.index(group.age) if group.age else -1
    return (group.lane or "", group.place or "", group.reason.slug if group.reason else "", group.table or "", age)
