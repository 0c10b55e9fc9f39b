"""Replaying and discarding many messages, some at a time, with an account of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from cli.failures import said
from cli.letters import Line, by_lane, line
from shared.ports import BusUnavailableError
from shared.stores.dead_letters import DeadLetters, Removal
from shared.stores.letter import DeadLetter
from shared.stores.service_bus import MessageTooLargeError

Verb = Literal["replay", "discard"]
AT_ONCE = 100


@dataclass(frozen=True)
class Report:
    """What became of the chosen messages. `lanes`: how many by lane.

    `left`: not found again, so taken by another tool; of a replay the copy may have been sent. `refused`: they name no
    lane, so nobody knows where a replay would send them. `not_tried`: after `failure` the rest was left alone.
    """

    verb: Verb
    dry_run: bool
    chosen: int
    lanes: dict[str, int]
    done: int
    left: tuple[Line, ...]
    refused: tuple[Line, ...]
    not_tried: int
    failure: str | None

    @property
    def complete(self) -> bool:
        """Nothing is left for the operator to look at."""
        return not (self.left or self.refused or self.failure)


async def carry_out(
    dead_letters: DeadLetters, verb: Verb, letters: Sequence[DeadLetter], advance: Callable[[int], None]
) -> Report:
    """`advance` hears how many more are through. A failing broker ends it; what was done by then is in the report."""
    able, refused = _able(verb, letters)
    act = dead_letters.replay if verb == "replay" else dead_letters.discard
    through, removed, left, failure = 0, 0, list[DeadLetter](), None
    for start in range(0, len(able), AT_ONCE):
        outcome = await _try(act, able[start : start + AT_ONCE])
        if isinstance(outcome, str):
            failure = outcome
            break
        through += len(outcome.removed) + len(outcome.left)
        removed += len(outcome.removed)
        left += outcome.left
        advance(len(outcome.removed) + len(outcome.left))
    return Report(
        verb=verb,
        dry_run=False,
        chosen=len(letters),
        lanes=by_lane(able),
        done=removed,
        left=tuple(map(line, left)),
        refused=tuple(map(line, refused)),
        not_tried=len(able) - through,
        failure=failure,
    )


def rehearse(verb: Verb, letters: Sequence[DeadLetter]) -> Report:
    """What `carry_out` would set out to do."""
    able, refused = _able(verb, letters)
    return Report(verb, True, len(letters), by_lane(able), 0, (), tuple(map(line, refused)), len(able), None)


def _able(verb: Verb, letters: Sequence[DeadLetter]) -> tuple[list[DeadLetter], list[DeadLetter]]:
    """Queue by queue from the front: the broker hands out messages in that order only."""
    ordered = sorted(letters, key=lambda letter: (letter.queue, letter.place, letter.sequence_number))
    if verb == "discard":
        return ordered, []
    return [one for one in ordered if one.lane is not None], [one for one in ordered if one.lane is None]


async def _try(
    act: Callable[[Sequence[DeadLetter]], Awaitable[Removal]], letters: Sequence[DeadLetter]
) -> Removal | str:
    try:
        return await act(letters)
    except (BusUnavailableError, MessageTooLargeError) as error:
        return said(error)
