"""The opt-out rule, over every pair of values and every order of times."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contact import OLDEST
from shared.domain.rules import prevailing
from tests.unit.examples import NOW, after

BOTH = [False, True]


@pytest.mark.parametrize("in_dynamics", BOTH)
@pytest.mark.parametrize("in_campaign", BOTH)
@pytest.mark.parametrize("newer_s", [1, 1.5, 86_400])
def test_a_newer_word_of_campaign_holds(in_dynamics: bool, in_campaign: bool, newer_s: float) -> None:
    assert prevailing(in_dynamics, NOW, in_campaign, after(newer_s)) is in_campaign


@pytest.mark.parametrize("in_dynamics", BOTH)
@pytest.mark.parametrize("in_campaign", BOTH)
@pytest.mark.parametrize("changed_at", [NOW, after(-1), after(-86_400), after(-0.000001), OLDEST])
def test_otherwise_either_opt_out_holds(in_dynamics: bool, in_campaign: bool, changed_at: object) -> None:
    assert prevailing(in_dynamics, NOW, in_campaign, changed_at) is (in_dynamics or in_campaign)  # type: ignore[arg-type]


@pytest.mark.parametrize("microseconds", [1, 500_000, 999_999])
def test_within_the_same_second_campaign_is_not_newer(microseconds: int) -> None:
    """Dynamics keeps whole seconds: half a second more would otherwise opt a person in."""
    assert prevailing(True, NOW, False, NOW + timedelta(microseconds=microseconds)) is True


@given(st.booleans(), st.booleans(), st.integers(-(10**6), 10**6), st.integers(0, 999_999))
def test_only_a_newer_campaign_can_take_an_opt_out_back(
    in_dynamics: bool, in_campaign: bool, seconds: int, microseconds: int
) -> None:
    changed_at = after(seconds) + timedelta(microseconds=microseconds)
    value = prevailing(in_dynamics, NOW, in_campaign, changed_at)
    if (in_dynamics or in_campaign) and not value:
        assert (in_dynamics, in_campaign) == (True, False)
        assert seconds >= 1


@given(st.booleans(), st.booleans(), st.integers(-5, 5))
def test_the_rule_never_writes_false_to_campaign(in_dynamics: bool, in_campaign: bool, seconds: int) -> None:
    """So a late or doubled write to Campaign can only hold back an opt-in."""
    assert prevailing(in_dynamics, NOW, in_campaign, after(seconds)) or not in_campaign


@given(st.booleans(), st.booleans(), st.integers(-5, 5))
def test_agreed_once_is_agreed_for_good(in_dynamics: bool, in_campaign: bool, seconds: int) -> None:
    agreed = prevailing(in_dynamics, NOW, in_campaign, after(seconds))
    assert prevailing(agreed, NOW, agreed, after(seconds)) is agreed
