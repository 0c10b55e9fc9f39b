"""The opt-out rule: which side's word holds when the two disagree."""

from __future__ import annotations

from datetime import datetime


def prevailing(in_dynamics: bool, row_modified_on: datetime, in_campaign: bool, attribute_changed_at: datetime) -> bool:
    """The value that both sides should hold, by Adobe's documented rule for the bidirectional configuration.

    Campaign's attribute changed later than the Dynamics record: Campaign's value. Dynamics later or equal: opted out
    wins if either side says so. Dynamics keeps whole seconds, so Campaign's time is cut to whole seconds first; an
    empty Campaign time counts as the oldest.
    """
    if attribute_changed_at.replace(microsecond=0) > row_modified_on:
        return in_campaign
    return in_dynamics or in_campaign
