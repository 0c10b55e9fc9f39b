"""Where Campaign's e-mail events keep what is needed: in the journal's documents, and in log export files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from shared.domain.fact import EmailEvent


@dataclass(frozen=True)
class EventShape:
    """Where an event of the journal keeps what the bridge needs; dots reach into objects. Adobe publishes no schema.

    `kinds`: the event types by their words in the payload; `ignored`: the words of those that are not wanted. `hard`:
    the bounce type that counts. A field may be empty (null or an empty text) where life has it so, but must be
    present; only the two addresses may be absent.
    """

    id: str = "id"
    type: str = "type"
    at: str = "occurredAt"
    contact: str = "profile.externalId"
    campaign: str = "campaign.name"
    delivery: str = "delivery.name"
    tracking_url: str = "url"
    mirror_page_url: str = "mirrorPageUrl"
    bounce_type: str = "bounceType"
    hard: str = "hard"
    kinds: Mapping[str, EmailEvent] = field(default_factory=lambda: {kind.value: kind for kind in EmailEvent})
    ignored: frozenset[str] = frozenset()


class LogKind(StrEnum):
    """A delivery log holds sends and bounces, a tracking log opens and clicks."""

    DELIVERY = "delivery_log"
    TRACKING = "tracking_log"


@dataclass(frozen=True)
class LogColumns:
    """The headers of the columns that both logs have. `files`: their names, with * and ?; case does not count.

    `id`: the log row's own. `mirror_page_url` None: the files have none.
    """

    files: str
    at: str
    id: str = "id"
    contact: str = "externalId"
    campaign: str = "campaignName"
    delivery: str = "deliveryName"
    mirror_page_url: str | None = None

    def headers(self) -> dict[str, str]:
        """Header by part, of every column that a file must have."""
        named = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "files"}
        return {part: header for part, header in named.items() if isinstance(header, str)}


@dataclass(frozen=True)
class DeliveryLog(LogColumns):
    """The words are in lower case; a cell's case does not count. `bounce_type` None: no bounce is known to be hard."""

    files: str = "*broadlog*"
    at: str = "eventDate"
    status: str = "status"
    sent: tuple[str, ...] = ("sent", "1")
    failed: tuple[str, ...] = ("failed", "2")
    bounce_type: str | None = "failureType"
    hard: tuple[str, ...] = ("hard", "2")


@dataclass(frozen=True)
class TrackingLog(LogColumns):
    """A row whose `type` is not among `opened` is a click."""

    files: str = "*trackinglog*"
    at: str = "logDate"
    type: str = "url-id"
    opened: tuple[str, ...] = ("1",)
    tracking_url: str = "urlSource"


@dataclass(frozen=True)
class LogForm:
    """`encoding`: by its usual name. `time_format`: in the letters of strptime; None: ISO 8601.

    A time without an offset is UTC.
    """

    delimiter: str = ";"
    encoding: str = "utf-8"
    time_format: str | None = None
    delivery_log: DeliveryLog = field(default_factory=DeliveryLog)
    tracking_log: TrackingLog = field(default_factory=TrackingLog)

    def columns(self, kind: LogKind) -> DeliveryLog | TrackingLog:
        """Those of that log."""
        return self.delivery_log if kind is LogKind.DELIVERY else self.tracking_log
