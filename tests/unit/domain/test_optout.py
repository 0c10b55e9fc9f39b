"""The opt-out rule over all values, times, policies and configurations, held to the table in docs/flows/optout.md."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contact import OLDEST
from shared.domain.optout import Configuration, Conflict, OptOutRules, Policy, Said, agreed, conflict
from tests.unit.examples import NOW, after

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "flows" / "optout.md"
VALUES = {"TRUE": True, "FALSE": False, "each its own": None}
CONFLICTS = {"erased": Conflict.OPT_OUT_ERASED, "held back": Conflict.OPT_IN_HELD_BACK, "": None}
MILLISECOND = timedelta(milliseconds=1)
# Campaign's times, when Dynamics spoke at NOW, under the table's headings.
TIMES = {
    "Campaign newer": (after(1), after(1.5), after(86_400)),
    "Same second": (NOW, NOW + MILLISECOND, after(0.999)),
    "Dynamics newer": (NOW - MILLISECOND, after(-1), after(-86_400)),
    "Never": (OLDEST,),
}
Key = tuple[Configuration, Policy, bool, bool, str]
Cell = tuple[bool | None, Conflict | None]


def table() -> dict[Key, Cell]:
    """The documented decisions; a row for any policy stands for each."""
    found: dict[Key, Cell] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"\| `(\w+)` \| `?(\w+)`? \| (TRUE|FALSE) \| (TRUE|FALSE) \| (.*) \|", line)
        if match is None:
            continue
        for policy in Policy if match[2] == "any" else (Policy(match[2]),):
            for heading, cell in zip(TIMES, match[5].split(" | "), strict=True):
                word, _, flag = cell.partition(", ")
                key = (Configuration(match[1]), policy, VALUES[match[3]], VALUES[match[4]], heading)
                assert key not in found
                found[key] = VALUES[word], CONFLICTS[flag]  # type: ignore[index]
    return found


CASES = list(product(Configuration, Policy, (False, True), (False, True), TIMES))


def test_the_table_says_something_of_every_disagreement() -> None:
    assert table().keys() == {case for case in CASES if case[2] != case[3]}


@pytest.mark.parametrize("configuration", Configuration)
@pytest.mark.parametrize("policy", Policy)
def test_every_combination_is_decided_as_the_table_says(configuration: Configuration, policy: Policy) -> None:
    rules, documented = OptOutRules(configuration, policy), table()
    for key in CASES:
        if key[:2] != (configuration, policy):
            continue
        for changed_at in TIMES[key[4]]:
            dynamics, campaign = Said(key[2], NOW), Said(key[3], changed_at)
            value = agreed(rules, dynamics, campaign)
            if key in documented:
                assert (value, conflict(dynamics, campaign, value)) == documented[key], (key, changed_at)
            else:
                assert value in (key[2], None)
                assert conflict(dynamics, campaign, value) is None


def test_a_fraction_of_a_second_opts_nobody_in() -> None:
    """Dynamics keeps whole seconds: half a second more would otherwise take an opt-out back."""
    for policy in Policy:
        assert agreed(OptOutRules(policy=policy), Said(True, NOW), Said(False, after(0.5))) is True


@given(
    st.sampled_from(Configuration),
    st.sampled_from(Policy),
    st.booleans(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(0, 999_999),
)
def test_agreed_once_is_agreed_for_good(
    configuration: Configuration, policy: Policy, dynamics: bool, campaign: bool, seconds: int, microseconds: int
) -> None:
    """Whatever the times of the two sides are after the writes."""
    rules, changed_at = OptOutRules(configuration, policy), after(seconds) + timedelta(microseconds=microseconds)
    value = agreed(rules, Said(dynamics, NOW), Said(campaign, changed_at))
    if value is not None:
        assert agreed(rules, Said(value, changed_at), Said(value, NOW)) in (value, None)


@pytest.mark.parametrize("policy", [Policy.ADOBE, Policy.LEAST_PERMISSIVE])
@given(in_dynamics=st.booleans(), in_campaign=st.booleans(), seconds=st.integers(-5, 5))
def test_without_a_claim_no_false_is_written_to_campaign(
    policy: Policy, in_dynamics: bool, in_campaign: bool, seconds: int
) -> None:
    """So a late or doubled write to Campaign can only hold back an opt-in."""
    rules = OptOutRules(policy=policy)
    assert not rules.may_opt_in_campaign
    assert agreed(rules, Said(in_dynamics, NOW), Said(in_campaign, after(seconds))) or not in_campaign


def test_the_strictest_regulation_counts_where_none_is_named() -> None:
    rules = OptOutRules(regulations={"ccpa": 15, "can_spam": 10})
    assert (rules.deadline(None), rules.deadline("ccpa")) == (("can_spam", 10), ("ccpa", 15))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (OptOutRules(), (True, False, False, True)),
        (OptOutRules(policy=Policy.ATTRIBUTE_TIMESTAMPS), (True, True, True, True)),
        (OptOutRules(policy=Policy.LEAST_PERMISSIVE), (False, False, False, True)),
        (OptOutRules(Configuration.DYNAMICS_TO_CAMPAIGN, Policy.ATTRIBUTE_TIMESTAMPS), (False, False, True, False)),
        (OptOutRules(Configuration.CAMPAIGN_TO_DYNAMICS), (False, False, False, True)),
        (OptOutRules(Configuration.DISABLED), (False, False, False, False)),
    ],
    ids=lambda value: f"{value.configuration}-{value.policy}" if isinstance(value, OptOutRules) else "",
)
def test_what_a_choice_needs(rules: OptOutRules, expected: tuple[bool, ...]) -> None:
    needs = (rules.by_record_time, rules.by_attribute_time, rules.may_opt_in_campaign, rules.listens_to_campaign)
    assert needs == expected


def test_the_moment_that_is_compared_has_no_fraction() -> None:
    assert Said(True, datetime.fromisoformat("2026-03-04T05:06:07.999Z")).second == NOW
