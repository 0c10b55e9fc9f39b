"""The right to write FALSE to Campaign: a claim in the record's ledger row, by the steps of docs/architecture.md."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.change import RecordKey
from shared.domain.ledger import Claim, LedgerRow
from shared.errors import Outcome, Reason, Retry, RetryAsVerify, Uncertain
from shared.ports import Ports


class RecordClaim:
    """One worker's claim on one record. The ledger's state stays as it is: opt-outs have no part in the digest."""

    def __init__(self, ports: Ports, key: RecordKey) -> None:
        self.ports = ports
        self.key = key
        self.token = f"{ports.random.getrandbits(64):016x}"
        self.row: LedgerRow | None = None
        self.check_at: datetime | None = None
        self.sent_at = ports.clock.now()

    @property
    def held(self) -> bool:
        """Whether it was taken."""
        return self.row is not None

    async def take(self) -> None:
        """Steps 2 and 4. Raises Retry where another worker is at it."""
        timings, now = self.ports.timings, self.ports.clock.now()
        before = await self.ports.ledger.get(self.key)
        if before.claim is not None and before.claim.until > now:
            wait_s = (before.claim.until - now).total_seconds() + self._jitter_s()
            raise Retry(Reason.CLAIMED, after_s=wait_s)
        claim = Claim(self.token, now + timedelta(seconds=timings.claim_s))
        check_at = now + timedelta(seconds=timings.check_after_s)
        self.row = await self._applied(await self.ports.ledger.put(replace(before, claim=claim, check_at=check_at)))
        self.check_at = before.check_at

    async def _applied(self, stored: LedgerRow | None) -> LedgerRow:
        current = stored or await self.ports.ledger.get(self.key)
        if current.claim is None or current.claim.token != self.token:
            raise Retry(Reason.LEDGER_RACE, after_s=self._jitter_s())
        return current

    def about_to_send(self) -> None:
        """Step 6. Raises Retry where too little of the claim is left."""
        now = self.ports.clock.now()
        claim = self.row.claim if self.row else None
        if claim is None or now > self.ports.timings.last_send(claim):
            raise Retry(Reason.OUT_OF_TIME, after_s=self._jitter_s())
        self.sent_at = now

    async def release(self) -> None:
        """Step 9. If somebody wrote the row meanwhile, the claim ends by itself, and the check stands."""
        if self.row is not None:
            await self.ports.ledger.put(replace(self.row, claim=None, check_at=self.check_at))

    async def hold(self, unanswered: Uncertain) -> Outcome:
        """Step 10: the claim stays until the write must have landed; then both sides are looked at anew."""
        if self.row is None:
            return unanswered
        timings, now = self.ports.timings, self.ports.clock.now()
        started = max(self.sent_at, now - timedelta(seconds=timings.http_timeout_s))
        until = started + timedelta(seconds=timings.landing_bound_s)
        check_at = now + timedelta(seconds=timings.check_after_s)
        await self.ports.ledger.put(replace(self.row, claim=Claim(self.token, until), check_at=check_at))
        wait_s = max(0.0, (until - now).total_seconds()) + self._jitter_s()
        return RetryAsVerify(unanswered.reason, unanswered.detail, after_s=wait_s)

    def _jitter_s(self) -> float:
        return self.ports.random.uniform(1, 5)
