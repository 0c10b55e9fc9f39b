"""The rows of one page: what the ledger vouches for is settled at sight, the rest takes the ledger's own steps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.domain.change import Hint
from shared.domain.contact import Contact
from shared.domain.ledger import LedgerRow
from shared.domain.mapping import Mapping
from shared.domain.resync import Ending, Tally, rather_look
from shared.engine.alignment import Turn
from shared.engine.deliver import Engine
from shared.errors import Drop, Halt, Outcome, Park, Reason, Retry, RetryAsVerify
from shared.flows import contact
from shared.ports import Ports

ROWS_AT_ONCE = 8
WORK_S = 120.0  # after that no row is begun: the function ends at 240 s
# What keeps one row back and says nothing about the next one. Anything else holds up the page.
OWN_TROUBLE = frozenset(
    {
        Reason.CLAIMED,
        Reason.LEDGER_RACE,
        Reason.PRIVACY_PENDING,
        Reason.OUT_OF_TIME,
        Reason.ROW_CHANGED,
        Reason.PARENT_MISSING,
        Reason.PARENT_BUSY,
        Reason.CHILD_BUSY,
        Reason.CHILDREN_FIRST,
        Reason.HIDDEN,
    }
)


@dataclass(frozen=True)
class RowAtHand:
    """A row as its page was read. `row` None: Dynamics has none. `delivery_count` above 1: trust no ledger."""

    hint: Hint
    row: Contact | None
    ledger: LedgerRow
    delivery_count: int


class PageRows:
    """`per_second`: rows that are begun, at most; None: as fast as it goes. What becomes of them is in `tally`.

    `create_first`: as the run and its partition have it; see `_creates`.
    """

    def __init__(
        self,
        ports: Ports,
        engine: Engine,
        mapping: Mapping,
        tally: Tally,
        per_second: float | None,
        *,
        create_first: bool = False,
    ) -> None:
        self.ports, self.engine, self.mapping, self.tally = ports, engine, mapping, tally
        self.create_first = create_first
        self._wait_s = 0.0 if per_second is None else 1 / per_second
        self._started = ports.clock.now()
        self._next_at = self._started + timedelta(seconds=self._wait_s)  # the page before ended just now
        self._stop: Outcome | None = None

    def settle_at_sight(self, rows: Sequence[RowAtHand]) -> list[RowAtHand]:
        """Those that are left. A row that waits for a check is not settled here: its check may have to end."""
        left = []
        for one in rows:
            reason = contact.settled(
                contact.situation(one.hint, one.delivery_count, one.ledger, one.row, self.mapping, self._started)
            )
            if reason is None or one.ledger.check_at is not None:
                left.append(one)
            else:
                self.tally.add(one.hint.record.id, Ending.SETTLED, reason.slug)
        return left

    async def settle(self, rows: Sequence[RowAtHand]) -> Outcome | None:
        """Why it stopped before the end; None: all are settled. Raises what is not an Outcome."""
        waiting = iter(rows)
        results = await asyncio.gather(
            *(self._some(waiting) for _ in range(min(ROWS_AT_ONCE, len(rows)))), return_exceptions=True
        )
        for failure in results:
            if failure is not None:
                raise failure
        return self._stop

    async def _some(self, waiting: Iterator[RowAtHand]) -> None:
        for one in waiting:
            if self._stop is None:
                await self._turn()
            if self._stop is not None:
                return
            await self._one(one)

    async def _turn(self) -> None:
        now = self.ports.clock.now()
        at = max(now, self._next_at)
        self._next_at = at + timedelta(seconds=self._wait_s)
        if (at - self._started).total_seconds() > WORK_S:
            self._stop = Retry(Reason.PAGE_UNFINISHED, after_s=0)
        elif at > now:
            await self.ports.clock.sleep((at - now).total_seconds())

    async def _one(self, one: RowAtHand) -> None:
        record_id, creates = one.hint.record.id, self._creates(one)
        hint = replace(one.hint, created=creates)
        turn = Turn(self.ports, hint, one.delivery_count, (one.ledger, one.row))
        if turn.mapping.version != self.mapping.version:  # its columns may not be the ones that were read
            self._stop = Retry(Reason.ROW_CHANGED, "read while the mapping changed", after_s=1)
            return
        try:
            async with self.engine.crowd.member():
                reason = await turn.run()
        except Drop as outcome:
            self.tally.add(record_id, Ending.SETTLED, outcome.reason.slug)
        except (Park, Retry, Halt) as outcome:
            await self._ended(one.hint, outcome)
        else:
            await self.engine.row_settled(one.hint, reason)
            self.tally.add(record_id, Ending.SETTLED, reason.slug)
            if creates and reason in (Reason.WRITTEN, Reason.UNCHANGED):
                self.tally.tried += 1
                self.tally.refused += not turn.created

    def _creates(self, one: RowAtHand) -> bool:
        """Like an announced creation: not looked for before, only if Campaign refuses it.

        Not where most were refused; and a row that goes on by itself, as a message of its own, looks first again.
        """
        fresh = one.ledger.never_seen and one.delivery_count == 1
        return self.create_first and fresh and not rather_look(self.tally.tried, self.tally.refused)

    async def _ended(self, hint: Hint, outcome: Park | Retry | Halt) -> None:
        """What is the row's own trouble goes on as a message; what every row would meet stops the page."""
        own = isinstance(outcome, Park | RetryAsVerify) or outcome.reason in OWN_TROUBLE
        if own:
            await self.engine.row_ended(hint, outcome)
            ending = Ending.PARKED if isinstance(outcome, Park) else Ending.LATER
            self.tally.add(hint.record.id, ending, outcome.reason.slug)
        if isinstance(outcome, RetryAsVerify):
            self._stop = self._stop or Retry(outcome.reason, outcome.detail)
        elif not own:
            self._stop = self._stop or outcome
