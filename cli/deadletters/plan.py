"""What a replay or a discard is about to do: counted box by box, with the last number that it will touch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal

from cli.deadletters.choice import Choice, boxes
from cli.deadletters.view import Line, line
from shared.stores.dead_letters import DeadLetters
from shared.stores.letter import Box, DeadLetter
from shared.stores.withdrawal import Take

Verb = Literal["replay", "discard"]
EXAMPLES = 20


@dataclass
class Plan:
    """Counts, never letters. `refused`: they name no lane, so nobody knows where a replay would send them.

    `horizon`: what came to a box later has a higher number, and is not touched: a letter that fails again is not
    replayed again. `doubled`: a number of the choice that lies in two boxes.
    """

    verb: Verb
    choice: Choice
    horizon: dict[Box, int] = field(default_factory=dict)
    chosen: Counter[Box] = field(default_factory=Counter)
    deferred: Counter[Box] = field(default_factory=Counter)
    lanes: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    refused_examples: list[Line] = field(default_factory=list)
    doubled: bool = False

    @property
    def count(self) -> int:
        """How many will be replayed or discarded."""
        return self.chosen.total()

    def wants(self, letter: DeadLetter) -> bool:
        """Whether the letter is one that will be."""
        return self.choice.takes(letter) and (self.verb == "discard" or letter.lane is not None)

    def take(self, box: Box, *, most: int | None, page: int) -> Take:
        """The order for one box."""
        return Take(box, self.wants, self.horizon[box], deferred=self.deferred[box] > 0, most=most, page=page)


async def plan(dead_letters: DeadLetters, verb: Verb, choice: Choice, horizon: Mapping[Box, int] | None = None) -> Plan:
    """Looks through every box once; `horizon`: that of an earlier plan. Raises BusUnavailableError."""
    made = Plan(verb, choice)
    numbers: set[int] = set()
    await dead_letters.connect(boxes())
    for box in boxes():
        last = None if horizon is None else horizon.get(box, 0)
        made.horizon[box] = last or 0
        async with aclosing(dead_letters.letters(box)) as letters:
            async for letter in letters:
                if last is not None and letter.sequence_number > last:
                    break
                made.horizon[box] = max(made.horizon[box], letter.sequence_number)
                if choice.takes(letter):
                    made.doubled |= bool(choice.numbers) and letter.sequence_number in numbers
                    numbers |= {letter.sequence_number} & choice.numbers
                    _count(made, letter)
    return made


def _count(made: Plan, letter: DeadLetter) -> None:
    if not made.wants(letter):
        made.refused += 1
        if len(made.refused_examples) < EXAMPLES:
            made.refused_examples.append(line(letter))
        return
    made.chosen[letter.box] += 1
    made.deferred[letter.box] += letter.deferred
    made.lanes[str(letter.lane or letter.queue)] += 1
