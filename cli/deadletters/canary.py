"""What became of the first copies of a replay, and what has failed since it began."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from cli.deadletters.choice import readable
from cli.deadletters.view import Line, line
from shared.domain.change import Lane
from shared.domain.fact import FactChunk
from shared.stores.dead_letters import Copy, DeadLetters
from shared.stores.letter import Box, DeadLetter, first_id


@dataclass(frozen=True)
class Fate:
    """`waiting`: copies that their lanes still hold, waiting or being retried. `failed`: given up again."""

    waiting: int
    failed: tuple[Line, ...]


def chains(body: bytes, message_id: str) -> frozenset[str]:
    """The names under which a message and what follows from it can be met again, whatever attempt it is at.

    A refused e-mail event is parked alone, under a name of its own.
    """
    message = readable(body)
    if message is None:
        return frozenset({first_id(message_id)})
    facts = {f"fact/{fact.id}"[:100] for fact in message.facts} if isinstance(message, FactChunk) else set()
    return frozenset({message.id}) | facts


@dataclass(frozen=True)
class Watch:
    """`horizon`: the last number of each box when the replay began; what failed since lies behind it."""

    dead_letters: DeadLetters
    horizon: Mapping[Box, int]

    async def fate(self, copies: list[Copy]) -> Fate:
        """The lanes first: a copy that leaves its lane meanwhile is then met where it went.

        Raises BusUnavailableError.
        """
        names = [chains(copy.message.body, copy.message.message_id) for copy in copies]
        alive: set[str] = set()
        for lane in {copy.lane for copy in copies}:
            alive |= await self._alive(lane, frozenset().union(*names))
        waiting = sum(bool(one & alive) for one in names)
        wanted = frozenset().union(*names)
        async with aclosing(self.failures()) as failures:
            failed = [line(letter) async for letter in failures if chains(letter.body, letter.message_id) & wanted]
        return Fate(waiting, tuple(failed))

    async def failures(self) -> AsyncGenerator[DeadLetter, None]:
        """Every letter that came since the start, of this replay or not. Raises BusUnavailableError."""
        for box, last in self.horizon.items():
            async with aclosing(self.dead_letters.letters(box, last)) as letters:
                async for letter in letters:
                    yield letter

    async def _alive(self, lane: Lane, names: frozenset[str]) -> set[str]:
        found: set[str] = set()
        async with aclosing(self.dead_letters.live(lane)) as messages:
            async for message_id, body in messages:
                found |= chains(body, message_id) & names
        return found
