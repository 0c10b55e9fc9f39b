"""The second way in: announcements that Dataverse puts into a queue of ours, read by the webhook's parser."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from shared.domain.change import Lane, Source
from shared.engine.deliver import Delivery
from shared.engine.intake import admit
from shared.engine.lanes import send_parked
from shared.engine.webhook import Parse
from shared.errors import Outcome, Reason
from shared.ports import Outgoing, Ports
from shared.telemetry import Telemetry

AGAIN_AFTER = timedelta(minutes=1)


class Inbox:
    """Settles announcements. Returning means: complete the message; by then its hints are durable.

    A broker that does not take them raises, and the message is delivered again.
    """

    def __init__(self, ports: Ports, telemetry: Telemetry, parse: Parse) -> None:
        self.ports, self.telemetry, self.parse = ports, telemetry, parse

    async def take(self, delivery: Delivery) -> None:
        """Raises BusUnavailableError."""
        try:
            event = self.parse(delivery.body)
        except ValueError as error:
            return await self._park(delivery, str(error))
        try:
            await self.ports.refresh_mapping()
        except Outcome as outcome:
            return await self._later(delivery, outcome)
        if event is None:
            return self._tell(Reason.NOT_USED, "message")
        if self.ports.mappings().of(event.record.table) is None:
            return self._tell(Reason.NOT_MAPPED, event.record.table)
        hints = await admit(self.ports, event, Source.INBOX, delivery.body)
        self._tell(Reason.ADMITTED if hints else Reason.NOT_USED, str(event.record))

    async def _park(self, delivery: Delivery, detail: str) -> None:
        await send_parked(self.ports, Lane.INBOX, delivery.message_id, delivery.body, Reason.MALFORMED, detail)
        self._tell(Reason.MALFORMED, detail, parked=True)

    async def _later(self, delivery: Delivery, outcome: Outcome) -> None:
        """The same bytes, by schedule: an outage must not use up the deliveries."""
        at = self.ports.clock.now() + AGAIN_AFTER
        name = f"again/{hashlib.sha256(delivery.body).hexdigest()[:32]}/{at.timestamp():.0f}"
        await self.ports.bus.send(Lane.INBOX, [Outgoing(delivery.body, name, at)])
        self._tell(outcome.reason, outcome.detail, again_in_s=AGAIN_AFTER.total_seconds())

    def _tell(self, reason: Reason, detail: str, *, again_in_s: float | None = None, parked: bool = False) -> None:
        self.telemetry.decision(
            lane=Lane.INBOX,
            message=None,
            reason=reason,
            detail=detail,
            lag_s=None,
            again_in_s=again_in_s,
            parked=parked,
            mapping=self.ports.mappings().version,
        )
