"""The ledger's own clock: due checks become verify hints, ended privacy requests too."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.change import Lane, Source, Why
from shared.domain.ledger import Absent, LedgerRow, PrivacyRequest, Progress, Unknown
from shared.domain.optout_file import FilePolicy
from shared.engine import checks
from shared.engine.timers import Timers
from shared.errors import Reason, Retry
from shared.ports import BusUnavailableError
from shared.wire import decode_hint
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known
from tests.unit.examples import KEY, NOW, after

PENDING = PrivacyRequest("d365-del-x-0", NOW)


async def stored(world: Known, **row: Any) -> None:
    assert await world.ledger.put(LedgerRow(KEY, **row)) is not None


def verifies(world: Known) -> list[tuple[Why, Source, int]]:
    hints = [decode_hint(message.body) for message in world.in_lane(Lane.CONTACT_UPSERT)]
    assert all(hint.record == KEY for hint in hints)
    return [(hint.why, hint.source, hint.attempt) for hint in hints]


VERIFY = (Why.VERIFY, Source.CHECK, 0)


async def test_rule_m1_a_due_check_gives_one_hint_and_is_set_anew(world: Known) -> None:
    await stored(world, check_at=NOW)
    assert await checks.verify_due(world.ports) == 1
    assert await checks.verify_due(world.ports) == 0
    assert verifies(world) == [VERIFY]
    assert world.ledger.rows[KEY].check_at == after(600)


async def test_rule_m1_a_check_whose_hint_was_lost_comes_again(world: Known) -> None:
    await stored(world, check_at=NOW)
    world.bus.refusing = True
    with pytest.raises(BusUnavailableError):
        await checks.verify_due(world.ports)
    world.bus.refusing = False
    world.clock.pass_(600)
    assert await checks.verify_due(world.ports) == 1


@pytest.mark.parametrize("check_at", [None, after(1)])
async def test_rule_m1_what_is_not_due_is_left_alone(world: Known, check_at: object) -> None:
    await stored(world, check_at=check_at)
    assert await checks.verify_due(world.ports) == 0
    assert world.everything_sent() == []


async def test_rule_d2_a_request_that_ended_gives_a_verify_hint(world: Known) -> None:
    await stored(world, state=Absent(), pending=PENDING, witness=True)
    world.campaign.progress = Progress.ENDED
    assert await checks.follow_privacy_requests(world.ports) == 1
    assert verifies(world) == [VERIFY]
    row = world.ledger.rows[KEY]
    assert (row.state, row.pending, row.generation, row.witness) == (Unknown(), None, 1, True)
    assert row.check_at == after(600)
    assert world.campaign.calls == ["progress"]


@pytest.mark.parametrize("progress", [Progress.RUNNING, Progress.NOT_FOUND])
async def test_rule_d2_a_request_that_may_still_run_is_left_alone(world: Known, progress: Progress) -> None:
    await stored(world, state=Absent(), pending=PENDING)
    world.campaign.progress = progress
    assert await checks.follow_privacy_requests(world.ports) == 0
    assert world.ledger.rows[KEY].pending == PENDING


async def test_rule_d2_a_request_that_never_came_is_given_up_after_its_bound(world: Known) -> None:
    await stored(world, state=Absent(), pending=PENDING)
    world.campaign.progress = Progress.NOT_FOUND
    world.clock.pass_(91)
    assert await checks.follow_privacy_requests(world.ports) == 1
    assert world.ledger.rows[KEY].generation == 0


async def test_the_timer_tells_what_it_did(world: Known, lines: Lines) -> None:
    await stored(world, check_at=NOW, pending=PENDING)
    await Timers(world.ports, files=FilePolicy(), seals=world.seals, event_limit=1).ledger_checks()
    assert lines("counted") == [{"what": "ledger_checks", "verified": 1, "privacy_ended": 0}]


async def test_the_timer_ends_early_when_campaign_is_away(world: Known, lines: Lines) -> None:
    await stored(world, pending=PENDING)
    world.campaign.failure = Retry(Reason.CAMPAIGN_UNREACHABLE)
    await Timers(world.ports, files=FilePolicy(), seals=world.seals, event_limit=1).ledger_checks()
    assert lines("counted") == [{"what": "ledger_checks_cut_short", "reason": "campaign_unreachable"}]


async def test_the_event_timer_tells_what_it_did(world: Known, lines: Lines) -> None:
    await Timers(world.ports, files=FilePolicy(), seals=world.seals, event_limit=1).event_egress()
    assert lines("counted") == [{"what": "event_egress", "facts": 0, "skipped": 0, "unreadable": 0, "at_end": True}]
