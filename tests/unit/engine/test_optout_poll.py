"""The poll: what changed in Campaign and differs from Dynamics becomes a hint, once, and no gap is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.change import Lane, Source, Why
from shared.domain.contact import Flag
from shared.domain.optout import Configuration, OptOutRules
from shared.engine.optout_timers import OptOutTimers
from shared.errors import Halt, Reason, Retry
from shared.ports.optouts import ChangedProfile
from shared.wire import decode_hint
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known
from tests.unit.examples import ID, MAPPING, NOW, after

MARK = "optout-poll"


def changed(value: bool, at=NOW, contact_id: str = ID) -> ChangedProfile:
    return ChangedProfile(contact_id, at, {"blackListEmail": Flag(value, at)})


async def poll(world: Known, *, polls: bool = True) -> None:
    await OptOutTimers(world.ports, polls=polls).poll()


async def test_what_differs_is_hinted_and_what_agrees_is_not(world: Known, lines: Lines) -> None:
    stranger = "00000000-0000-4000-8000-00000000beef"
    world.changes.pages = [[changed(True, contact_id=ID.upper()), changed(True, contact_id=stranger)], [changed(False)]]
    world.changes.pages[1].append(changed(True, contact_id="no contact's id"))
    await poll(world)
    (message,) = world.in_lane(Lane.OPTOUT)
    hint = decode_hint(message.body)
    assert (hint.record.id, hint.why, hint.source) == (ID, Why.OPTOUT, Source.POLL)
    assert lines("counted") == [{"what": "optout_poll", "profiles": 4, "hints": 1}]


async def test_the_next_run_begins_a_little_before_the_newest_change(world: Known) -> None:
    world.changes.pages = [[changed(True, after(-10))], [changed(True, after(-600))]]
    await poll(world)
    await poll(world)
    assert world.changes.asked == [NOW - timedelta(days=1), after(-310)]
    assert len(world.in_lane(Lane.OPTOUT)) == 2  # the second run's are duplicates


async def test_a_new_change_of_the_same_profile_is_no_duplicate(world: Known) -> None:
    for at in (NOW, after(60)):
        world.changes.pages = [[changed(True, at)]]
        await poll(world)
    assert len(world.in_lane(Lane.OPTOUT)) == 2


@pytest.mark.parametrize("failure", [Retry(Reason.CAMPAIGN_BUSY), Halt(Reason.CAMPAIGN_MISCONFIGURED)])
async def test_a_run_that_breaks_off_begins_anew(world: Known, failure: Exception, lines: Lines) -> None:
    world.changes.pages, world.changes.failure = [[changed(True)]], failure
    await poll(world)
    assert world.watermarks.values == {}
    assert len(world.in_lane(Lane.OPTOUT)) == 1
    assert lines("counted")[0]["what"] == "optout_poll_cut_short"
    assert len(lines("alarm")) == isinstance(failure, Halt)


async def test_hints_that_are_not_durable_leave_no_mark(world: Known, lines: Lines) -> None:
    world.changes.pages, world.bus.refusing = [[changed(True)]], True
    await poll(world)
    assert world.watermarks.values == {}
    assert lines("counted")[0]["what"] == "optout_poll_cut_short"


async def test_nothing_new_moves_no_mark(world: Known) -> None:
    await poll(world)
    assert world.watermarks.values == {}


async def test_it_is_off_unless_it_is_asked_for_and_of_use(world: Known) -> None:
    await poll(world, polls=False)
    world.mapping = replace(MAPPING, opt_out_rules=OptOutRules(Configuration.DYNAMICS_TO_CAMPAIGN))
    await poll(world)
    world.mapping = replace(MAPPING, opt_outs=())
    await poll(world)
    assert world.changes.asked == []
