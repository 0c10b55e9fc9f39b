"""The real work in this process: what it does, and how each ending is told."""

from __future__ import annotations

from datetime import timedelta

from cli.execution import Execution, execute
from shared.domain.change import Lane
from shared.domain.contact import Flag
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, Unknown
from shared.errors import Halt, Reason, Retry, Uncertain
from shared.ports import BusUnavailableError
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import KEY, MAPPING, NOW, a_contact, a_profile

OPTED_OUT = {"blackListEmail": Flag(True, NOW)}


async def executed(fake: FakeApp) -> tuple[Execution, ...]:
    fake.let_write()
    return await execute(fake.build(fake.wiring().settings(None)), KEY)


async def test_both_directions_are_brought_into_line():
    fake = FakeApp(contact=a_contact(), profile=a_profile(lastName="Other", opted_out=OPTED_OUT))
    fake.remember(LedgerRow(KEY, Unknown()))
    verify, optout = await executed(fake)
    assert (verify.settled, verify.reason, verify.calls) == (True, "written", 2)
    assert (optout.settled, optout.reason, optout.calls) == (True, "written", 1)
    assert fake.campaign.calls == ["profile", "update", "profile"]
    assert fake.dynamics.written == [{"donotbulkemail": True}]
    assert fake.ledger.rows[KEY].state == Present(MAPPING.desired(a_contact()).digest)
    assert fake.ledger.rows[KEY].claim is None
    assert fake.bus.lanes == [Lane.OPTOUT]


async def test_a_command_alone_never_deletes():
    fake = FakeApp(profile=a_profile())
    verify, _ = await executed(fake)
    assert (verify.reason, fake.campaign.calls) == ("gone_unwitnessed", ["profile"])


async def test_a_claimed_record_comes_back_later_and_the_opt_outs_are_settled_all_the_same():
    fake = FakeApp(contact=a_contact(), profile=a_profile(opted_out=OPTED_OUT))
    fake.remember(LedgerRow(KEY, Unknown(), claim=Claim("t", NOW + timedelta(seconds=9))))
    verify, optout = await executed(fake)
    assert (verify.ending, verify.reason, verify.settled) == ("later", "claimed", False)
    assert verify.remedy is not None
    assert verify.after_s is not None
    assert 2 < verify.after_s <= 7, "most claims are released long before their end"
    assert optout.reason == "written"


async def test_a_failure_is_told_with_its_detail_and_remedy_and_is_not_raised():
    fake = FakeApp(contact=a_contact(), profile=a_profile())
    fake.campaign.failure = Halt(Reason.CAMPAIGN_CREDENTIALS, "status 401")
    verify, optout = await executed(fake)
    assert [one.ending for one in (verify, optout)] == ["halted", "halted"]
    assert (verify.reason, verify.detail, verify.calls) == ("campaign_credentials", "status 401", 1)
    assert verify.remedy == Reason.CAMPAIGN_CREDENTIALS.action
    assert fake.ledger.rows[KEY].claim is None


async def test_a_write_without_an_answer_leaves_a_check_behind():
    fake = FakeApp(contact=a_contact(), profile=None)
    fake.campaign.failure = Uncertain(Reason.OUTCOME_UNKNOWN, "no answer")
    fake.remember(LedgerRow(KEY, Absent()))
    verify, _ = await executed(fake)
    assert verify.ending == "later"
    fake.campaign.failure = Retry(Reason.CAMPAIGN_BUSY, after_s=3)
    again, _ = await executed(fake)
    assert (again.ending, again.settled) == ("later", False)
    assert fake.ledger.rows[KEY].check_at is not None


async def test_a_broker_that_takes_nothing_is_told():
    fake = FakeApp(contact=a_contact(), profile=a_profile(opted_out=OPTED_OUT))
    fake.bus.failure = BusUnavailableError("refused")
    verify, optout = await executed(fake)
    assert (verify.ending, verify.reason) == ("later", None)
    assert "Service Bus" in verify.meaning
    assert optout.settled
