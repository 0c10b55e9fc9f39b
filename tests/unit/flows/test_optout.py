"""Opt-outs both ways: what is written where, in which polarity, and what is remembered of the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from shared.domain.contact import OLDEST, Contact, Flag, Profile
from shared.domain.effects import RememberFlags, WriteFlags, WriteOptOuts
from shared.domain.mapping import OptOutPair
from shared.domain.optout import Configuration, OptOutRules, Policy, Said
from shared.domain.recollection import OwnOptIn, Recollection, about_to_write_row, carried, heard
from shared.flows.optout import Sides, decide, decide_gone, disagrees, missing, too_early, verdicts
from tests.unit.examples import ID, KEY, MAPPING, NOW, after, contact, profile

TO_CAMPAIGN = WriteFlags(ID, "@handle", {"blackListEmail": True})
BY_COLUMN = replace(MAPPING, opt_out_rules=OptOutRules(policy=Policy.ATTRIBUTE_TIMESTAMPS))
MAIL = MAPPING.opt_outs[0]
NOTHING = Recollection(KEY)


def to_dynamics(value: bool) -> WriteOptOuts:
    return WriteOptOuts(ID, 'W/"7"', {"no_mail": value})


def effects(row: Contact, there: Profile, *, mapping=MAPPING, past: Recollection = NOTHING, by_us: bool = False):
    return list(decide(Sides(mapping, row, there, past, by_us)).effects)


@pytest.mark.parametrize(
    ("in_row", "in_profile", "changed_at", "expected"),
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
def test_one_pair(in_row: bool | None, in_profile: bool, changed_at: datetime, expected: object) -> None:
    assert effects(contact(no_mail=in_row), profile(changed_at, blackListEmail=in_profile)) == expected


def test_all_pairs_are_written_in_one_order_a_side_dynamics_first() -> None:
    """Dynamics is written against a version; if that fails, nothing has gone to Campaign on old knowledge."""
    three = replace(MAPPING, opt_outs=(*MAPPING.opt_outs, OptOutPair("no_fax", "blackListFax")))
    flags = {
        "blackListEmail": Flag(True, after(5)),
        "blackListPhone": Flag(False),
        "blackListFax": Flag(False, after(5)),
    }
    row = contact(no_phone=True, no_fax=True)
    assert effects(row, Profile("@handle", {}, flags), mapping=three) == [
        WriteOptOuts(ID, 'W/"7"', {"no_mail": True, "no_fax": False}),
        WriteFlags(ID, "@handle", {"blackListPhone": True}),
    ]


@pytest.mark.parametrize(
    ("follows", "in_profile", "changed_at", "expected"),
    [
        (True, False, NOW, []),
        (False, True, NOW, []),
        (None, False, NOW, []),
        (True, True, after(5), [WriteOptOuts(ID, 'W/"7"', {"followemail": False})]),
        (False, False, after(5), [WriteOptOuts(ID, 'W/"7"', {"followemail": True})]),
        (False, False, NOW, [WriteFlags(ID, "@handle", {"blackListEmail": True})]),
    ],
)
def test_in_an_inverse_column_false_is_opted_out(
    follows: bool | None, in_profile: bool, changed_at: datetime, expected: object
) -> None:
    mapping = replace(MAPPING, opt_outs=(OptOutPair("followemail", "blackListEmail", inverse=True),))
    there = profile(changed_at, blackListEmail=in_profile)
    assert effects(contact(followemail=follows), there, mapping=mapping) == expected
    assert mapping.opted_out(contact(followemail=follows)) == {"blackListEmail": follows is False}


def test_an_opt_in_goes_to_campaign_where_dynamics_is_the_source_of_truth() -> None:
    mapping = replace(MAPPING, opt_out_rules=OptOutRules(Configuration.DYNAMICS_TO_CAMPAIGN))
    there = profile(after(5), blackListEmail=True)
    assert effects(contact(), there, mapping=mapping) == [WriteFlags(ID, "@handle", {"blackListEmail": False})]


def test_what_is_written_agrees_afterwards() -> None:
    """Both sides as the effects leave them: the next look finds nothing to do."""
    assert effects(contact(no_mail=True), profile(after(1), blackListEmail=True)) == []
    assert effects(contact(after(2), no_mail=False), profile(after(1), blackListEmail=False)) == []


def test_an_attribute_that_the_profile_does_not_have_is_left_alone() -> None:
    assert effects(contact(no_phone=True), Profile("@handle", {}, {"blackListEmail": Flag(False)})) == []


def test_a_deleted_contacts_opt_outs_are_remembered() -> None:
    assert decide_gone(ID, profile(blackListEmail=True)) == [RememberFlags(ID, frozenset({"blackListEmail"}))]
    assert decide_gone(ID, profile()) == []


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
    deaf = replace(MAPPING, opt_out_rules=OptOutRules(Configuration.DYNAMICS_TO_CAMPAIGN))
    assert not disagrees(deaf, contact(), exported)


# -- our own writes to Dynamics -------------------------------------------------------------------------------------

WROTE = about_to_write_row(NOTHING, contact(after(-60)), after(-60), {"no_mail": True, "no_phone": False})
OPTED_IN = profile(after(-30), blackListEmail=False)  # in Campaign: after the person's edit, before our write


def test_our_own_write_does_not_make_dynamics_newer() -> None:
    row = replace(contact(NOW, no_mail=True), version="9")
    assert effects(row, OPTED_IN, past=WROTE, by_us=True) == [WriteOptOuts(ID, "9", {"no_mail": False})]


@pytest.mark.parametrize("changed", [{"no_phone": True}, {"no_mail": False, "no_phone": True}])
def test_what_the_customers_code_changed_inside_our_write_counts(changed: dict[str, bool]) -> None:
    row = replace(contact(NOW, **{"no_mail": True, **changed}), version="9")
    sides = Sides(MAPPING, row, OPTED_IN, WROTE, by_us=True)
    assert {verdict.dynamics.at for verdict in verdicts(sides)} == {NOW}


def test_a_persons_edit_after_our_write_counts() -> None:
    row = replace(contact(NOW, no_mail=True), version="9")
    assert effects(row, OPTED_IN, past=WROTE, by_us=False) == [TO_CAMPAIGN]


def test_a_write_that_never_came_to_pass_leaves_the_row_as_it_was() -> None:
    """The row still has the version on which was decided, and an earlier write of ours made it."""
    row = contact(NOW, no_mail=True)
    past = about_to_write_row(NOTHING, row, after(-60), {"no_mail": False, "no_phone": False})
    assert effects(row, OPTED_IN, past=past, by_us=True) == [to_dynamics(False)]


def test_what_is_known_of_a_person_never_gets_older() -> None:
    assert about_to_write_row(WROTE, contact(), after(-90), {}).person_at == after(-60)
    assert about_to_write_row(WROTE, contact(), after(-10), {}).person_at == after(-10)


# -- times of columns -----------------------------------------------------------------------------------------------


def test_an_announced_opt_in_that_is_later_goes_over() -> None:
    past = heard(NOTHING, [MAIL], contact(no_mail=False), after(-10))
    there = profile(after(-20), blackListEmail=True)
    assert effects(contact(), there, mapping=BY_COLUMN, past=past) == [
        WriteFlags(ID, "@handle", {"blackListEmail": False})
    ]


def test_an_edit_of_something_else_does_not_make_an_opt_out_later() -> None:
    past = heard(NOTHING, [MAIL], contact(after(-100), no_mail=True), after(-100))
    row, there = contact(NOW, no_mail=True), profile(after(-50), blackListEmail=False)
    assert effects(row, there, mapping=BY_COLUMN, past=past) == [to_dynamics(False)]


def test_what_nobody_announced_is_read_in_favour_of_the_opt_out() -> None:
    row, there = contact(no_mail=True), profile(after(-50), blackListEmail=False)
    assert effects(row, there, mapping=BY_COLUMN) == [TO_CAMPAIGN]
    past = heard(NOTHING, [MAIL], contact(after(-100), no_mail=False), after(-100))
    assert effects(row, there, mapping=BY_COLUMN, past=past) == [TO_CAMPAIGN]
    assert effects(contact(), profile(after(-50), blackListEmail=True), mapping=BY_COLUMN) == [to_dynamics(True)]


@pytest.mark.parametrize(
    ("known", "value", "announced_at", "expected"),
    [
        pytest.param(None, True, NOW, Said(True, NOW), id="the row is as announced"),
        pytest.param(None, True, after(-1), None, id="an opt-out in a row that was changed again is not dated"),
        pytest.param(None, False, after(-1), Said(False, after(-1)), id="an opt-in can only be later"),
        pytest.param(Said(True, after(-9)), True, after(-1), Said(True, after(-1)), id="said again"),
        pytest.param(Said(True, after(-1)), True, after(-9), Said(True, after(-1)), id="an old announcement"),
        pytest.param(Said(False, after(-9)), True, after(-1), Said(False, after(-9)), id="another value"),
    ],
)
def test_what_an_announcement_dates(known: Said | None, value: bool, announced_at: datetime, expected: object) -> None:
    before = replace(NOTHING, said={} if known is None else {"no_mail": known})
    assert heard(before, [MAIL], contact(no_mail=value), announced_at).said.get("no_mail") == expected


@pytest.mark.parametrize(
    ("row_at", "now", "early"), [(after(-60), NOW, True), (after(-121), NOW, False), (after(-100), after(50), False)]
)
def test_an_opt_out_is_not_taken_back_while_a_later_word_may_be_on_its_way(
    row_at: datetime, now: datetime, early: bool
) -> None:
    past = replace(NOTHING, said={"no_mail": Said(True, after(-300))})
    sides = Sides(BY_COLUMN, contact(row_at, no_mail=True), profile(after(-200)), past)
    decision = decide(sides)
    assert decision.effects == (to_dynamics(False),)
    assert too_early(sides, decision, now) is early
    assert not too_early(replace(sides, mapping=MAPPING), decision, now)


# -- our own writes to Campaign -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "changed_at", "said_at"),
    [
        pytest.param(False, after(-29), after(-60), id="our own opt-in has the time of the word that it carried"),
        pytest.param(False, after(-33), after(-60), id="also if Campaign's clock is a little behind"),
        pytest.param(False, after(-36), after(-36), id="a person's earlier one"),
        pytest.param(False, after(90), after(90), id="too late to be ours"),
        pytest.param(True, after(-29), after(-29), id="an opt-out may be a person's"),
    ],
)
def test_whose_word_an_attribute_is(shown: bool, changed_at: datetime, said_at: datetime) -> None:
    own = OwnOptIn(said_at=after(-60), sent_at=after(-30), lands_by=after(60))
    past = replace(NOTHING, opted_in={"blackListEmail": own})
    sides = Sides(BY_COLUMN, contact(), profile(changed_at, blackListEmail=shown), past)
    assert verdicts(sides)[0].campaign == Said(shown, said_at)


def test_what_we_carried_to_dynamics_does_not_hide_what_was_heard_meanwhile() -> None:
    past = replace(NOTHING, said={"no_mail": Said(True, after(-5)), "no_fax": Said(True, after(-90))})
    words = {"no_mail": Said(False, after(-60)), "no_fax": Said(False, after(-60))}
    assert carried(past, words).said == {"no_mail": Said(True, after(-5)), "no_fax": Said(False, after(-60))}


def test_what_is_missing_are_opt_outs_that_hold() -> None:
    erased = verdicts(Sides(MAPPING, contact(no_mail=True), profile(after(5)), NOTHING))
    assert missing(erased) == []
    (lacking,) = missing(verdicts(Sides(MAPPING, contact(no_mail=True), profile(), NOTHING)))
    assert (lacking.pair, lacking.to_campaign, lacking.to_dynamics) == (MAIL, True, False)
