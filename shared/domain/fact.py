"""A fact: something that happened to an e-mail and can never change. It travels whole, under the vendor's own id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EmailEvent(StrEnum):
    """The four kinds that the timeline shows; a bounce is a hard one."""

    SEND = "send"
    OPEN = "open"
    CLICK = "click"
    BOUNCE = "bounce"


@dataclass(frozen=True)
class Fact:
    """`id`: the vendor's event id, unique. `campaign` and `delivery` are Campaign's own ids, not labels."""

    id: str
    event: EmailEvent
    contact_id: str
    campaign: str
    delivery: str
    at: datetime
    tracking_url: str | None = None
    mirror_page_url: str | None = None


@dataclass(frozen=True)
class FactChunk:
    """Some facts that travel in one message. `id` names the chain of copies, as with a hint."""

    id: str
    facts: tuple[Fact, ...]
    first_seen: datetime
    attempt: int = 0

    @property
    def message_id(self) -> str:
        """The broker's duplicate key."""
        return f"{self.id}:{self.attempt}" if self.attempt else self.id
