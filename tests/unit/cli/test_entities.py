"""Records of custom tables: explained with their parents and children, and rehearsed as they are worked on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cli.evidence import UnmappedTableError, gather
from cli.execution import execute
from cli.explanation import Explanation, explain
from cli.kinship import MOST_CHILDREN
from cli.rehearsal import Rehearsal, kinds, rehearse
from shared.domain.change import Hint, Lane, RecordKey, Source, Why
from shared.domain.contact import Contact, Profile
from shared.domain.filters import Condition, Operator
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, State, Unknown
from shared.domain.mapping import WhenFilteredOut
from shared.engine.alignment import Turn
from shared.errors import Outcome
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import KEY, MAPPING, NOW, VEHICLE, VEHICLES, VISIT, VISITS, a_contact, a_vehicle, a_visit

THERE = Present("whatever")


def an_app(vehicle: Contact | None = None, visit: Contact | None = None, *, contact: bool = True) -> FakeApp:
    """The contact is in Campaign unless it is left out of Dynamics."""
    fake = FakeApp(contact=a_contact() if contact else None)
    fake.entities = (VEHICLES, VISITS)
    rows = {VEHICLE: vehicle, VISIT: visit}
    fake.dynamics.entities = {key: row for key, row in rows.items() if row}
    if contact:
        fake.remember(LedgerRow(KEY, THERE))
    return fake


async def explained(fake: FakeApp, key: RecordKey, *, look: bool = True) -> Explanation:
    return explain(await gather(fake.ports(), key, look=look), show_values=False)


async def rehearsed(fake: FakeApp, key: RecordKey, why: Why, *, look: bool = True) -> Rehearsal:
    return await rehearse(fake.ports(), await gather(fake.ports(), key, look=look), why)


def orders(told: Rehearsal) -> list[str]:
    return [step.order for step in told.steps]


async def test_a_table_that_is_not_mapped_is_told_with_those_that_are() -> None:
    with pytest.raises(UnmappedTableError, match="no table account; it has contact, new_vehicle, new_visit"):
        await gather(an_app().ports(), RecordKey("account", VEHICLE.id), look=True)


async def test_both_sides_and_the_parent() -> None:
    fake = an_app(a_vehicle())
    fake.campaign.records[VEHICLE.id] = Profile("@1", {"profileExternalId": KEY.id, "vehicleName": "Other"})
    shown = await explained(fake, VEHICLE)
    assert (shown.table, shown.record, shown.contact, shown.in_campaign) == ("new_vehicle", VEHICLE.id, None, True)
    assert {view.target: view.verdict for view in shown.fields} == {
        "profileExternalId": "same",
        "vehicleName": "differs",
    }
    (parent,) = shown.parents
    assert (parent.record, parent.needed, parent.state, parent.missing) == (str(KEY), True, "present", None)
    assert (shown.children, shown.more_children) == (0, False)
    assert fake.campaign.calls == ["record"]


MISSING: dict[str, tuple[bool, State | None, str]] = {
    "not in Dynamics": (False, None, "Dynamics has no such row"),
    "not sent yet": (True, Absent(), "not sent yet"),
    "in doubt": (True, Unknown(), "in doubt"),
}


@pytest.mark.parametrize("name", MISSING)
async def test_a_missing_parent_is_told_with_its_reason(name: str) -> None:
    in_dynamics, state, reason = MISSING[name]
    fake = an_app(a_vehicle(), contact=in_dynamics)
    if state:
        fake.remember(LedgerRow(KEY, state))
    (parent,) = (await explained(fake, VEHICLE)).parents
    assert parent.missing is not None
    assert reason in parent.missing
    told = await rehearsed(fake, VEHICLE, Why.UPSERT)
    assert (told.ending, told.reason, told.calls) == ("later", "parent_missing", 0)
    hinted = [f"send a hint (upsert) about {KEY} to the lane contact-upsert"]
    assert orders(told) == (hinted if in_dynamics else [])


async def test_a_parent_that_is_kept_out_says_so() -> None:
    fake = an_app(a_vehicle())
    fake.remember(LedgerRow(KEY, Absent()))
    fake.mapping = replace(MAPPING, filters=Condition("lastname", Operator.IS_EMPTY))
    (parent,) = (await explained(fake, VEHICLE)).parents
    assert parent.missing == "kept out by its table's filters"


async def test_whoever_holds_a_parent_back_is_shown_behind_it() -> None:
    fake = an_app(a_vehicle(), a_visit(new_dealer=VEHICLE.id), contact=False)
    parents = (await explained(fake, VISIT)).parents
    assert [(one.depth, one.column, one.needed) for one in parents] == [
        (1, "new_vehicle", True),
        (2, "new_owner", True),
        (1, "new_dealer", False),
    ]
    assert parents[1].missing == "Dynamics has no such row"


async def test_nobody_is_hinted_while_something_further_up_will_not_come() -> None:
    """The engine asks for all rows on the way up, so all of them were read."""
    told = await rehearsed(an_app(a_vehicle(), a_visit(), contact=False), VISIT, Why.UPSERT)
    assert (told.ending, told.reason, orders(told)) == ("later", "parent_missing", [])
    told = await rehearsed(an_app(a_vehicle(), a_visit()), VISIT, Why.UPSERT)
    assert orders(told) == [f"send a hint (upsert) about {VEHICLE} to the lane custom-entity"]


async def test_a_parent_without_a_parent_of_its_own() -> None:
    fake = an_app(a_vehicle(new_owner=None), a_visit())
    parents = (await explained(fake, VISIT)).parents
    assert [one.missing for one in parents] == ["lacks a parent of its own", "new_owner is empty", None]


async def test_a_row_without_the_parent_that_it_needs_is_kept_out() -> None:
    shown = await explained(an_app(a_vehicle(new_owner=None)), VEHICLE)
    assert (shown.part.passes, shown.part.lacks) == (False, ("new_owner",))
    assert shown.part.when_filtered_out is WhenFilteredOut.DELETE
    assert [(one.record, one.missing) for one in shown.parents] == [(None, "new_owner is empty")]


async def test_children_are_counted_up_to_a_bound() -> None:
    fake = an_app(a_vehicle())
    children = {RecordKey("new_visit", f"0f8fad5b-d9cb-469f-a165-{number:012}") for number in range(MOST_CHILDREN + 1)}
    fake.family.pairs = {(child, VEHICLE): None for child in children}
    shown = await explained(fake, VEHICLE)
    assert (shown.children, shown.more_children) == (MOST_CHILDREN, True)
    assert (await explained(an_app(None, a_visit()), VISIT)).children is None


LEDGERS = {
    "never seen": None,
    "present": LedgerRow(VEHICLE, Present(VEHICLES.desired(a_vehicle()).digest), parents=frozenset({KEY})),
    "outdated": LedgerRow(VEHICLE, Present("old"), parents=frozenset({KEY})),
    "absent": LedgerRow(VEHICLE, Absent(), witness=True),
    "unknown": LedgerRow(VEHICLE, Unknown(), parents=frozenset({KEY})),
    "claimed": LedgerRow(VEHICLE, Unknown(), claim=Claim("t", NOW + timedelta(seconds=9))),
}
RECORDS = {
    "none": None,
    "same": Profile("@1", VEHICLES.desired(a_vehicle()).fields),
    "other": Profile("@1", {"vehicleName": "Other"}),
}


class _Bin:
    async def send(self, lane, messages):
        assert lane in (Lane.CUSTOM_ENTITY, Lane.CONTACT_UPSERT)


@pytest.mark.parametrize("why", kinds("new_vehicle"))
@pytest.mark.parametrize("ledger", LEDGERS)
@pytest.mark.parametrize("vehicle", [None, a_vehicle(), a_vehicle(new_owner=None)], ids=["gone", "there", "orphan"])
@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("contact", [True, False], ids=["parent", "no parent"])
@pytest.mark.parametrize("child", [None, Present("x")], ids=["childless", "child"])
async def test_a_rehearsal_ends_and_costs_what_the_work_itself_does(why, ledger, vehicle, record, contact, child):
    fake = an_app(vehicle, contact=contact)
    if (row := LEDGERS[ledger]) is not None:
        fake.remember(row)
    if child:
        fake.family.pairs = {(VISIT, VEHICLE): None}
        fake.remember(LedgerRow(VISIT, child, parents=frozenset({VEHICLE})))
    if found := RECORDS[record]:
        fake.campaign.records[VEHICLE.id] = found
    before = dict(fake.ledger.rows), dict(fake.family.pairs)
    told = await rehearsed(fake, VEHICLE, why)
    assert (fake.ledger.rows, fake.family.pairs) == before
    fake.campaign.calls.clear()
    fake.campaign.writable = True
    ports = replace(fake.ports(), bus=_Bin())
    try:
        reason = (await Turn(ports, Hint("h", VEHICLE, why, Source.CLI, NOW), 1).run()).slug
    except Outcome as outcome:
        reason = outcome.reason.slug
    assert (told.reason, told.calls) == (reason, len(fake.campaign.calls))


async def test_a_deletion_lets_the_children_go_first() -> None:
    fake = an_app(None)
    fake.remember(LedgerRow(VEHICLE, Present("x")))
    visits = [RecordKey("new_visit", f"0f8fad5b-d9cb-469f-a165-00000000000{number}") for number in range(2)]
    for visit in visits:
        fake.remember(LedgerRow(visit, Present("x"), parents=frozenset({VEHICLE})))
        fake.family.pairs[visit, VEHICLE] = None
    told = await rehearsed(fake, VEHICLE, Why.DELETE)
    assert (told.ending, told.reason, orders(told)) == ("later", "children_first", [])


async def test_a_creation_releases_the_children() -> None:
    fake = an_app(a_vehicle())
    for number in range(2):
        fake.family.pairs[RecordKey("new_visit", f"0f8fad5b-d9cb-469f-a165-00000000000{number}"), VEHICLE] = None
    told = await rehearsed(fake, VEHICLE, Why.UPSERT)
    assert (told.reason, told.calls) == ("written", 2)
    assert orders(told)[-1].startswith("send 2 hints (upsert) to the lane custom-entity, first new_visit/")


async def test_the_record_is_looked_for_under_its_key_and_under_a_former_one() -> None:
    fake = an_app(a_vehicle(), a_visit())
    fake.remember(LedgerRow(VEHICLE, THERE))
    fake.remember(LedgerRow(VISIT, Present("old"), found_by="S-0"))
    fake.campaign.records["S-0"] = Profile("@9", {})
    found = await gather(fake.ports(), VISIT, look=True)
    assert (len(fake.campaign.calls), set(found.former)) == (2, {"S-0"})
    told = await rehearse(fake.ports(), found, Why.UPSERT)
    assert (told.ending, told.reason, told.calls) == ("parked", "key_changed", 1)
    assert explain(found, show_values=False).ledger.own_key


async def test_a_key_that_nobody_remembers_cannot_be_looked_for() -> None:
    fake = an_app()
    found = await gather(fake.ports(), VISIT, look=True)
    assert (fake.campaign.calls, explain(found, show_values=False).in_campaign) == ([], False)


async def test_without_a_look_the_rest_is_open() -> None:
    fake = an_app(a_vehicle())
    fake.remember(LedgerRow(VEHICLE, Present("old"), parents=frozenset({KEY})))
    told = await rehearsed(fake, VEHICLE, Why.UPSERT, look=False)
    assert (told.ending, orders(told), fake.campaign.calls) == ("open", ["look up the record of cusVehicle"], [])
    fake.remember(LedgerRow(VEHICLE, Absent()))
    told = await rehearsed(fake, VEHICLE, Why.UPSERT, look=False)
    assert orders(told)[0] == "create the record of cusVehicle with 3 fields (if its key is taken: look it up)"


async def test_performing_is_one_verify_hint() -> None:
    fake = an_app(a_vehicle())
    fake.let_write()
    (done,) = await execute(fake.build(fake.wiring().settings(None)), VEHICLE)
    assert (done.why, done.settled, done.calls) == (Why.VERIFY, True, 2)
    assert fake.ledger.rows[VEHICLE].state == Present(VEHICLES.desired(a_vehicle()).digest)
    assert set(fake.family.pairs) == {(VEHICLE, KEY)}
