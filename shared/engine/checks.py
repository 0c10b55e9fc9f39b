"""The ledger's own clock: rows whose check is due get a verify hint (rule M1), ended privacy requests too (rule D2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.change import Hint, Source, Why
from shared.domain.ledger import LedgerRow
from shared.engine.lanes import send_hints
from shared.flows import deletion
from shared.ports import Ports


async def verify_due(ports: Ports) -> int:
    """How many hints were sent."""
    sent = 0
    async for row in ports.ledger.due(ports.clock.now()):
        if await ports.ledger.put(replace(row, check_at=_next_check(ports))) is not None:
            await send_hints(ports, _verify(ports, row))
            sent += 1
    return sent


async def follow_privacy_requests(ports: Ports) -> int:
    """How many requests have ended since the last look. One engine call a pending request."""
    ended = 0
    async for row in ports.ledger.pending():
        if row.pending is None:
            continue
        progress = await ports.campaign.privacy_progress(row.pending.name)
        after = deletion.ended(row, progress, ports.clock.now(), ports.timings)
        if after is not None and await ports.ledger.put(replace(after, check_at=_next_check(ports))) is not None:
            await send_hints(ports, _verify(ports, row))
            ended += 1
    return ended


def _next_check(ports: Ports) -> datetime:
    """Stored before the hint is sent: a crash in between costs ten minutes, not the check."""
    return ports.clock.now() + timedelta(seconds=ports.timings.check_after_s)


def _verify(ports: Ports, row: LedgerRow) -> Hint:
    name = f"verify/{row.key.id}/{ports.random.getrandbits(64):016x}"
    return Hint(name, row.key, Why.VERIFY, Source.CHECK, ports.clock.now())
