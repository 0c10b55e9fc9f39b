"""One entry of the opt-out journal: what each side said of one attribute, and what was made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class JournalEntry:
    """Ids, slugs, truth values and times (UTC) only; no name, no address.

    `attribute`: Campaign's name of the opt-out. The four values that follow it: what each side said, and since when as
    far as that side tells; None: not known. `decision`: what both sides should hold, None if nothing was decided.
    `effects`: short slugs in the order of the writes (`dynamics:=true`, `campaign:=true`, `tombstone`), or `none`.
    `origin`: the hint's id, or file and line. `flag`: the slug of what a person may want to look at, else empty.
    """

    at: datetime
    contact_id: str
    attribute: str
    dynamics_value: bool | None
    dynamics_at: datetime | None
    campaign_value: bool | None
    campaign_at: datetime | None
    configuration: str
    policy: str
    decision: bool | None
    effects: tuple[str, ...]
    origin: str
    flag: str = ""
