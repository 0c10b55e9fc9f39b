"""The opt-out lane: both sides read, the rule applied, the differences written, conflicts tried again."""

from __future__ import annotations

import pytest

from shared.domain.change import Lane, Why
from shared.domain.ledger import Absent, LedgerRow
from shared.domain.mapping import Mapping
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known, delivery
from tests.unit.examples import KEY, MAPPING, after, contact, hint, profile


async def settle(world: Known) -> None:
    await world.engine.opt_out(delivery(hint(Why.OPTOUT), Lane.OPTOUT))


def reasons(lines: Lines) -> list[str]:
    return [line["reason"] for line in lines("decision")]


async def test_sides_that_agree_cost_no_write(world: Known, lines: Lines) -> None:
    await settle(world)
    assert (world.dynamics.writes, world.campaign.calls, reasons(lines)) == ([], ["profile"], ["unchanged"])


async def test_an_opt_out_in_dynamics_goes_to_campaign(world: Known, lines: Lines) -> None:
    world.dynamics.row = contact(no_mail=True)
    await settle(world)
    assert world.campaign.calls == ["profile", "flags {'blackListEmail': True}"]
    assert reasons(lines) == ["written"]


async def test_a_newer_word_of_campaign_goes_to_dynamics(world: Known) -> None:
    world.campaign.there = profile(after(60), blackListEmail=True)
    await settle(world)
    assert world.dynamics.writes == [{"no_mail": True}]


async def test_a_row_that_changed_meanwhile_is_looked_at_again_from_the_start(world: Known, lines: Lines) -> None:
    world.campaign.there = profile(after(60), blackListEmail=True)
    world.dynamics.conflicts = 2
    await settle(world)
    assert world.dynamics.reads == 3
    assert reasons(lines) == ["written"]


@pytest.mark.parametrize("cause", ["row", "profile"])
async def test_what_keeps_changing_is_left_alone_for_a_while(world: Known, cause: str, lines: Lines) -> None:
    world.dynamics.row = contact(no_mail=True)
    world.campaign.vanishes = cause == "profile"
    if cause == "row":
        world.campaign.there = profile(after(60))
        world.dynamics.conflicts = 3
    await settle(world)
    assert reasons(lines) == ["row_changed"]
    assert len(world.in_lane(Lane.OPTOUT)) == 1


async def test_without_a_profile_its_creation_will_carry_it(world: Known, lines: Lines) -> None:
    world.campaign.there = None
    await settle(world)
    assert reasons(lines) == ["no_profile"]


async def test_without_pairs_nobody_is_asked(world: Known, lines: Lines) -> None:
    world.mapping = Mapping("m2", "contact", MAPPING.field_rows, (), MAPPING.privacy)
    await settle(world)
    assert (world.campaign.calls, world.dynamics.reads, reasons(lines)) == ([], 0, ["opt_outs_disabled"])


async def test_a_deleted_contacts_opt_outs_go_into_its_tombstone(world: Known, lines: Lines) -> None:
    await world.ledger.put(LedgerRow(KEY, Absent(), flags=frozenset({"blackListFax"})))
    world.dynamics.row, world.campaign.there = None, profile(blackListEmail=True)
    for _ in range(2):
        await settle(world)
    row = world.ledger.rows[KEY]
    assert row.flags == {"blackListFax", "blackListEmail"}
    assert (row.state, row.etag) == (Absent(), "v2")  # written once
    assert reasons(lines) == ["flags_remembered", "flags_remembered"]


async def test_a_deleted_contact_without_opt_outs_is_done(world: Known, lines: Lines) -> None:
    world.dynamics.row = None
    await settle(world)
    assert reasons(lines) == ["already_gone"]
    assert world.ledger.rows == {}
