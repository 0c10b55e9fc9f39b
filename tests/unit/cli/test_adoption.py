"""What each of Campaign's profiles is taken for, and what its adoption will do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.adoption import survey
from cli.adoption_report import Choice, Report
from shared.domain.change import RecordKey
from shared.domain.contact import Flag, Profile
from shared.domain.conversion import ColumnType, Target, TargetType, Types
from shared.domain.filters import Condition, Operator
from shared.domain.ledger import Absent, LedgerRow, Present, Unknown
from shared.domain.mapping import DeleteMode, WhenFilteredOut
from shared.errors import Halt, Outcome, Reason, Retry
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CONTACT_ID, KEY, MAPPING, NOW, a_contact, a_profile

OTHER_ID = "11111111-2222-4333-8444-555555555555"
TENS = Choice(10)
BUSY = Retry(Reason.CAMPAIGN_BUSY, "status 429", after_s=7)


async def surveyed(fake: FakeApp, *pages: list[tuple[str, Profile]], choice: Choice = TENS) -> Report:
    fake.campaign.pages = list(pages)
    return await survey(fake.build(fake.wiring().settings(None)), choice, None, lambda _more: None)


def counts(report: Report) -> dict[str, int]:
    return {group.kind: group.profiles for group in report.groups if group.profiles}


@pytest.mark.parametrize(
    ("external_id", "kind"),
    [
        ("", "own"),
        ("crm-4711", "no_guid"),
        (OTHER_ID, "no_contact"),
        (CONTACT_ID.upper(), "other_spelling"),
        (f"{{{CONTACT_ID}}}", "other_spelling"),
        (CONTACT_ID, "to_adopt"),
    ],
)
async def test_the_external_id_decides(external_id: str, kind: str):
    report = await surveyed(FakeApp(contact=a_contact()), [(external_id, a_profile())])
    assert counts(report) == {kind: 1}
    assert (report.read, report.engine_calls, report.stopped) == (1, 1, None)


@pytest.mark.parametrize(
    ("state", "kind"), [(Present("any"), "synchronised"), (Unknown(), "in_doubt"), (Absent(), "in_doubt")]
)
async def test_what_the_ledger_knows_is_not_adopted(state, kind: str):
    fake = FakeApp(contact=a_contact())
    fake.remember(LedgerRow(KEY, state))
    assert counts(await surveyed(fake, [(CONTACT_ID, a_profile(lastName="Other"))])) == {kind: 1}


async def test_a_profile_that_the_ledger_knows_and_whose_contact_is_gone_is_not_somebody_elses():
    fake = FakeApp()
    fake.remember(LedgerRow(RecordKey("contact", OTHER_ID), Present("any")))
    assert counts(await surveyed(fake, [(OTHER_ID, a_profile())])) == {"gone": 1}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({}, "untouched"),
        ({"when_filtered_out": WhenFilteredOut.DELETE}, "deleted"),
        ({"when_filtered_out": WhenFilteredOut.DELETE, "delete_mode": DeleteMode.IGNORE}, "untouched"),
    ],
)
async def test_a_contact_that_the_filters_keep_out_is_not_adopted(rules, words: str):
    fake = FakeApp(contact=a_contact(lastname="Kept Out"))
    fake.mapping = replace(MAPPING, filters=Condition("lastname", Operator.NOT_EQUALS, "Kept Out"), **rules)
    report = await surveyed(fake, [(CONTACT_ID, a_profile())])
    assert counts(report) == {"kept_out": 1}
    assert words in next(group.meaning for group in report.groups if group.kind == "kept_out")


async def test_differences_are_counted_by_field_and_only_where_an_adoption_will_write():
    fake = FakeApp(contact=a_contact())
    first = MAPPING.field_rows[0]
    fake.mapping = replace(MAPPING, field_rows=(replace(first, apply_updates=False), *MAPPING.field_rows[1:]))
    other = a_profile(lastName="Other", email="", opted_out={"blackListFax": Flag(True, NOW)})
    report = await surveyed(fake, [(CONTACT_ID, other), ("own", a_profile(email="x"))])
    assert (report.differing, report.differing_fields, report.opt_outs_differing) == (1, {"email": 1}, 1)
    assert report.adoption_calls == 2


async def test_what_agrees_costs_one_look():
    assert (await surveyed(FakeApp(contact=a_contact()), [(CONTACT_ID, a_profile())])).adoption_calls == 1


async def test_a_value_that_does_not_fit_parks_the_contact_and_costs_nothing():
    fake = FakeApp(contact=a_contact())
    types = Types({"lastname": ColumnType.STRING}, {"lastName": Target(TargetType.STRING, length=3)})
    fake.mapping = replace(MAPPING, types=types)
    report = await surveyed(fake, [(CONTACT_ID, a_profile(email=""))])
    assert (report.unsendable, report.differing, report.adoption_calls) == (1, 0, 0)


async def test_pages_are_read_to_the_end_or_to_the_limit():
    pages = [[("", a_profile()), ("", a_profile())], [("", a_profile()), ("", a_profile())], [("", a_profile())]]
    whole = await surveyed(FakeApp(), *pages, choice=Choice(2))
    assert (whole.read, whole.engine_calls, whole.limited) == (5, 3, False)
    part = await surveyed(FakeApp(), *pages, choice=Choice(2, limit=3))
    assert (part.read, part.engine_calls, part.limited) == (3, 2, True)


async def test_a_short_failure_is_waited_out():
    fake = FakeApp()
    fake.campaign.failures = [BUSY, Retry(Reason.CAMPAIGN_UNREACHABLE)]
    report = await surveyed(fake, [("", a_profile())])
    assert (report.read, report.stopped, fake.clock.slept) == (1, None, [7, 15])


@pytest.mark.parametrize(
    ("failures", "slept"),
    [
        ([Halt(Reason.CAMPAIGN_CREDENTIALS)], 0),
        ([Retry(Reason.BUDGET_SPENT, after_s=9000)], 0),
        ([BUSY] * 5, 4),
    ],
)
async def test_a_lasting_failure_ends_the_report_with_what_was_found(failures: list[Outcome], slept: int):
    fake = FakeApp()
    first = [("", a_profile())]
    report = await surveyed(fake, first)
    assert report.stopped is None
    fake.campaign.failures = list(failures)
    report = await surveyed(fake, first)
    assert (report.read, len(fake.clock.slept)) == (0, slept)
    assert report.stopped is not None
    assert failures[0].reason.slug in report.stopped


@pytest.mark.parametrize(
    ("in_campaign", "limit", "pages"), [(0, None, 1), (10, None, 1), (11, None, 2), (11, 10, 1), (5, 100, 1)]
)
def test_the_estimate(in_campaign: int, limit: int | None, pages: int):
    assert Choice(10, limit).pages(in_campaign) == pages


async def test_the_mapping_is_the_one_in_force():
    fake = FakeApp(contact=a_contact())
    fake.mapping_unknown = Retry(Reason.LEDGER_UNREACHABLE)
    with pytest.raises(Retry):
        await surveyed(fake, [(CONTACT_ID, a_profile())])
    assert fake.campaign.calls == []
