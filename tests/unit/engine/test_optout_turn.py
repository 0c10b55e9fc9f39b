"""What a turn on opt-outs leaves behind: the journal's entries, what is remembered, the claim, and in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.change import Lane, Why
from shared.domain.contact import Contact, Flag, Profile
from shared.domain.ledger import Absent, Claim, LedgerRow, Present
from shared.domain.optout import Configuration, Conflict, OptOutRules, Policy, Said
from shared.errors import Reason, Uncertain
from shared.wire import decode_hint
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import BRIDGE, Known, delivery
from tests.unit.examples import KEY, MAPPING, NOW, after, contact, hint, profile

PERSON = "5c0f0000-0000-4000-8000-000000000002"


def governed(world: Known, configuration: Configuration = Configuration.BIDIRECTIONAL, policy: Policy = Policy.ADOBE):
    world.mapping = replace(MAPPING, opt_out_rules=OptOutRules(configuration, policy))


async def settle(world: Known, **of_hint: object) -> None:
    await world.engine.opt_out(delivery(replace(hint(Why.OPTOUT), **of_hint), Lane.OPTOUT))  # type: ignore[arg-type]


def reasons(lines: Lines) -> list[str]:
    return [line["reason"] for line in lines("decision")]


# -- the journal -----------------------------------------------------------------------------------------------------


async def test_an_entry_says_what_was_said_and_what_is_done(world: Known) -> None:
    world.campaign.there = profile(after(60), blackListEmail=True)
    await settle(world, origin="optouts.csv:17")
    (entry,) = world.decisions.entries
    assert (entry.contact_id, entry.attribute, entry.origin) == (KEY.id, "blackListEmail", "optouts.csv:17")
    assert (entry.dynamics_value, entry.dynamics_at, entry.campaign_value, entry.campaign_at) == (
        False,
        NOW,
        True,
        after(60),
    )
    assert (entry.configuration, entry.policy, entry.decision) == ("bidirectional", "adobe", True)
    assert (entry.effects, entry.flag) == (("dynamics:=true",), "")


@pytest.mark.parametrize(
    ("in_row", "in_profile", "changed_at", "flag"),
    [
        (True, False, after(60), Conflict.OPT_OUT_ERASED),
        (False, True, after(-60), Conflict.OPT_IN_HELD_BACK),
        (True, False, after(-60), ""),
    ],
)
async def test_what_goes_against_somebodys_word_is_flagged(
    world: Known, in_row: bool, in_profile: bool, changed_at, flag: str
) -> None:
    world.dynamics.row = contact(no_mail=in_row)
    world.campaign.there = profile(changed_at, blackListEmail=in_profile)
    await settle(world)
    assert [entry.flag for entry in world.decisions.entries] == [flag]


async def test_agreement_needs_no_entry_and_no_memory(world: Known) -> None:
    await settle(world)
    assert (world.decisions.entries, world.recollections.rows) == ([], {})


async def test_nothing_is_written_that_the_journal_does_not_hold(world: Known, lines: Lines) -> None:
    world.campaign.there = profile(after(60), blackListEmail=True)
    world.decisions.refusing = True
    await settle(world)
    assert (world.dynamics.writes, reasons(lines)) == ([], ["journal_unreachable"])


async def test_a_tombstones_opt_out_has_one_entry(world: Known) -> None:
    await world.ledger.put(LedgerRow(KEY, Absent()))
    world.dynamics.row, world.campaign.there = None, profile(blackListEmail=True)
    for _ in range(2):
        await settle(world)
    (entry,) = world.decisions.entries
    assert (entry.effects, entry.decision, entry.dynamics_value) == (("tombstone",), True, None)


# -- what is remembered ----------------------------------------------------------------------------------------------


async def test_before_a_write_to_dynamics_the_persons_time_is_kept(world: Known) -> None:
    world.campaign.there = profile(after(60), blackListEmail=True)
    await settle(world)
    past = world.recollections.rows[KEY]
    assert (past.person_at, past.based_on) == (NOW, 'W/"7"')
    assert past.left == {"no_mail": True, "no_phone": False}


async def test_the_next_decision_is_not_misled_by_our_own_write(world: Known) -> None:
    """The person opted in again in Campaign before our write of the opt-out moved the row's time."""
    world.campaign.there = profile(after(60), blackListEmail=True)
    await settle(world)
    row = contact(after(100), no_mail=True)
    world.dynamics.row = Contact(row.id, 'W/"8"', row.modified_on, row.columns, modified_by=BRIDGE)
    world.campaign.there = profile(after(80), blackListEmail=False)
    await settle(world)
    assert world.dynamics.writes == [{"no_mail": True}, {"no_mail": False}]


async def test_a_slower_worker_does_not_overwrite_what_is_remembered(world: Known, lines: Lines) -> None:
    world.campaign.there = profile(after(60), blackListEmail=True)
    stored = await world.recollections.put(await world.recollections.get(KEY))
    assert stored is not None
    fresh = world.recollections.get

    async def stale(key):
        return replace(await fresh(key), etag="v0")

    world.recollections.get = stale  # type: ignore[method-assign]
    await settle(world)
    assert (world.dynamics.writes, reasons(lines)) == ([], ["ledger_race"])


@pytest.mark.parametrize(
    "configuration", [Configuration.CAMPAIGN_TO_DYNAMICS, Configuration.DYNAMICS_TO_CAMPAIGN, Configuration.DISABLED]
)
async def test_where_no_times_decide_nothing_is_remembered(world: Known, configuration: Configuration) -> None:
    governed(world, configuration)
    world.campaign.there = profile(after(60), blackListEmail=True)
    await settle(world)
    assert world.recollections.rows == {}


