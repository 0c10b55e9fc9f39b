"""One message in, one outcome out: completed, retried with patience, parked with its bytes, or halted for all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.domain.change import Lane, Source, Why
from shared.domain.mapping import Mapping
from shared.errors import Drop, Halt, Outcome, Park, Reason, Retry, RetryAsVerify, Uncertain
from shared.wire import decode_hint, encode
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known, delivery
from tests.unit.examples import ID, NOW, after, chunk, fact, hint

UPSERT, PARKED = Lane.CONTACT_UPSERT, Lane.PARKED
BUSY = Retry(Reason.CAMPAIGN_BUSY)


async def settle(world: Known, failure: Exception | None, attempt: int = 0, count: int = 1) -> None:
    """One upsert hint, while Dynamics answers like this."""
    world.dynamics.failure = failure
    await world.engine.record(delivery(hint(attempt=attempt, created=True), UPSERT, count))


async def test_a_message_that_is_done_is_completed_and_leaves_nothing(world: Known, lines: Lines) -> None:
    world.campaign.there = None
    await settle(world, None)
    assert world.campaign.calls == ["create"]
    assert world.everything_sent() == []
    (line,) = lines("decision")
    assert line == {
        "lane": "contact-upsert",
        "record": f"contact/{ID}",
        "message": "h1",
        "why": "upsert",
        "reason": "written",
        "lag_s": 0.0,
        "mapping": "m1",
    }


async def test_what_is_dropped_is_completed_and_told(world: Known, lines: Lines) -> None:
    await settle(world, Drop(Reason.TOO_OLD, "event-1"))
    assert world.everything_sent() == []
    assert [(line["reason"], line["detail"]) for line in lines("decision")] == [("too_old", "event-1")]


async def test_a_retry_schedules_a_copy_under_an_id_of_its_own(world: Known, lines: Lines) -> None:
    """Rule M3: a stalled worker and the redelivered message ask for the same copy; the broker keeps one."""
    for _ in range(2):
        await settle(world, Retry(Reason.CAMPAIGN_BUSY, "gateway", after_s=30))
    (copy,) = world.in_lane(UPSERT)
    assert (copy.message_id, copy.enqueue_at) == ("h1:1", after(30))
    assert decode_hint(copy.body) == hint(attempt=1, created=True)
    line = lines("decision")[0]
    assert (line["reason"], line["detail"], line["again_in_s"]) == ("campaign_busy", "gateway", 30.0)


@pytest.mark.parametrize(
    ("attempt", "least_s", "most_s"),
    [(0, 2.5, 7.5), (1, 5, 15), (3, 20, 60), (7, 320, 960), (8, 450, 1350), (50, 450, 1350), (10_000, 450, 1350)],
)
async def test_without_a_time_the_wait_doubles_up_to_a_quarter_of_an_hour(
    world: Known, attempt: int, least_s: float, most_s: float
) -> None:
    world.dynamics.failure = BUSY
    await world.engine.record(delivery(hint(attempt=attempt, first_seen=after(-3600)), UPSERT))
    (copy,) = world.in_lane(UPSERT)
    assert copy.enqueue_at is not None
    assert least_s <= (copy.enqueue_at - NOW).total_seconds() <= most_s


@pytest.mark.parametrize(
    ("lane", "age_s", "least_s", "most_s"),
    [
        pytest.param(UPSERT, 0, 3, 3, id="just as asked"),
        pytest.param(UPSERT, 16, 3, 3, id="an eighth of its age is less"),
        pytest.param(UPSERT, 800, 50, 150, id="an eighth of its age"),
        pytest.param(UPSERT, 80_000, 450, 1350, id="the longest"),
        pytest.param(Lane.CONTACT_DELETE, 80_000, 60, 180, id="the longest of an urgent one"),
    ],
)
async def test_a_closed_system_is_not_asked_by_everybody_at_once(
    world: Known, lane: Lane, age_s: float, least_s: float, most_s: float
) -> None:
    world.dynamics.failure = Retry(Reason.DYNAMICS_BUSY, after_s=3)
    await world.engine.record(delivery(hint(first_seen=after(-age_s)), lane))
    (copy,) = world.in_lane(lane)
    assert copy.enqueue_at is not None
    assert least_s <= (copy.enqueue_at - NOW).total_seconds() <= most_s


async def test_waits_of_many_messages_are_spread() -> None:
    waits = set()
    for seed in range(20):
        world = Known()
        world.ports.random.seed(seed)
        await settle(world, BUSY)
        waits.add(world.in_lane(UPSERT)[0].enqueue_at)
    assert len(waits) == 20


async def test_a_retry_of_no_wait_is_sent_at_once(world: Known) -> None:
    await settle(world, Retry(Reason.LEDGER_RACE, after_s=0))
    assert [copy.enqueue_at for copy in world.in_lane(UPSERT)] == [None]


async def test_after_a_write_of_unknown_outcome_the_copy_trusts_nothing(world: Known) -> None:
    await settle(world, RetryAsVerify(Reason.OUTCOME_UNKNOWN, after_s=90))
    (copy,) = world.in_lane(UPSERT)
    again = decode_hint(copy.body)
    assert (again.why, again.source, again.attempt, again.record) == (Why.VERIFY, Source.FLOW, 1, hint().record)
    assert copy.message_id == "h1:1"


async def test_an_uncertain_write_outside_the_protocol_is_retried_like_any_other(world: Known) -> None:
    """The opt-out lane repeats harmlessly: it needs no verify."""
    world.dynamics.failure = Uncertain(Reason.OUTCOME_UNKNOWN)
    await world.engine.opt_out(delivery(hint(Why.OPTOUT), Lane.OPTOUT))
    (copy,) = world.in_lane(Lane.OPTOUT)
    assert decode_hint(copy.body).why is Why.OPTOUT


async def test_a_retry_stays_in_its_lane_whatever_it_has_become(world: Known) -> None:
    world.dynamics.failure = RetryAsVerify(Reason.OUTCOME_UNKNOWN, after_s=1)
    await world.engine.record(delivery(hint(Why.DELETE), Lane.CONTACT_DELETE))
    assert [lane for lane, _ in world.everything_sent()] == [Lane.CONTACT_DELETE]


async def test_patience_ends_and_the_last_bytes_are_parked(world: Known, lines: Lines) -> None:
    world.clock.pass_(timedelta(days=7).total_seconds() + 1)
    given = delivery(hint(attempt=9), UPSERT)
    world.dynamics.failure = BUSY
    await world.engine.record(given)
    (letter,) = world.in_lane(PARKED)
    assert world.in_lane(UPSERT) == []
    assert (letter.body, letter.message_id) == (given.body, "parked/h1:9")
    assert letter.properties == {"reason": "gave_up", "lane": "contact-upsert", "detail": "campaign_busy"}
    assert lines("decision")[0]["parked"] is True


async def test_patience_lasts_to_its_end(world: Known) -> None:
    world.clock.pass_(timedelta(days=7).total_seconds())
    await settle(world, BUSY)
    assert world.in_lane(PARKED) == []


async def test_a_replay_has_all_its_patience_again(world: Known) -> None:
    """Otherwise a message that gave up would be parked again at its first retry."""
    world.clock.pass_(timedelta(days=30).total_seconds())
    world.dynamics.failure = BUSY
    await world.engine.record(delivery(hint(attempt=9), UPSERT, replayed=True))
    assert world.in_lane(PARKED) == []
    (copy,) = world.in_lane(UPSERT)
    assert decode_hint(copy.body) == hint(attempt=10, first_seen=world.clock.now())


async def test_what_a_person_must_see_is_parked_as_it_came(world: Known, lines: Lines) -> None:
    given = delivery(b" \n" + encode(hint()), UPSERT)  # readable, but not as we would write it
    world.dynamics.failure = Park(Reason.REFUSED_VALUE, "gender")
    await world.engine.record(given)
    (letter,) = world.in_lane(PARKED)
    assert letter.body == given.body
    assert letter.properties == {"reason": "refused_value", "lane": "contact-upsert", "detail": "gender"}
    assert letter.enqueue_at is None
    assert (lines("decision")[0]["reason"], lines("decision")[0]["parked"]) == ("refused_value", True)


async def test_a_parked_letters_marks_stay_small(world: Known) -> None:
    """The broker limits a message's properties and its id; the bytes are kept whole."""
    world.dynamics.failure = Park(Reason.CAMPAIGN_REFUSED, "x" * 5000)
    await world.engine.record(delivery(hint(), UPSERT))
    (letter,) = world.in_lane(PARKED)
    assert len(str(letter.properties["detail"])) == 500


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b"nonsense", encode(chunk(fact()))])
async def test_what_is_no_hint_is_parked_byte_by_byte(world: Known, lines: Lines, body: bytes) -> None:
    await world.engine.record(delivery(body, UPSERT))
    (letter,) = world.in_lane(PARKED)
    assert (letter.body, letter.message_id) == (body, "parked/m1")
    assert (letter.properties["reason"], letter.properties["lane"]) == ("malformed", "contact-upsert")
    assert "record" not in lines("decision")[0]
    assert world.dynamics.reads == 0


