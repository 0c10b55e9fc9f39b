"""Letters as they are sent again: with their edits applied, to the lane that the body now belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

from cli.deadletters.choice import readable
from shared.domain.change import Hint, Lane
from shared.stores.dead_letters import Copy
from shared.stores.letter import DeadLetter, copy_of, lane_of
from shared.stores.letter_desk import LetterDesk

SENT_KEPT = 10


@dataclass
class Posting:
    """`edited`: names of the logs that hold edits. `sent`: the last few copies, for whoever watches them."""

    desk: LetterDesk
    edited: frozenset[str]
    run: str
    sent: list[Copy] = field(default_factory=list, init=False)

    async def copy(self, letter: DeadLetter) -> Copy:
        """Raises Retry, NotReplayableError."""
        edit = await self.desk.edit_of(letter, self.edited)
        edited = None if edit is None else edit.edited
        made = Copy(lane_for(letter, edited), copy_of(letter, run=self.run, edited=edited))
        self.sent = [*self.sent[-SENT_KEPT + 1 :], made]
        return made

    async def body(self, letter: DeadLetter) -> bytes:
        """What would be sent. Raises Retry."""
        edit = await self.desk.edit_of(letter, self.edited)
        return letter.body if edit is None else edit.edited


def lane_for(letter: DeadLetter, edited: bytes | None) -> Lane:
    """An edited hint may have become another kind of work. Raises NotReplayableError."""
    message = readable(edited) if edited is not None else None
    return message.lane if isinstance(message, Hint) else lane_of(letter)
