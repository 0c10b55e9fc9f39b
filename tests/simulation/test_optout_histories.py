"""Twenty thousand histories of one opt-out: none is lost, nothing goes on for ever, old messages change nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from random import Random

import pytest

from shared.domain.contact import Contact, Flag
from shared.domain.mapping import OptOutPair
from shared.domain.optout import Configuration, OptOutRules, Policy, Said
from shared.domain.recollection import Recollection
from shared.engine import optouts
from shared.flows import optout
from tests.simulation import optout_world
from tests.simulation.optout_histories import EVERY_RULE, failed, history, violations
from tests.simulation.optout_world import DynamicsSide, Side, World

BLOCKS, HISTORIES = 8, 2_500
ADOBE, ATTRIBUTE = EVERY_RULE.index(OptOutRules()), EVERY_RULE.index(OptOutRules(policy=Policy.ATTRIBUTE_TIMESTAMPS))


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_history_loses_an_opt_out(block: int) -> None:
    seeds = range(block * HISTORIES, (block + 1) * HISTORIES)
    assert not [line for seed in seeds if (line := failed(seed))]


@pytest.mark.parametrize("place", range(len(EVERY_RULE)))
def test_the_histories_meet_what_they_are_about(place: int) -> None:
    """Else they would prove little: writes to the sides that the rules may write, and faults."""
    rules = EVERY_RULE[place]
    worlds = [history(seed) for seed in range(place, 1_000, len(EVERY_RULE))]
    written = {write for world in worlds for write in world.writes}
    expected = set[tuple[Side, bool]]()
    if rules.configuration is not Configuration.CAMPAIGN_TO_DYNAMICS:
        expected |= {(Side.CAMPAIGN, True), (Side.CAMPAIGN, not rules.may_opt_in_campaign)}
    if rules.configuration is not Configuration.DYNAMICS_TO_CAMPAIGN:
        expected |= {(Side.DYNAMICS, True), (Side.DYNAMICS, rules.policy is Policy.LEAST_PERMISSIVE)}
    assert written == expected
    assert sum(world.faults for world in worlds) > 20
    assert all(not violations(world) for world in worlds[:10])


# -- each safeguard is needed: without it a history goes wrong ---------------------------------------------------------

Safeguard = Callable[[pytest.MonkeyPatch], None]


def own_writes_to_dynamics_count(patch: pytest.MonkeyPatch) -> None:
    def changed_at(past: Recollection, contact: Contact, *, by_us: bool) -> datetime:
        return contact.modified_on

    patch.setattr(optout, "changed_at", changed_at)
    patch.setattr(optouts, "changed_at", changed_at)


def own_writes_to_campaign_count(patch: pytest.MonkeyPatch) -> None:
    def campaign_said(past: Recollection, pair: OptOutPair, flag: Flag) -> Said:
        return Said(flag.value, flag.changed_at)

    patch.setattr(optout, "campaign_said", campaign_said)


def own_announcements_count(patch: pytest.MonkeyPatch) -> None:
    async def own_user(self: DynamicsSide) -> str:
        return "somebody else"

    patch.setattr(DynamicsSide, "own_user", own_user)


def any_version_is_overwritten(patch: pytest.MonkeyPatch) -> None:
    conditional = DynamicsSide.write_opt_outs

    async def write(self: DynamicsSide, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        await optout_world.step(0.1)
        return await conditional(self, contact_id, columns, str(self.world.version))

    patch.setattr(DynamicsSide, "write_opt_outs", write)


def announcements_on_their_way_are_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(optout, "too_early", lambda *_: False)


def every_announcement_dates_the_row_as_it_is(patch: pytest.MonkeyPatch) -> None:
    def heard(past: Recollection, pairs: Iterable[OptOutPair], contact: Contact, at: datetime) -> Recollection:
        return dataclasses.replace(past, said={pair.column: Said(pair.opted_out(contact), at) for pair in pairs})

    patch.setattr(optouts, "heard", heard)


def fractions_of_seconds_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Said, "second", property(lambda said: said.at))


@pytest.mark.parametrize(
    ("remove", "rule"),
    [
        (own_writes_to_dynamics_count, ADOBE),
        (any_version_is_overwritten, ADOBE),
        (fractions_of_seconds_count, ATTRIBUTE),
        (own_writes_to_campaign_count, ATTRIBUTE),
        (own_announcements_count, ATTRIBUTE),
        (announcements_on_their_way_are_not_waited_for, ATTRIBUTE),
        (every_announcement_dates_the_row_as_it_is, ATTRIBUTE),
    ],
)
def test_without_a_safeguard_some_history_goes_wrong(
    monkeypatch: pytest.MonkeyPatch, remove: Safeguard, rule: int
) -> None:
    remove(monkeypatch)
    assert any(failed(seed) for seed in range(rule, 20_000, len(EVERY_RULE)))


# -- what nobody can see ---------------------------------------------------------------------------------------------


def opted_out_again(steps: int) -> World:
    """Dynamics says FALSE, which goes to Campaign; after so many steps a person opts in there, and out again."""
    world = World(EVERY_RULE[ATTRIBUTE], Random(1), initially=True)
    world.speak(Side.DYNAMICS, False, [0.0])
    world.wait(2)
    world.deliver()
    for _ in range(steps):
        world.wait(0.1)
        world.advance()
    world.speak(Side.CAMPAIGN, False, [])
    world.speak(Side.CAMPAIGN, True, [0.0])
    world.rest()
    return world


def test_only_an_opt_out_between_our_look_and_our_opt_in_is_not_seen() -> None:
    """Campaign has no conditional writes; docs/guarantees.md names this limit."""
    worlds = [opted_out_again(steps) for steps in range(40)]
    assert {(world.stop, world.flag.value) for world in worlds if not world.unseen} == {(True, True)}
    assert 0 < sum(bool(world.unseen) for world in worlds) < 10


def test_rows_of_old_files_at_the_same_moment_cost_a_write_each_at_most() -> None:
    """All of them see the opt-out that nobody announced, and none the others' writes."""
    world = World(OptOutRules(), Random(7), False)
    for _ in range(7):
        world.stale_file()
    world.speak(Side.DYNAMICS, True, [])
    world.rest()
    assert violations(world) == []
    assert world.writes == [(Side.CAMPAIGN, True)] * 7
