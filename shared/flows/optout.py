"""Opt-outs, both ways: what each side says, the rule, and the writes that make them agree."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.contact import Contact, Profile
from shared.domain.effects import OptOutEffect, RememberFlags, WriteFlags, WriteOptOuts
from shared.domain.mapping import Mapping, OptOutPair
from shared.domain.optout import Conflict, Said, agreed, conflict
from shared.domain.recollection import Recollection, campaign_said, changed_at, dynamics_said
from shared.flows.deletion import opted_out

# How long after a change of the row its announcement may still be on its way: webhooks take seconds.
ANNOUNCED_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True)
class Sides:
    """Both sides as read, and what is remembered of them. `by_us`: the row's last writer is the bridge's user."""

    mapping: Mapping
    contact: Contact
    profile: Profile
    past: Recollection
    by_us: bool = False


@dataclass(frozen=True)
class Verdict:
    """One pair: what each side says, and since when as far as it counts; `value` None: each side keeps its own."""

    pair: OptOutPair
    dynamics: Said
    campaign: Said
    value: bool | None

    @property
    def disagreement(self) -> bool:
        """Whether the sides say different things."""
        return self.dynamics.value != self.campaign.value

    @property
    def to_dynamics(self) -> bool:
        """Whether the row must be written."""
        return self.value is not None and self.value != self.dynamics.value

    @property
    def to_campaign(self) -> bool:
        """Whether the profile must be written."""
        return self.value is not None and self.value != self.campaign.value

    @property
    def conflict(self) -> Conflict | None:
        """What a person may want to look at."""
        return conflict(self.dynamics, self.campaign, self.value)


@dataclass(frozen=True)
class Decision:
    """`effects` in the order in which they are performed; `verdicts` of the pairs that disagree."""

    effects: tuple[OptOutEffect, ...] = ()
    verdicts: tuple[Verdict, ...] = field(default=())


def verdicts(sides: Sides) -> list[Verdict]:
    """Of every pair whose attribute the profile has."""
    return [_verdict(sides, pair) for pair in sides.mapping.opt_outs if pair.attribute in sides.profile.opted_out]


def decide(sides: Sides) -> Decision:
    """Without effects where nothing must be written.

    Dynamics goes first: it is written against a version, and if that fails, nothing went to Campaign on old knowledge.
    """
    differing = tuple(verdict for verdict in verdicts(sides) if verdict.disagreement)
    contact, profile = sides.contact, sides.profile
    columns = {v.pair.column: v.pair.column_value(bool(v.value)) for v in differing if v.to_dynamics}
    attributes = {v.pair.attribute: bool(v.value) for v in differing if v.to_campaign}
    effects: list[OptOutEffect] = []
    if columns:
        effects.append(WriteOptOuts(contact.id, contact.version, columns))
    if attributes:
        effects.append(WriteFlags(contact.id, profile.handle, attributes))
    return Decision(tuple(effects), differing)


def decide_gone(contact_id: str, profile: Profile) -> list[OptOutEffect]:
    """For a contact that Dynamics does not have: its TRUE flags must outlive the profile."""
    remembered = opted_out(profile)
    return [RememberFlags(contact_id, remembered)] if remembered else []


def too_early(sides: Sides, decision: Decision, now: datetime) -> bool:
    """Whether a column would be overwritten while a later announcement of it may be on its way.

    Only a question where the times of columns decide. The row was changed after the known time, and just now: whether
    that was this column, its announcement says.
    """
    row_at = changed_at(sides.past, sides.contact, by_us=sides.by_us)
    return (
        sides.mapping.opt_out_rules.by_attribute_time
        and now - row_at < ANNOUNCED_WITHIN
        and any(verdict.to_dynamics and verdict.dynamics.at < row_at for verdict in decision.verdicts)
    )


def hears_campaign(mapping: Mapping) -> bool:
    """Whether Campaign's export and its changed profiles are of any interest."""
    return bool(mapping.opt_outs) and mapping.opt_out_rules.listens_to_campaign


def disagrees(mapping: Mapping, contact: Contact, exported: MappingOf[str, bool]) -> bool:
    """Whether what Campaign says (attribute → value) is other than Dynamics says now, and of any interest."""
    return hears_campaign(mapping) and any(
        pair.attribute in exported and exported[pair.attribute] != pair.opted_out(contact) for pair in mapping.opt_outs
    )


def missing(decided: Sequence[Verdict]) -> list[Verdict]:
    """Those of an opt-out that holds and is not in both systems yet."""
    return [verdict for verdict in decided if verdict.disagreement and verdict.value]


def _verdict(sides: Sides, pair: OptOutPair) -> Verdict:
    rules, flag = sides.mapping.opt_out_rules, sides.profile.opted_out[pair.attribute]
    row_at = changed_at(sides.past, sides.contact, by_us=sides.by_us)
    if rules.by_attribute_time:
        dynamics = dynamics_said(sides.past, pair, sides.contact, row_at)
        campaign = campaign_said(sides.past, pair, flag)
    else:
        dynamics, campaign = Said(pair.opted_out(sides.contact), row_at), Said(flag.value, flag.changed_at)
    return Verdict(pair, dynamics, campaign, agreed(rules, dynamics, campaign))
