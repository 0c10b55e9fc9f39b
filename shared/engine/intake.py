"""The way in for row events: announced by Dataverse, turned into hints, durable before it is answered."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from shared import tracing
from shared.domain.change import RowEvent, Source
from shared.engine.lanes import send_hints
from shared.flows import intake
from shared.ports import Ports


@dataclass(frozen=True)
class Doorkeeper:
    """The shared secrets that are valid now: one, or two during a rotation."""

    keys: Sequence[str]

    def admits(self, offered: str | None) -> bool:
        """Compares with every key, in a time that does not depend on the match."""
        matches = [hmac.compare_digest(key.encode(), (offered or "").encode()) for key in self.keys]
        return any(matches)


async def admit(ports: Ports, event: RowEvent, source: Source, body: bytes) -> int:
    """How many hints were sent. The announcement's bytes name them, so its repetition is a duplicate.

    Raises BusUnavailableError: then the sender must be told to try again.
    """
    event_id = hashlib.sha256(body).hexdigest()[:32]
    hints = intake.decide(ports.mappings(), event, source, event_id, ports.clock.now())
    with tracing.announced(*hints):
        await send_hints(ports, *hints)
    return len(hints)
