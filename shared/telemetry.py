"""What the bridge says of itself: a structured log line, a metric and a span's end for each decision; ids only."""

from __future__ import annotations

import json
import logging

from shared import metrics, tracing
from shared.domain.change import Hint, Lane
from shared.domain.fact import FactChunk
from shared.errors import Reason
from shared.wire import Message

logger = logging.getLogger("bridge")


class Telemetry:
    """Lines are `decision {json}` and so on; the keys are stable, for queries and for the sandbox's picture."""

    def decision(
        self,
        *,
        lane: Lane,
        message: Message | None,
        reason: Reason,
        detail: str,
        lag_s: float | None,
        again_in_s: float | None,
        parked: bool,
        mapping: str,
    ) -> None:
        """How one message was settled. `lag_s`: seconds since the change was first seen."""
        line = {
            "lane": lane,
            "record": str(message.record) if isinstance(message, Hint) else None,
            "facts": len(message.facts) if isinstance(message, FactChunk) else None,
            "message": message.message_id if message else None,
            "why": message.why if isinstance(message, Hint) else None,
            "reason": reason.slug,
            "detail": detail or None,
            "lag_s": None if lag_s is None else round(lag_s, 3),
            "again_in_s": None if again_in_s is None else round(again_in_s, 1),
            "parked": parked or None,
            "mapping": mapping,
        }
        logger.info("decision %s", json.dumps({key: value for key, value in line.items() if value is not None}))
        outcome: metrics.Outcome = "parked" if parked else "settled" if again_in_s is None else "retried"
        metrics.message(lane, reason.slug, outcome, lag_s)
        tracing.told(reason.slug)

    def counted(self, what: str, **numbers: int | str) -> None:
        """What a timer's run or a way in did."""
        logger.info("counted %s", json.dumps({"what": what, **numbers}))

    def alarm(self, where: str, reason: Reason, detail: str) -> None:
        """Somebody should look. `where`: a lane, a timer, a file."""
        line = {"where": where, "reason": reason.slug, "detail": detail, "action": reason.action}
        logger.error("alarm %s", json.dumps(line))
        metrics.alarm(reason.slug)
