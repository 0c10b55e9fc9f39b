"""Both sides of a contact, compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cli.evidence import Evidence, gather
from cli.explanation import explain
from cli.screen import emit
from shared.domain.contact import OLDEST, Contact, Flag, Profile
from shared.domain.filters import Condition, Operator
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, PrivacyRequest
from shared.domain.mapping import ColumnType, DeleteMode, Mapping, Mappings, Target, TargetType, TooLong, Types
from shared.domain.optout import Configuration, OptOutRules, Policy, Said
from shared.domain.recollection import Recollection
from shared.flows.contact import Seen, Sight
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CANARIES, KEY, MAPPING, NOW, a_contact, a_profile

DAY = timedelta(days=1)


def evidence(
    contact: Contact | None, profile: Seen, ledger: LedgerRow | None = None, mapping: Mapping = MAPPING
) -> Evidence:
    return Evidence(KEY, Mappings(mapping), ledger or LedgerRow(KEY), contact, profile, NOW)


def opted_out(value: bool, changed_at=OLDEST) -> Profile:
    return a_profile(opted_out={"blackListEmail": Flag(value, changed_at)})


async def test_gather_asks_each_side_once():
    fake = FakeApp(contact=a_contact(), profile=a_profile())
    found = await gather(fake.ports(), KEY, look=True)
    assert (found.contact, found.profile) == (a_contact(), a_profile())
    assert fake.campaign.calls == ["profile"]


async def test_without_a_look_campaign_is_not_asked():
    fake = FakeApp(contact=a_contact(), profile=a_profile())
    found = await gather(fake.ports(), KEY, look=False)
    assert found.profile is Sight.UNSEEN
    assert fake.campaign.calls == []


def test_fields_are_compared_after_the_mapping():
    shown = explain(evidence(a_contact(gendercode=None), a_profile(gender="unknown", email="")), show_values=False)
    views = {view.target: view for view in shown.fields}
    assert (views["gender"].dynamics, views["gender"].wanted, views["gender"].verdict) == ("empty", "set", "same")
    assert (views["email"].campaign, views["email"].verdict) == ("empty", "differs")
    assert views["location.city"].verdict == "same"


def test_an_empty_text_in_campaign_is_the_same_as_nothing():
    shown = explain(evidence(a_contact(lastname=None), a_profile(lastName="")), show_values=False)
    assert shown.fields[0].verdict == "same"


def test_values_are_there_only_where_asked_for(capsys: pytest.CaptureFixture[str]):
    both = evidence(a_contact(), a_profile(email="canary@example.com"))
    emit(explain(both, show_values=False))
    assert not any(canary in capsys.readouterr().out for canary in CANARIES)
    emit(explain(both, show_values=True))
    text = capsys.readouterr().out
    assert all(canary in text for canary in CANARIES)


@pytest.mark.parametrize(
    ("in_dynamics", "in_campaign", "changed_at", "prevails", "because"),
    [
        (False, True, NOW, True, "Campaign's opt-out changed after"),
        (True, False, NOW, False, "Campaign's opt-out changed after"),
        (False, True, NOW - 9 * DAY, True, "not older"),
        (True, False, OLDEST, True, "not older"),
        (True, True, NOW, True, "agree"),
    ],
)
def test_the_opt_out_rule_is_explained(in_dynamics, in_campaign, changed_at, prevails, because):
    shown = explain(
        evidence(a_contact(donotbulkemail=in_dynamics), opted_out(in_campaign, changed_at)), show_values=False
    )
    pair = shown.opt_outs[0]
    assert (pair.dynamics, pair.campaign, pair.prevails) == (in_dynamics, in_campaign, prevails)
    assert because in pair.because
    assert pair.campaign_changed_at == (None if changed_at == OLDEST else changed_at)


LEAST = OptOutRules(policy=Policy.LEAST_PERMISSIVE)
BY_COLUMN = OptOutRules(policy=Policy.ATTRIBUTE_TIMESTAMPS)


@pytest.mark.parametrize(
    ("rules", "in_dynamics", "changed_at", "prevails", "because"),
    [
        (LEAST, True, NOW, True, "opted out on either side"),
        (OptOutRules(Configuration.DYNAMICS_TO_CAMPAIGN), False, NOW, False, "dynamics_to_campaign"),
        (BY_COLUMN, True, NOW, False, "after the Dynamics column"),
        (BY_COLUMN, False, NOW - 9 * DAY, False, "the Dynamics column changed after"),
        (BY_COLUMN, True, NOW - 5 * DAY, True, "the Dynamics column is not older"),
    ],
)
def test_every_rule_is_explained(rules, in_dynamics, changed_at, prevails, because):
    mapping = replace(MAPPING, opt_out_rules=rules)
    row = a_contact(donotbulkemail=in_dynamics)
    said = Said(in_dynamics, NOW - 5 * DAY)
    read = evidence(row, opted_out(not in_dynamics, changed_at))
    past = Recollection(KEY, said={"donotbulkemail": said}, etag="v1")
    (pair, *_) = explain(replace(read, mappings=Mappings(mapping), past=past), show_values=False).opt_outs
    assert pair.prevails is prevails
    assert because in pair.because


async def test_where_times_decide_the_past_is_read():
    row = replace(a_contact(), modified_by="5e1f0000-0000-4000-8000-000000000001")
    fake = FakeApp(contact=row, profile=opted_out(True, NOW))
    left = {"donotbulkemail": False, "donotfax": row.columns.get("donotfax")}
    ports = fake.ports()
    await ports.recollections.put(Recollection(KEY, person_at=NOW - 9 * DAY, left=left))
    found = await gather(ports, KEY, look=True)
    assert explain(found, show_values=False).opt_outs[0].dynamics_modified_on == NOW - 9 * DAY


def test_one_side_alone_has_no_verdict():
    shown = explain(evidence(a_contact(), Sight.MISSING), show_values=False)
    assert shown.in_campaign is False
    assert {view.verdict for view in shown.fields} == {None}
    assert {view.prevails for view in shown.opt_outs} == {None}
    assert explain(evidence(None, Sight.UNSEEN), show_values=False).in_campaign is None


def test_the_ledger_in_words():
    present = Present(MAPPING.desired(a_contact()).digest)
    row = LedgerRow(
        KEY,
        present,
        generation=2,
        flags=frozenset({"blackListFax"}),
        pending=PrivacyRequest("d365-del-1", NOW - DAY),
        claim=Claim("token", NOW + timedelta(seconds=30)),
        check_at=NOW + DAY,
        etag="v1",
    )
    shown = explain(evidence(a_contact(), Sight.UNSEEN, row), show_values=False).ledger
    assert (shown.state, shown.up_to_date, shown.incarnation) == ("present", True, 2)
    assert (shown.kept_opt_outs, shown.privacy_request) == (("blackListFax",), "d365-del-1")
    assert shown.claimed_until == NOW + timedelta(seconds=30)
    later = explain(evidence(a_contact(lastname="Other"), Sight.UNSEEN, row), show_values=False).ledger
    assert later.up_to_date is False


def test_a_claim_that_has_ended_is_none():
    row = LedgerRow(KEY, Absent(), claim=Claim("token", NOW), etag="v1")
    shown = explain(evidence(None, Sight.UNSEEN, row), show_values=False).ledger
    assert (shown.state, shown.claimed_until, shown.up_to_date) == ("absent", None, None)
    assert (
        explain(evidence(None, Sight.UNSEEN, replace(row, etag=None)), show_values=False).ledger.state == "never seen"
    )


def test_fields_that_cannot_be_sent_or_are_cut_are_named():
    first, second, third, fourth = MAPPING.field_rows
    rows = (replace(first, too_long=TooLong.TRUNCATE), second, third, replace(fourth, apply_updates=False))
    targets = {"lastName": Target(TargetType.STRING, 3), "email": Target(TargetType.STRING, 3)}
    targets["location.city"] = Target(TargetType.INTEGER)
    columns = dict.fromkeys(("lastname", "emailaddress1", "address1_city"), ColumnType.STRING)
    mapping = replace(MAPPING, field_rows=rows, types=Types(columns, targets))
    shown = explain(evidence(a_contact(), a_profile(), mapping=mapping), show_values=False)
    assert {view.target: view.problem for view in shown.fields} == {
        "lastName": "truncated",
        "email": "overlong",
        "gender": None,
        "location.city": "unconvertible",
    }
    assert [view.target for view in shown.fields if not view.apply_updates] == ["location.city"]


def test_filters_and_what_follows_a_deletion_are_told():
    tree = Condition("lastname", Operator.IS_EMPTY)
    mapping = replace(MAPPING, filters=tree, delete_mode=DeleteMode.PROFILE_DELETE)
    shown = explain(evidence(a_contact(), Sight.UNSEEN, mapping=mapping), show_values=False)
    assert (shown.part.passes, shown.part.kept_out_by) == (False, ("lastname is empty",))
    assert shown.delete_mode is DeleteMode.PROFILE_DELETE
    assert explain(evidence(a_contact(), Sight.UNSEEN), show_values=False).part.passes is True