async def test_an_announced_change_is_dated(world: Known) -> None:
    governed(world, policy=Policy.ATTRIBUTE_TIMESTAMPS)
    news = {"columns": frozenset({"no_mail"}), "changed_at": NOW}
    await settle(world, **news, by=BRIDGE)
    assert world.recollections.rows == {}
    for _ in range(2):
        await settle(world, **news, by=PERSON)
    past = world.recollections.rows[KEY]
    assert (past.said, past.etag) == ({"no_mail": Said(False, NOW)}, "v1")  # stored once


async def test_a_column_is_not_overwritten_while_its_announcement_may_be_under_way(world: Known, lines: Lines) -> None:
    governed(world, policy=Policy.ATTRIBUTE_TIMESTAMPS)
    world.campaign.there = profile(after(-60), blackListEmail=True)
    await settle(world)
    assert (world.dynamics.writes, reasons(lines)) == ([], ["changed_just_now"])
    world.clock.pass_(121)
    await settle(world)
    assert world.dynamics.writes == [{"no_mail": True}]
    assert world.recollections.rows[KEY].said == {"no_mail": Said(True, after(-60))}


# -- the claim -------------------------------------------------------------------------------------------------------


def opted_in(world: Known) -> None:
    """Dynamics says FALSE, Campaign TRUE, and Dynamics is right."""
    governed(world, Configuration.DYNAMICS_TO_CAMPAIGN)
    world.campaign.there = profile(after(60), blackListEmail=True)


async def test_a_false_is_written_to_campaign_under_a_claim_after_a_second_look(world: Known, lines: Lines) -> None:
    opted_in(world)
    await world.ledger.put(LedgerRow(KEY, Present("d1")))
    await settle(world)
    assert world.campaign.calls == ["profile", "profile", "flags {'blackListEmail': False}"]
    row = world.ledger.rows[KEY]
    assert (row.state, row.claim, row.check_at, row.etag) == (Present("d1"), None, None, "v3")
    assert reasons(lines) == ["written"]


async def test_another_workers_claim_is_waited_for(world: Known, lines: Lines) -> None:
    opted_in(world)
    await world.ledger.put(LedgerRow(KEY, claim=Claim("another", after(30))))
    await settle(world)
    assert world.campaign.calls == ["profile"]
    assert reasons(lines) == ["claimed"]
    assert lines("decision")[0]["again_in_s"] > 30


async def test_an_expired_claim_is_taken_over(world: Known) -> None:
    opted_in(world)
    await world.ledger.put(LedgerRow(KEY, claim=Claim("another", after(-1))))
    await settle(world)
    assert world.campaign.calls[-1] == "flags {'blackListEmail': False}"


async def test_a_lost_answer_keeps_the_claim_until_the_write_has_landed(world: Known, lines: Lines) -> None:
    opted_in(world)

    async def unanswered(handle, attributes):
        raise Uncertain(Reason.OUTCOME_UNKNOWN)

    world.campaign.write_flags = unanswered  # type: ignore[method-assign]
    await settle(world)
    row = world.ledger.rows[KEY]
    assert row.claim is not None
    assert row.claim.until == after(90)
    assert row.check_at == after(600)
    (again,) = world.in_lane(Lane.OPTOUT)
    assert again.enqueue_at is not None
    assert again.enqueue_at > after(90)
    assert decode_hint(again.body).why is Why.VERIFY
    assert reasons(lines) == ["outcome_unknown"]


async def test_a_worker_that_stalled_does_not_send(world: Known, lines: Lines) -> None:
    opted_in(world)
    read, looks = world.campaign.profile, []

    async def slow(contact_id):
        looks.append(contact_id)
        world.clock.pass_(61 if len(looks) == 2 else 0)
        return await read(contact_id)

    world.campaign.profile = slow  # type: ignore[method-assign]
    await settle(world)
    assert world.campaign.calls == ["profile", "profile"]
    assert reasons(lines) == ["out_of_time"]
    assert world.ledger.rows[KEY].claim is None


async def test_what_agrees_at_the_second_look_is_left_alone(world: Known, lines: Lines) -> None:
    opted_in(world)
    reads = [profile(after(60), blackListEmail=True), profile()]

    async def changing(contact_id):
        return reads.pop(0)

    world.campaign.profile = changing  # type: ignore[method-assign]
    await settle(world)
    assert (world.campaign.calls, reasons(lines), world.decisions.entries) == ([], ["unchanged"], [])
    assert world.ledger.rows[KEY].claim is None


async def test_our_own_opt_in_is_known_again_by_its_time(world: Known) -> None:
    governed(world, policy=Policy.ATTRIBUTE_TIMESTAMPS)
    world.campaign.there = profile(after(-60), blackListEmail=True)
    await settle(world, columns=frozenset({"no_mail"}), changed_at=NOW, by=PERSON)
    own = world.recollections.rows[KEY].opted_in["blackListEmail"]
    assert (own.said_at, own.sent_at, own.lands_by) == (NOW, NOW, NOW + timedelta(seconds=150))
    assert own.made(Flag(False, after(3)))
    assert not own.made(Flag(False, after(600)))
    assert not own.made(Flag(True, after(3)))


async def test_a_profile_without_the_attribute_is_left_alone(world: Known) -> None:
    world.campaign.there = Profile("@handle", {}, {})
    world.dynamics.row = contact(no_mail=True)
    await settle(world)
    assert world.campaign.calls == ["profile"]