@pytest.mark.parametrize("body", [b"nonsense", encode(hint())])
async def test_what_is_no_chunk_of_facts_is_parked(world: Known, body: bytes) -> None:
    await world.engine.timeline(delivery(body, Lane.TIMELINE))
    (letter,) = world.in_lane(PARKED)
    assert (letter.body, letter.properties["lane"]) == (body, "timeline")


async def test_a_halt_raises_one_alarm_and_keeps_the_lanes_messages_waiting(world: Known, lines: Lines) -> None:
    halt = Halt(Reason.CAMPAIGN_CREDENTIALS, "invalid_client")
    await settle(world, halt)
    reads = world.dynamics.reads
    await settle(world, None, attempt=5)
    assert world.dynamics.reads == reads  # the gate is closed: nobody was asked
    assert [line["reason"] for line in lines("decision")] == ["campaign_credentials", "campaign_credentials"]
    assert [(line["where"], line["reason"]) for line in lines("alarm")] == [("contact-upsert", "campaign_credentials")]
    waits = [(copy.enqueue_at - NOW).total_seconds() for copy in world.in_lane(UPSERT) if copy.enqueue_at]
    assert all(60 <= wait <= 120 for wait in waits)
    assert len(waits) == 2


async def test_the_gate_opens_for_a_try_and_closes_again_without_a_second_alarm(world: Known, lines: Lines) -> None:
    halt = Halt(Reason.CAMPAIGN_CREDENTIALS)
    await settle(world, halt)
    world.clock.pass_(61)
    reads = world.dynamics.reads
    await settle(world, halt, attempt=1)
    assert world.dynamics.reads == reads + 1
    assert len(lines("alarm")) == 1


