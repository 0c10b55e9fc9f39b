"""What the opt-out lane tells the journal: one entry for each pair on which the two sides disagree."""

from __future__ import annotations

from datetime import datetime

from shared.domain.change import Hint
from shared.domain.contact import OLDEST
from shared.domain.effects import RememberFlags
from shared.domain.journal import JournalEntry
from shared.domain.mapping import Mapping
from shared.flows.optout import Decision, Verdict


def entries(decision: Decision, mapping: Mapping, hint: Hint, now: datetime) -> list[JournalEntry]:
    """Written before the effects: if one of them then finds its side changed, the hint's next entries say so."""
    rules = mapping.opt_out_rules
    return [
        JournalEntry(
            at=now,
            contact_id=hint.record.id,
            attribute=verdict.pair.attribute,
            dynamics_value=verdict.dynamics.value,
            dynamics_at=_known(verdict.dynamics.at),
            campaign_value=verdict.campaign.value,
            campaign_at=_known(verdict.campaign.at),
            configuration=rules.configuration,
            policy=rules.policy,
            decision=verdict.value,
            effects=_effects(verdict),
            origin=hint.origin or hint.id,
            flag=verdict.conflict or "",
        )
        for verdict in decision.verdicts
    ]


def entries_gone(order: RememberFlags, mapping: Mapping, hint: Hint, now: datetime) -> list[JournalEntry]:
    """A deleted contact's opt-outs, on their way into its tombstone."""
    rules = mapping.opt_out_rules
    return [
        JournalEntry(
            at=now,
            contact_id=order.contact_id,
            attribute=attribute,
            dynamics_value=None,
            dynamics_at=None,
            campaign_value=True,
            campaign_at=None,
            configuration=rules.configuration,
            policy=rules.policy,
            decision=True,
            effects=("tombstone",),
            origin=hint.origin or hint.id,
        )
        for attribute in sorted(order.attributes)
    ]


def _known(moment: datetime) -> datetime | None:
    return None if moment == OLDEST else moment


def _effects(verdict: Verdict) -> tuple[str, ...]:
    word = "true" if verdict.value else "false"
    written = (("dynamics", verdict.to_dynamics), ("campaign", verdict.to_campaign))
    return tuple(f"{side}:={word}" for side, needed in written if needed) or ("none",)
