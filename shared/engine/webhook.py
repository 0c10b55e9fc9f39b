"""The webhook's answer: who may enter, what is understood, and when Dataverse must try again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.change import RowEvent, Source
from shared.engine.intake import Doorkeeper, admit
from shared.errors import Outcome
from shared.ports import BusUnavailableError, Ports

Parse = Callable[[bytes], RowEvent | None]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; the body is JSON."""

    status: int
    body: str


class Webhook:
    """`parse` raises ValueError, with the place, for what it cannot read; None: a message that nobody registered."""

    def __init__(self, ports: Ports, doorkeeper: Doorkeeper, parse: Parse) -> None:
        self.ports = ports
        self.doorkeeper = doorkeeper
        self.parse = parse

    async def answer(self, key: str | None, body: bytes) -> Answer:
        """2xx only once the hints are durable. Dataverse tries once more after 503, and after nothing else."""
        if not self.doorkeeper.admits(key):
            return self._refusal(401, "wrong or missing x-bridge-key")
        try:
            event = self.parse(body)
            await self.ports.refresh_mapping()
        except ValueError as error:
            return self._refusal(400, str(error))
        except Outcome as outcome:
            return self._refusal(503, outcome.reason.slug)
        if event is None:
            return self._noted("message not used")
        if self.ports.mappings().of(event.record.table) is None:
            return self._noted("table not mapped")
        try:
            hints = await admit(self.ports, event, Source.WEBHOOK, body)
        except BusUnavailableError:
            return self._refusal(503, "the queue did not take the message; try again")
        return Answer(202, json.dumps({"hints": hints})) if hints else self._noted("no mapped column changed")

    def _refusal(self, status: int, reason: str) -> Answer:
        self.ports.telemetry.counted("webhook_refused", status=status, reason=reason)
        return Answer(status, json.dumps({"error": reason}))

    def _noted(self, reason: str) -> Answer:
        self.ports.telemetry.counted("webhook_ignored", reason=reason)
        return Answer(202, json.dumps({"hints": 0, "reason": reason}))
