"""The opt-out rule: what both systems should say when they disagree, by configuration and policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from shared.domain.contact import OLDEST


class Configuration(StrEnum):
    """Which way opt-outs travel."""

    BIDIRECTIONAL = "bidirectional"
    DYNAMICS_TO_CAMPAIGN = "dynamics_to_campaign"
    CAMPAIGN_TO_DYNAMICS = "campaign_to_dynamics"
    DISABLED = "disabled"


class Policy(StrEnum):
    """Who prevails in the bidirectional configuration."""

    ADOBE = "adobe"
    ATTRIBUTE_TIMESTAMPS = "attribute_timestamps"
    LEAST_PERMISSIVE = "least_permissive"


class Conflict(StrEnum):
    """What a person may want to look at: a decision that goes against what somebody said."""

    OPT_OUT_ERASED = "opt_out_erased"
    OPT_IN_HELD_BACK = "opt_in_held_back"


@dataclass(frozen=True)
class OptOutRules:
    """`regulations`: how many days each law gives until an opt-out must be in both systems."""

    configuration: Configuration = Configuration.BIDIRECTIONAL
    policy: Policy = Policy.ADOBE
    regulations: Mapping[str, int] = field(default_factory=dict)

    @property
    def by_attribute_time(self) -> bool:
        """Whether it counts when one column changed, not only the record."""
        return self.configuration is Configuration.BIDIRECTIONAL and self.policy is Policy.ATTRIBUTE_TIMESTAMPS

    @property
    def by_record_time(self) -> bool:
        """Whether it counts when a person last changed the Dynamics record."""
        return self.by_attribute_time or (
            self.configuration is Configuration.BIDIRECTIONAL and self.policy is Policy.ADOBE
        )

    @property
    def may_opt_in_campaign(self) -> bool:
        """Whether FALSE is ever written to Campaign, which has no conditional writes: such work needs a claim."""
        return self.configuration is Configuration.DYNAMICS_TO_CAMPAIGN or self.by_attribute_time

    def deadline(self, regulation: str | None) -> tuple[str, int]:
        """The regulation that counts and its days: the one named, else the strictest. Only where there are any."""
        name = regulation or min(self.regulations, key=lambda each: self.regulations[each])
        return name, self.regulations[name]

    @property
    def listens_to_campaign(self) -> bool:
        """Whether what people say in Campaign counts in Dynamics."""
        return self.configuration in (Configuration.BIDIRECTIONAL, Configuration.CAMPAIGN_TO_DYNAMICS)


@dataclass(frozen=True)
class Said:
    """What one side says (TRUE is opted out), and since when. Campaign's empty time is `OLDEST`."""

    value: bool
    at: datetime

    @property
    def second(self) -> datetime:
        """Dynamics keeps whole seconds; so Campaign's milliseconds are cut before the two are compared."""
        return self.at.replace(microsecond=0)


def agreed(rules: OptOutRules, dynamics: Said, campaign: Said) -> bool | None:
    """The value that both sides should hold; None: each keeps its own. docs/flows/optout.md shows it as a table.

    Campaign as the source of truth says nothing by an attribute that was never changed: else the defaults of profiles
    that were there before would erase opt-outs in Dynamics.
    """
    match rules.configuration:
        case Configuration.BIDIRECTIONAL:
            return _prevailing(rules.policy, dynamics, campaign)
        case Configuration.DYNAMICS_TO_CAMPAIGN:
            return dynamics.value
        case Configuration.CAMPAIGN_TO_DYNAMICS:
            return campaign.value if campaign.value or campaign.at > OLDEST else None
        case Configuration.DISABLED:
            return None
        case _:
            assert_never(rules.configuration)


def _prevailing(policy: Policy, dynamics: Said, campaign: Said) -> bool:
    """`adobe` is the rule that Adobe documents for its integration; there Dynamics' time is the record's."""
    either = dynamics.value or campaign.value
    match policy:
        case Policy.ADOBE:
            return campaign.value if campaign.second > dynamics.second else either
        case Policy.ATTRIBUTE_TIMESTAMPS if campaign.second != dynamics.second:
            return max(dynamics, campaign, key=lambda side: side.second).value
        case Policy.ATTRIBUTE_TIMESTAMPS | Policy.LEAST_PERMISSIVE:
            return either
        case _:
            assert_never(policy)


def conflict(dynamics: Said, campaign: Said, value: bool | None) -> Conflict | None:
    """Whether a decision about two sides that disagree erases an opt-out, or holds back a later opt-in."""
    if dynamics.value == campaign.value or value is None:
        return None
    if not value:
        return Conflict.OPT_OUT_ERASED
    opt_out, opt_in = (dynamics, campaign) if dynamics.value else (campaign, dynamics)
    return Conflict.OPT_IN_HELD_BACK if opt_in.second > opt_out.second else None
