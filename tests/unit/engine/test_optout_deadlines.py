"""The watch on deadlines: what waits too long and is not in both systems raises an alarm; what is settled does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from shared.domain.change import RecordKey, Why
from shared.domain.mapping import Mapping, OptOutPair
from shared.domain.optout import Configuration, OptOutRules
from shared.engine import optout_deadlines
from shared.engine.optout_timers import OptOutTimers
from shared.errors import Reason, Retry
from shared.ports import BusUnavailableError
from shared.wire import encode
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known
from tests.unit.examples import KEY, MAPPING, after, contact, hint, profile

DAY = 86_400
RULES = OptOutRules(regulations={"can_spam": 10, "ccpa": 15})


@pytest.fixture
def world(world: Known) -> Known:
    """Dynamics says no mail, Campaign does not know it yet."""
    world.mapping = replace(MAPPING, opt_out_rules=RULES)
    world.dynamics.row = contact(no_mail=True)
    return world


def waits(world: Known, days: float, **of_hint: object) -> None:
    told = replace(hint(Why.OPTOUT, first_seen=after(-days * DAY)), **of_hint)  # type: ignore[arg-type]
    world.waiting.messages.append(encode(told))


async def watch(world: Known) -> None:
    await OptOutTimers(world.ports, polls=False).deadlines()


def alarms(lines: Lines) -> list[str]:
    assert {line["reason"] for line in lines("alarm")} <= {"opt_out_overdue"}
    return [line["detail"] for line in lines("alarm")]


async def test_an_opt_out_that_waits_for_too_long_raises_an_alarm(world: Known, lines: Lines) -> None:
    waits(world, 10)
    await watch(world)
    assert alarms(lines) == [f"{KEY}: blackListEmail is not in Campaign after 10 days (can_spam)"]
    assert lines("counted") == [{"what": "optout_deadlines", "waiting": 1, "overdue": 1, "unseen": 0}]


async def test_one_that_has_time_left_raises_none_and_costs_no_call(world: Known, lines: Lines) -> None:
    waits(world, 9.9)
    await watch(world)
    assert (alarms(lines), world.campaign.calls) == ([], [])


async def test_the_hint_that_waited_longest_counts(world: Known, lines: Lines) -> None:
    waits(world, 1)
    waits(world, 11)
    waits(world, 2)
    await watch(world)
    assert len(alarms(lines)) == 1
    assert world.campaign.calls == ["profile"]


async def test_replaying_a_message_does_not_set_the_time_back(world: Known, lines: Lines) -> None:
    waits(world, 0, changed_at=after(-11 * DAY))
    await watch(world)
    assert len(alarms(lines)) == 1


async def test_what_is_in_both_systems_is_no_matter(world: Known, lines: Lines) -> None:
    waits(world, 11)
    world.campaign.there = profile(blackListEmail=True)
    await watch(world)
    assert alarms(lines) == []


async def test_an_opt_in_that_waits_is_no_matter(world: Known, lines: Lines) -> None:
    waits(world, 11)
    world.campaign.there = profile(after(60), blackListEmail=False)  # Campaign is newer: it will be FALSE
    await watch(world)
    assert alarms(lines) == []


async def test_a_pair_is_under_its_own_regulation(world: Known, lines: Lines) -> None:
    pairs = (OptOutPair("no_mail", "blackListEmail", regulation="ccpa"), MAPPING.opt_outs[1])
    world.mapping = replace(MAPPING, opt_outs=pairs, opt_out_rules=RULES)
    waits(world, 11)
    await watch(world)
    assert alarms(lines) == []
    world.clock.pass_(4 * DAY)
    await watch(world)
    assert alarms(lines) == [f"{KEY}: blackListEmail is not in Campaign after 15 days (ccpa)"]


@pytest.mark.parametrize(("since", "late"), [(after(-16 * DAY), 1), (after(-12 * DAY), 0)])
async def test_an_unsubscription_counts_from_campaigns_own_time(
    world: Known, since: datetime, late: int, lines: Lines
) -> None:
    pair = OptOutPair("no_mail", "blackListEmail", regulation="ccpa")
    world.mapping = replace(MAPPING, opt_outs=(pair, MAPPING.opt_outs[1]), opt_out_rules=RULES)
    world.dynamics.row = contact(after(-20 * DAY))
    world.campaign.there = profile(since, blackListEmail=True)
    waits(world, 11)
    await watch(world)
    assert len(alarms(lines)) == late


async def test_what_cannot_be_looked_at_counts_as_late(world: Known, lines: Lines) -> None:
    waits(world, 11)
    world.campaign.failure = Retry(Reason.CAMPAIGN_UNREACHABLE)
    await watch(world)
    assert alarms(lines) == [f"{KEY}: waits since 2026-02-21 and cannot be looked at (campaign_unreachable)"]


async def test_a_contact_without_a_profile_gets_no_mail(world: Known, lines: Lines) -> None:
    waits(world, 11)
    world.campaign.there = None
    await watch(world)
    assert alarms(lines) == []


async def test_many_are_told_as_a_number(world: Known, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optout_deadlines, "MOST_TOLD", 2)
    monkeypatch.setattr(optout_deadlines, "MOST_LOOKED_AT", 3)
    for number in range(5):
        waits(world, 11, record=RecordKey("contact", f"00000000-0000-4000-8000-{number:012}"))
    world.waiting.messages.append(b"not a hint")
    await watch(world)
    assert len(alarms(lines)) == 3
    assert alarms(lines)[-1] == "and 3 more contacts"
    assert lines("counted") == [{"what": "optout_deadlines", "waiting": 6, "overdue": 3, "unseen": 2}]


@pytest.mark.parametrize(
    "mapping",
    [
        MAPPING,
        replace(MAPPING, opt_outs=(), opt_out_rules=RULES),
        replace(MAPPING, opt_out_rules=replace(RULES, configuration=Configuration.DISABLED)),
    ],
    ids=["no regulations", "no pairs", "disabled"],
)
async def test_where_there_is_no_deadline_nobody_watches(world: Known, lines: Lines, mapping: Mapping) -> None:
    world.mapping = mapping
    waits(world, 100)
    world.campaign.failure = Retry(Reason.CAMPAIGN_BUSY)
    await watch(world)
    assert (alarms(lines), world.campaign.calls) == ([], [])
    assert lines("counted") == [{"what": "optout_deadlines", "waiting": 0, "overdue": 0, "unseen": 0}]


async def test_a_broker_that_does_not_answer_cuts_the_run_short(world: Known, lines: Lines) -> None:
    world.waiting.failure = BusUnavailableError("optout: TimeoutError")
    await watch(world)
    assert lines("counted") == [{"what": "optout_deadlines_cut_short", "reason": "optout: TimeoutError"}]