async def test_after_a_success_the_next_halt_is_news(world: Known, lines: Lines) -> None:
    halt = Halt(Reason.CAMPAIGN_CREDENTIALS)
    for failure in (halt, None, halt):
        await settle(world, failure)
        world.clock.pass_(61)
    assert len(lines("alarm")) == 2


async def test_other_lanes_try_for_themselves(world: Known, lines: Lines) -> None:
    await settle(world, Halt(Reason.DYNAMICS_MISCONFIGURED))
    world.dynamics.failure = None
    await world.engine.opt_out(delivery(hint(Why.OPTOUT), Lane.OPTOUT))
    assert [line["reason"] for line in lines("decision")] == ["dynamics_misconfigured", "unchanged"]


async def test_what_was_halted_for_too_long_is_parked_not_lost(world: Known) -> None:
    world.clock.pass_(timedelta(days=8).total_seconds())
    await settle(world, Halt(Reason.CAMPAIGN_CREDENTIALS))
    assert [letter.properties["detail"] for letter in world.in_lane(PARKED)] == ["campaign_credentials"]


@pytest.mark.parametrize("failure", [ValueError("bug"), RuntimeError("bug"), KeyError("bug"), Outcome(Reason.WRITTEN)])
async def test_what_the_bridge_does_not_expect_is_left_to_the_broker(world: Known, failure: Exception) -> None:
    with pytest.raises(type(failure)):
        await settle(world, failure)
    assert world.everything_sent() == []


async def test_a_retry_that_the_broker_does_not_take_fails_the_delivery(world: Known) -> None:
    """The message is then neither completed nor doubled: the broker delivers it again."""
    world.bus.refusing = True
    with pytest.raises(Exception, match="does not answer"):
        await settle(world, BUSY)


async def test_a_decision_names_the_mapping_that_it_followed(world: Known, lines: Lines) -> None:
    await settle(world, None)
    world.mapping = Mapping("m2", "contact", world.mapping.field_rows, (), world.mapping.privacy)
    await settle(world, None)
    assert [line["mapping"] for line in lines("decision")] == ["m1", "m2"]


async def test_the_lag_is_the_time_since_the_change_was_first_seen(world: Known, lines: Lines) -> None:
    world.clock.pass_(12.3456)
    await settle(world, None)
    assert lines("decision")[0]["lag_s"] == 12.346
