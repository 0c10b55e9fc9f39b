"""A first load told from a sample: what becomes of each row, what it costs, how long it takes, and what is touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from cli.evidence import UnmappedTableError
from cli.first_load import Choice, FirstLoad, Kind, plan
from cli.guardrails import guardrails, warnings
from cli.load_rate import measured_rate
from shared.clients.dynamics.sample import Total
from shared.domain.change import RecordKey
from shared.domain.contact import Contact, Profile
from shared.domain.conversion import ColumnType, Target, TargetType, Types
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, Unknown
from shared.domain.mapping import FieldRow, FromColumn, Link, Mapping, Mappings, Resource
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import KEY, MAPPING, NOW, VEHICLES, VISITS, a_contact, a_profile, a_vehicle


def numbered(number: int, **columns: object) -> Contact:
    return replace(a_vehicle(**columns), id=str(UUID(int=number)))  # type: ignore[arg-type]


def vehicle(number: int) -> RecordKey:
    return RecordKey("new_vehicle", str(UUID(int=number)))


def an_app(*rows: Contact, parent: bool = True) -> FakeApp:
    fake = FakeApp(contact=a_contact())
    fake.entities = (VEHICLES, VISITS)
    fake.sample.found = list(rows)
    fake.sample.count = Total(1000 * len(rows), at_least=False)
    if parent:
        fake.remember(LedgerRow(KEY, Present("x")))
    return fake


async def planned(fake: FakeApp, table: str = "new_vehicle", choice: Choice | None = None) -> FirstLoad:
    app = fake.build(fake.wiring().settings(None))
    return await plan(app, table, choice or Choice(50, per_second=10), lambda: None)


def told(found: FirstLoad) -> dict[Kind, tuple[int, int]]:
    return {tally.kind: (tally.rows, tally.calls) for tally in found.tallies}


async def test_every_kind_of_row_and_its_engine_calls() -> None:
    rows = [numbered(number) for number in range(8)]
    fake = an_app(*rows, numbered(8, new_owner=None))
    lines = VEHICLES.desired
    fake.campaign.records[rows[1].id] = Profile("@1", {"vehicleName": "Other"})
    fake.campaign.records[rows[2].id] = Profile("@2", lines(rows[2]).fields)
    fake.remember(LedgerRow(vehicle(3), Present(lines(rows[3]).digest)))
    fake.remember(LedgerRow(vehicle(4), Present("old")))
    fake.campaign.records[rows[4].id] = Profile("@4", {"vehicleName": "Other"})
    fake.remember(LedgerRow(vehicle(5), Absent()))
    fake.remember(LedgerRow(vehicle(6), Unknown(), claim=Claim("t", NOW + timedelta(seconds=9))))
    types = Types({"new_name": ColumnType.STRING}, {"vehicleName": Target(TargetType.STRING, 3)})
    assert told(await planned(fake)) == {
        Kind.INSERT: (3, 2 + 2 + 1),
        Kind.UPDATE: (2, 2 + 2),
        Kind.ALIKE: (1, 1),
        Kind.UNCHANGED: (1, 0),
        Kind.LATER: (1, 0),
        Kind.KEPT_OUT: (1, 1),
    }
    fake.entities = (replace(VEHICLES, types=types),)
    assert told(await planned(fake))[Kind.PARKED][1] == 0
    assert fake.bus.lanes == []


async def test_contacts_are_updated_without_a_look() -> None:
    fake = FakeApp(contact=a_contact(), profile=a_profile(lastName="Other"))
    fake.sample.found, fake.sample.count = [a_contact()], Total(5000, at_least=True)
    fake.remember(LedgerRow(KEY, Present("old")))
    found = await planned(fake, "contact")
    assert told(found) == {Kind.UPDATE: (1, 1)}
    assert (found.engine_calls, found.asked, fake.campaign.calls, found.rows.at_least) == (5000, 0, [], True)


async def test_calls_and_time_are_those_of_all_rows() -> None:
    found = await planned(an_app(numbered(1), numbered(2)))
    assert (found.sampled, found.create_first, found.engine_calls, found.asked) == (2, True, 2000, 2)
    assert (found.seconds, found.rate.source if found.rate else None) == (200, "as given with --rate")
    told_rows = await planned(an_app(numbered(1)), choice=Choice(50, 10, rows=70_000))
    assert (told_rows.rows, told_rows.engine_calls) == (Total(70_000, at_least=False), 70_000)


async def test_a_daily_budget_may_be_what_takes_longest() -> None:
    fake = an_app(numbered(1))
    fake.values["CAMPAIGN_CALLS_PER_DAY"] = "500"
    found = await planned(fake)
    assert (found.per_day, found.days) == (500, 2.5), "a load may use four fifths of them"
    fake.values["CAMPAIGN_CALLS_PER_DAY"] = "50000"
    assert (await planned(fake)).days is None


async def test_rows_whose_parent_is_not_there_are_counted_as_if_it_were() -> None:
    found = await planned(an_app(numbered(1), numbered(2, new_owner=None), parent=False))
    assert (found.waiting, told(found)[Kind.INSERT]) == (1, (1, 1))


def there(fake: FakeApp, number: int, name: str | None = None) -> None:
    """Campaign has that vehicle: alike, or under another name."""
    row = numbered(number)
    fake.campaign.records[row.id] = Profile(
        f"@{number}", {"vehicleName": name} if name else VEHICLES.desired(row).fields
    )


async def test_a_first_load_is_where_neither_side_knows_any_row() -> None:
    rows = [numbered(number) for number in range(1, 21)]
    assert (await planned(an_app(*rows))).create_first
    adopting = an_app(*rows)
    there(adopting, 20)
    assert not (await planned(adopting)).create_first, "Campaign shows one"
    known = an_app(*rows)
    known.remember(LedgerRow(vehicle(7), Absent()))
    assert not (await planned(known)).create_first, "the ledger knows one"
    assert not (await planned(an_app())).create_first, "nobody knows"


async def test_what_is_said_by_hand_goes_before_the_sample_and_is_told_as_it_costs() -> None:
    async def calls(fake: FakeApp, *, create_first: bool) -> int:
        found = await planned(fake, choice=Choice(50, 10, create_first=create_first))
        assert found.create_first is create_first
        return found.engine_calls // 1000

    rows = [numbered(number) for number in range(1, 21)]
    assert await calls(an_app(*rows), create_first=False) == 40
    some = an_app(*rows)
    there(some, 1)
    there(some, 2, "Other")
    assert await calls(some, create_first=False) == 18 * 2 + 1 + 2
    assert await calls(some, create_first=True) == 18 + 2 + 3
    for number in range(1, 21):
        there(some, number, "Other")
    assert await calls(some, create_first=True) == 40, "the run would soon look first"


async def test_an_empty_table_costs_nothing() -> None:
    found = await planned(an_app(), choice=Choice(50))
    assert (found.sampled, found.engine_calls, found.rate, found.seconds) == (0, 0, None, None)


async def test_a_table_that_is_not_mapped() -> None:
    with pytest.raises(UnmappedTableError):
        await planned(an_app(), "account")


def test_the_rate_is_what_one_host_can_do() -> None:
    settings = FakeApp().wiring().settings(None)
    rate = measured_rate(settings, [0.9, 0.1, 0.1], None)
    assert rate is not None
    assert rate.per_second == pytest.approx(16 / 0.1)
    assert "16 calls at once" in rate.source
    assert "0.100 s each (the median of 3" in rate.source
    few = measured_rate(settings.model_copy(update={"campaign_max_in_flight": 4}), [0.1], None)
    assert few is not None
    assert few.per_second == pytest.approx(40)
    assert measured_rate(settings, [], None) is None
    assert measured_rate(settings, [0.0], None) is None


def entity(number: int, *parents: str, columns: int = 1) -> Mapping:
    links = tuple(Link(f"l{place}", f"f{place}", parent) for place, parent in enumerate(parents))
    joins = tuple(FieldRow(link.field, FromColumn(link.column)) for link in links)
    rows = tuple(FieldRow(f"t{place}", FromColumn(f"c{place}")) for place in range(columns))
    name = f"e{number}"
    return Mapping("v", name, (*joins, *rows), resource=Resource(f"cusE{number}", "byX", "x"), links=links)


def test_guardrails_are_counted_and_touched_above_adobes_numbers() -> None:
    e1, e2 = entity(1, "contact"), entity(2, "e1", columns=51)
    e3 = entity(3, "e2", *["contact"] * 5)
    few = Mappings(MAPPING, (e1, e2, e3))
    assert [(one.here, one.touched) for one in guardrails(few, e2)] == [(3, False), (51, True), (1, False), (2, False)]
    assert [(one.here, one.touched) for one in guardrails(few, e3)] == [(3, False), (1, False), (6, True), (3, True)]
    many = Mappings(MAPPING, tuple(entity(number) for number in range(21)))
    assert guardrails(many, many.entities[0])[0].touched
    assert [one.split(" (")[0] for one in warnings(few, e3)] == [
        "6 links, more than 5",
        "3 links above one another, more than 2",
    ]
    assert not list(warnings(few, MAPPING))


def test_tables_that_refer_to_one_another_have_a_depth() -> None:
    one, other = entity(1, "e2"), entity(2, "e1")
    assert guardrails(Mappings(MAPPING, (one, other)), one)[3].here == 1


def test_personal_columns_out_of_reach_are_a_warning() -> None:
    loose = replace(VEHICLES, links=())
    (warning,) = warnings(Mappings(MAPPING, (loose,)), loose)
    assert warning.startswith("new_name: perhaps personal data")
    assert not list(warnings(Mappings(MAPPING, (VEHICLES,)), VEHICLES))
