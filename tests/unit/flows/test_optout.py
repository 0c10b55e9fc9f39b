"""Opt-outs both ways: what is written where, for every pair of words and both orders of time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.contact import OLDEST, Flag, Profile
from shared.domain.effects import OptOutProfile, RememberFlags, WriteOptOuts
from shared.domain.mapping import OptOutPair
from shared.flows.optout import decide, disagrees, in_dynamics
from tests.unit.examples import ID, MAPPING, NOW, after, contact, profile

TO_CAMPAIGN = OptOutProfile(ID, "@handle", frozenset({"blackListEmail"}))


def to_dynamics(value: bool) -> WriteOptOuts:
    return WriteOptOuts(ID, 'W/"7"', {"no_mail": value})


@pytest.mark.parametrize(
    ("in_row", "in_profile", "changed_at", "effects"),
    [
        pytest.param(False, False, after(5), [], id="agree: no"),
        pytest.param(True, True, after(5), [], id="agree: yes"),
        pytest.param(False, True, after(5), [to_dynamics(True)], id="Campaign newer: opt-out comes back"),
        pytest.param(True, False, after(5), [to_dynamics(False)], id="Campaign newer: opt-in comes back"),
        pytest.param(True, False, after(-5), [TO_CAMPAIGN], id="Dynamics newer: opt-out goes over"),
        pytest.param(True, False, NOW, [TO_CAMPAIGN], id="equal: opt-out goes over"),
        pytest.param(True, False, OLDEST, [TO_CAMPAIGN], id="Campaign never changed: opt-out goes over"),
        pytest.param(False, True, after(-5), [to_dynamics(True)], id="Dynamics newer: an opt-in does not go over"),
        pytest.param(None, True, after(-5), [to_dynamics(True)], id="empty column: not opted out"),
        pytest.param(None, False, after(-5), [], id="empty column agrees with FALSE"),
    ],
)
def test_one_pair(in_row: bool | None, in_profile: bool, changed_at: object, effects: object) -> None:
    there = profile(changed_at, blackListEmail=in_profile)  # type: ignore[arg-type]
    assert decide(MAPPING, ID, contact(no_mail=in_row), there) == effects


def test_all_pairs_are_written_in_one_order_a_side_dynamics_first() -> None:
    """Dynamics is written against a version; if that fails, nothing has gone to Campaign on old knowledge."""
    three = replace(MAPPING, opt_outs=(*MAPPING.opt_outs, OptOutPair("no_fax", "blackListFax")))
    flags = {
        "blackListEmail": Flag(True, after(5)),
        "blackListPhone": Flag(False),
        "blackListFax": Flag(False, after(5)),
    }
    effects = decide(three, ID, contact(no_phone=True, no_fax=True), Profile("@handle", {}, flags))
    assert effects == [
        WriteOptOuts(ID, 'W/"7"', {"no_mail": True, "no_fax": False}),
        OptOutProfile(ID, "@handle", frozenset({"blackListPhone"})),
    ]


def test_what_is_written_agrees_afterwards() -> None:
    """Both sides as the effects leave them: the next look finds nothing to do."""
    assert decide(MAPPING, ID, contact(no_mail=True), profile(after(1), blackListEmail=True)) == []
    assert decide(MAPPING, ID, contact(after(2), no_mail=False), profile(after(1), blackListEmail=False)) == []


def test_an_attribute_that_the_profile_does_not_have_is_left_alone() -> None:
    assert decide(MAPPING, ID, contact(no_phone=True), Profile("@handle", {}, {"blackListEmail": Flag(False)})) == []


def test_without_a_profile_its_creation_will_carry_them() -> None:
    assert decide(MAPPING, ID, contact(no_mail=True), None) == []
    assert decide(MAPPING, ID, None, None) == []


def test_a_deleted_contacts_opt_outs_are_remembered() -> None:
    assert decide(MAPPING, ID, None, profile(blackListEmail=True)) == [RememberFlags(ID, frozenset({"blackListEmail"}))]
    assert decide(MAPPING, ID, None, profile()) == []


@pytest.mark.parametrize(
    ("exported", "differs"),
    [
        ({"blackListEmail": False}, False),
        ({"blackListEmail": True}, True),
        ({"blackListEmail": False, "blackListPhone": True}, True),
        ({"blackListFax": True}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_row_of_the_export_disagrees_where_a_mapped_attribute_does(exported: dict[str, bool], differs: bool) -> None:
    assert disagrees(MAPPING, contact(), exported) is differs


@pytest.mark.parametrize(("value", "meaning"), [(True, True), (False, False), (None, False)])
def test_what_an_opt_out_column_says(value: bool | None, meaning: bool) -> None:
    assert in_dynamics(MAPPING.opt_outs[0], contact(no_mail=value)) is meaning
