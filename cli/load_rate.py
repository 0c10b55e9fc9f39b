"""How many engine calls a second one function host makes: as measured on a plan's own calls, or as it was told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from shared.app import ROOT
from shared.settings import Settings


@dataclass(frozen=True)
class Rate:
    """Engine calls a second. `source`: where the number comes from, in words."""

    per_second: float
    source: str


def measured_rate(settings: Settings, looks_s: Sequence[float], told: float | None) -> Rate | None:
    """`looks_s`: how long each call to Campaign took. None: nothing was measured and nobody said."""
    if told is not None:
        return Rate(told, "as given with --rate")
    each_s = median(looks_s) if looks_s else 0.0
    if each_s <= 0:
        return None
    at_once = min(_concurrent_messages(), settings.campaign_max_in_flight)
    return Rate(
        at_once / each_s,
        f"one instance: {at_once} calls at once (the lesser of host.json's maxConcurrentCalls and"
        f" CAMPAIGN_MAX_IN_FLIGHT), {each_s:.3f} s each (the median of {len(looks_s)} made now);"
        " less where Campaign refuses some",
    )


def _concurrent_messages() -> int:
    """How many messages of a queue the host works on at once."""
    document = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    return int(document["extensions"]["serviceBus"]["maxConcurrentCalls"])
