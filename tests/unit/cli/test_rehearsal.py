"""A rehearsal orders what the engine would order, and touches nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cli.evidence import gather
from cli.rehearsal import Rehearsal, rehearse
from shared.domain.change import Hint, Lane, Source, Why
from shared.domain.contact import Flag
from shared.domain.filters import Condition, Operator
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, PrivacyRequest, Unknown
from shared.domain.mapping import DeleteMode, WhenFilteredOut
from shared.engine import optouts
from shared.engine.alignment import Turn
from shared.errors import Outcome
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CONTACT_ID, KEY, MAPPING, NOW, a_contact, a_profile

PRESENT = Present(MAPPING.desired(a_contact()).digest)
LEDGERS = {
    "never seen": None,
    "present": LedgerRow(KEY, PRESENT),
    "outdated": LedgerRow(KEY, Present("old")),
    "absent": LedgerRow(KEY, Absent(), witness=True),
    "unknown": LedgerRow(KEY, Unknown()),
    "claimed": LedgerRow(KEY, Unknown(), claim=Claim("t", NOW + timedelta(seconds=9))),
}
PROFILES = {"none": None, "same": a_profile(), "other": a_profile(lastName="Other")}
CONTACTS = {"gone": None, "there": a_contact()}


async def rehearsed(fake: FakeApp, why: Why, *, look: bool = True) -> Rehearsal:
    return await rehearse(fake.ports(), await gather(fake.ports(), KEY, look=look), why)


def orders(rehearsal: Rehearsal) -> str:
    return "\n".join(step.order for step in rehearsal.steps)


async def performed(fake: FakeApp, why: Why) -> str:
    """The real turn, on parts that take writes."""
    hint = Hint("h", KEY, why, Source.CLI, NOW)
    fake.campaign.writable = True
    try:
        ports = replace(fake.ports(), bus=_Bin())
        work = optouts.settle(ports, hint) if hint.lane is Lane.OPTOUT else Turn(ports, hint, 1).run()
        return (await work).slug
    except Outcome as outcome:
        return outcome.reason.slug


class _Bin:
    async def send(self, lane, messages):
        assert lane is Lane.OPTOUT


@pytest.mark.parametrize("why", list(Why))
@pytest.mark.parametrize("ledger", LEDGERS)
@pytest.mark.parametrize("contact", CONTACTS)
@pytest.mark.parametrize("profile", PROFILES)
async def test_it_ends_and_costs_what_the_work_itself_does(why, ledger, contact, profile):
    fake = FakeApp(contact=CONTACTS[contact], profile=PROFILES[profile])
    if (row := LEDGERS[ledger]) is not None:
        fake.remember(row)
    before = dict(fake.ledger.rows)
    told = await rehearsed(fake, why)
    assert fake.ledger.rows == before
    fake.campaign.calls.clear()
    assert await performed(fake, why) == told.reason
    assert len(fake.campaign.calls) == told.calls


KEPT_OUT = Condition("lastname", Operator.IS_EMPTY)


@pytest.mark.parametrize("why", list(Why))
@pytest.mark.parametrize("ledger", LEDGERS)
@pytest.mark.parametrize("mode", list(DeleteMode))
@pytest.mark.parametrize("then", list(WhenFilteredOut))
async def test_a_contact_that_is_kept_out_is_rehearsed_as_it_is_worked_on(why, ledger, mode, then):
    fake = FakeApp(contact=a_contact(), profile=a_profile())
    fake.mapping = replace(MAPPING, filters=KEPT_OUT, delete_mode=mode, when_filtered_out=then)
    if (row := LEDGERS[ledger]) is not None:
        fake.remember(row)
    told = await rehearsed(fake, why)
    fake.campaign.calls.clear()
    assert await performed(fake, why) == told.reason
    assert len(fake.campaign.calls) == told.calls


async def test_a_profile_delete_says_what_it_leaves():
    fake = FakeApp(profile=a_profile())
    fake.mapping = replace(MAPPING, delete_mode=DeleteMode.PROFILE_DELETE)
    assert "delete the profile; what Campaign logged of the person stays" in orders(await rehearsed(fake, Why.DELETE))


async def test_an_unchanged_record_costs_nothing():
    fake = FakeApp(contact=a_contact(), profile=a_profile())
    fake.remember(LedgerRow(KEY, PRESENT))
    told = await rehearsed(fake, Why.UPSERT)
    assert (told.ending, told.reason, told.steps) == ("settled", "unchanged", ())


async def test_an_update_names_the_fields_that_differ():
    fake = FakeApp(contact=a_contact(), profile=a_profile(lastName="Other"))
    told = await rehearsed(fake, Why.VERIFY)
    assert "update the profile with 4 fields; differing: lastName" in orders(told)
    assert "Other" not in orders(told)


async def test_a_deletion_needs_its_witness():
    fake = FakeApp(profile=a_profile())
    assert (await rehearsed(fake, Why.UPSERT)).reason == "gone_unwitnessed"
    told = await rehearsed(fake, Why.DELETE)
    assert f"privacy request d365-del-{CONTACT_ID}-0" in orders(told)
    assert (told.ending, told.reason, told.calls) == ("settled", "written", 2)


async def test_opt_outs_are_named_with_the_side_that_is_written():
    flags = {"blackListEmail": Flag(True, NOW)}
    fake = FakeApp(contact=a_contact(donotfax=True), profile=a_profile(opted_out=flags))
    told = await rehearsed(fake, Why.OPTOUT)
    assert "write to Dynamics, if the row is still this version: donotbulkemail = TRUE" in orders(told)
    assert "write the profile's opt-outs: blackListFax = TRUE" in orders(told)


async def test_what_was_not_looked_at_is_left_open():
    fake = FakeApp(contact=a_contact(), profile=a_profile())
    fake.remember(LedgerRow(KEY, Unknown()))
    told = await rehearsed(fake, Why.UPSERT, look=False)
    assert (told.ending, told.reason) == ("open", None)
    assert fake.campaign.calls == []


async def test_without_a_look_a_trusted_update_says_its_condition():
    fake = FakeApp(contact=a_contact(), profile=a_profile())
    fake.remember(LedgerRow(KEY, Present("old")))
    told = await rehearsed(fake, Why.UPSERT, look=False)
    assert orders(told) == "update the profile with 4 fields (if it is not there: create it)"


async def test_a_restored_contact_waits_for_its_privacy_request():
    fake = FakeApp(contact=a_contact(), profile=None)
    fake.remember(LedgerRow(KEY, Unknown(), witness=True, pending=PrivacyRequest("d365-del-x-0", NOW)))
    told = await rehearsed(fake, Why.UPSERT)
    assert (told.ending, orders(told)) == ("open", "ask how far privacy request d365-del-x-0 is")


async def test_a_claimed_record_comes_back_later():
    fake = FakeApp(contact=a_contact(), profile=None)
    fake.remember(LEDGERS["claimed"] or LedgerRow(KEY))
    told = await rehearsed(fake, Why.UPSERT)
    assert (told.ending, told.reason, told.steps) == ("later", "claimed", ())


async def test_a_record_never_seen_is_looked_at_first():
    fake = FakeApp(contact=a_contact(), profile=a_profile(lastName="Other"))
    told = await rehearsed(fake, Why.UPSERT)
    assert [step.calls for step in told.steps] == [1, 1]
