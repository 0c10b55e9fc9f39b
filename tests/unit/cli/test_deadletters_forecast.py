"""What a replay of each letter would lead to, told without a write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cli.deadletters.forecast import Forecast, Forecaster
from shared.domain.change import Hint, Lane, RecordKey, Source, Why
from shared.domain.contact import Profile
from shared.domain.conversion import Target, TargetType, Types
from shared.domain.fact import EmailEvent, Fact, FactChunk
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, Unknown
from shared.domain.resync import PageOrder
from shared.domain.timeline import TimelineRules
from shared.errors import Halt, Reason, Retry
from shared.stores.letter import DeadLetter
from shared.wire import encode
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import (
    CONTACT_ID,
    KEY,
    MAPPING,
    NOW,
    VEHICLE,
    VEHICLES,
    VISIT,
    VISITS,
    a_contact,
    a_letter,
    a_profile,
    a_vehicle,
    a_visit,
)

DIGEST = MAPPING.desired(a_contact()).digest
PARKED = a_letter(3, queue=Lane.PARKED, place="parked", reason="refused_email")


async def told(fake: FakeApp, letter: DeadLetter, *, look: bool = True, **how: object) -> Forecast:
    app = fake.build(fake.wiring().settings(None))
    forecast = await Forecaster(app, look, **{"mapping_since": None, **how}).one(letter, letter.body)  # type: ignore[arg-type]
    assert fake.bus.lanes == []
    return forecast


def known(state: Present | Unknown | None = None) -> FakeApp:
    """Both sides agree; a write would be an error of the test."""
    fake = FakeApp(contact=a_contact(), profile=a_profile())
    fake.remember(LedgerRow(KEY, state or Present(DIGEST)))
    return fake


def chunk(*contacts: str) -> DeadLetter:
    facts = tuple(Fact(f"f{n}", EmailEvent.OPEN, contact, "DM1", "D1", NOW) for n, contact in enumerate(contacts))
    return a_letter(4, queue=Lane.TIMELINE, lane=Lane.TIMELINE, body=encode(FactChunk("chunk-1", facts, NOW)))


async def test_newer_data_has_settled_it_already():
    fake = known()
    forecast = await told(fake, a_letter(1))
    assert (forecast.verdict, forecast.reason, forecast.calls, fake.campaign.calls) == (
        "already_settled",
        "unchanged",
        0,
        [],
    )


async def test_what_the_other_side_lacks_would_be_applied():
    forecast = await told(known(Present("older")), a_letter(1))
    assert (forecast.verdict, forecast.reason, forecast.calls) == ("would_apply", "written", 1)


async def test_campaign_is_asked_only_where_the_decision_depends_on_it():
    fake = known(Unknown())
    assert (await told(fake, a_letter(1), look=False)).verdict == "unknown"
    assert fake.campaign.calls == []
    assert (await told(fake, a_letter(1))).verdict == "already_settled"
    assert fake.campaign.calls == ["profile"]


@pytest.mark.parametrize(
    ("changed_at", "mapping_since", "verdict"),
    [
        (timedelta(minutes=-1), None, "still_failing"),
        (timedelta(minutes=+9), None, "would_apply"),
        (timedelta(minutes=-1), NOW, "still_failing"),
        (timedelta(minutes=-1), NOW + timedelta(minutes=9), "would_apply"),
    ],
)
async def test_what_was_refused_is_refused_again_unless_row_or_mapping_changed(changed_at, mapping_since, verdict):
    fake = FakeApp(contact=replace(a_contact(), modified_on=NOW + changed_at), profile=a_profile(lastName="Other"))
    fake.remember(LedgerRow(KEY, Present("older")))
    forecast = await told(fake, PARKED, mapping_since=mapping_since)
    assert forecast.verdict == verdict


async def test_a_value_that_still_does_not_fit_is_told_by_the_decision_itself():
    fake = known(Present("older"))
    fake.dynamics.row = a_contact(lastname="x" * 500)
    fake.mapping = replace(MAPPING, types=Types({}, {"lastName": Target(TargetType.STRING, 60)}))
    forecast = await told(fake, replace(PARKED, reason="value_too_long"))
    assert (forecast.verdict, forecast.reason) == ("still_failing", "value_too_long")


async def test_a_claimed_record_would_wait():
    fake = known()
    fake.remember(LedgerRow(KEY, Unknown(), claim=Claim("t", NOW + timedelta(seconds=30))))
    assert (await told(fake, a_letter(1))).verdict == "would_wait"


@pytest.mark.parametrize(
    ("letter", "verdict", "reason"),
    [
        (replace(PARKED, lane=None), "still_failing", None),
        (replace(PARKED, body=b"?"), "still_failing", "malformed"),
        (a_letter(1, queue=Lane.BULK, lane=Lane.BULK), "already_settled", "unchanged"),
        (a_letter(1, queue=Lane.BULK, lane=Lane.BULK, body=encode(PageOrder("r1", 0, 3, 1, NOW))), "unknown", None),
        (chunk(CONTACT_ID, CONTACT_ID), "would_apply", "recorded"),
        (chunk(CONTACT_ID, "11111111-2222-4333-8444-555555555555"), "would_apply", "recorded"),
        (chunk("11111111-2222-4333-8444-555555555555"), "would_wait", "no_contact"),
        (replace(chunk(CONTACT_ID), reason="activity_refused"), "unknown", None),
    ],
)
async def test_what_cannot_be_rehearsed_is_not_claimed_to_be(letter, verdict, reason):
    forecast = await told(known(), letter)
    assert (forecast.verdict, forecast.reason) == (verdict, reason)


async def test_events_of_a_kind_that_is_switched_off_have_nothing_to_do():
    fake = known()
    app = fake.build(fake.wiring().settings(None))
    app = replace(app, ports=replace(app.ports, timeline=TimelineRules(frozenset({EmailEvent.SEND}))))
    letter = chunk(CONTACT_ID)
    forecast = await Forecaster(app, True, None).one(letter, letter.body)
    assert (forecast.verdict, forecast.reason) == ("already_settled", "not_shown")


def about(record: RecordKey, why: Why = Why.UPSERT, *, lane: Lane | None = None, reason: str = "x") -> DeadLetter:
    """A week old."""
    hint = Hint("h", record, why, Source.WEBHOOK, NOW - timedelta(days=7))
    return a_letter(1, queue=Lane.PARKED, place="parked", lane=lane or hint.lane, body=encode(hint), reason=reason)


def with_tables(**state: Any) -> FakeApp:
    """The contact, its vehicle and the vehicle's visit are in Dynamics; contact and vehicle in Campaign, too."""
    fake = known()
    fake.entities = (VEHICLES, VISITS)
    fake.dynamics.entities = {VEHICLE: a_vehicle(), VISIT: a_visit()}
    fake.remember(LedgerRow(VEHICLE, **{"state": Present("x"), "parents": frozenset({KEY}), **state}))
    return fake


@pytest.mark.parametrize("lane", [Lane.CONTACT_UPSERT, Lane.CUSTOM_ENTITY])
async def test_a_hint_about_a_table_that_is_mapped_no_more_is_dropped(lane):
    forecast = await told(known(), about(RecordKey("account", CONTACT_ID), lane=lane))
    assert (forecast.verdict, forecast.reason) == ("already_settled", "not_mapped")


async def test_another_tables_hint_is_not_taken_for_a_contacts():
    assert (await told(with_tables(), about(VEHICLE, lane=Lane.OPTOUT))).verdict == "unknown"


@pytest.mark.parametrize(
    ("held", "state", "expected", "calls"),
    [
        (a_vehicle(), Present(VEHICLES.desired(a_vehicle()).digest), ("already_settled", "unchanged", 0), 0),
        (a_vehicle(), Unknown(), ("already_settled", "unchanged", 1), 1),
        (a_vehicle(new_name="Other"), Present("older"), ("would_apply", "written", 2), 1),
        (None, Absent(), ("would_apply", "written", 1), 0),
    ],
    ids=["as sent", "in doubt", "outdated", "gone before"],
)
async def test_a_custom_tables_record_is_rehearsed(held, state, expected, calls):
    fake = with_tables(state=state)
    if held:
        fake.campaign.records[VEHICLE.id] = Profile("@1", VEHICLES.desired(held).fields)
    forecast = await told(fake, about(VEHICLE))
    assert (forecast.verdict, forecast.reason, forecast.calls) == expected
    assert fake.campaign.calls == ["record"] * calls
    assert forecast.line.record == str(VEHICLE)


async def test_a_record_without_its_parent_waits_and_names_it():
    forecast = await told(with_tables(state=Absent()), about(VISIT))
    assert (forecast.verdict, forecast.reason) == ("would_wait", "parent_missing")
    assert f"to the lane custom-entity ({VEHICLE}: not sent yet, in doubt, or held back" in forecast.because
    fake = with_tables()
    fake.dynamics.entities[VISIT] = a_visit(new_vehicle="0f8fad5b-d9cb-469f-a165-708677289599")
    assert "289599: " in (await told(fake, about(VISIT, reason="parent_missing"))).because


async def test_a_replayed_deletion_lets_the_children_go_first_however_old_it_is():
    fake = with_tables()
    fake.dynamics.entities.clear()
    fake.family.pairs[VISIT, VEHICLE] = None
    fake.remember(LedgerRow(VISIT, Present("x"), parents=frozenset({VEHICLE})))
    forecast = await told(fake, about(VEHICLE, Why.DELETE))
    assert (forecast.verdict, forecast.reason) == ("would_wait", "children_first")


async def test_a_key_that_changed_is_looked_for_and_what_campaign_hides_only_a_write_can_tell():
    fake = with_tables()
    fake.remember(LedgerRow(VISIT, Present("x"), parents=frozenset({VEHICLE}), found_by="S-0"))
    fake.campaign.records["S-0"] = Profile("@9", {})
    forecast = await told(fake, about(VISIT, reason="key_changed"))
    assert (forecast.verdict, forecast.reason, len(fake.campaign.calls)) == ("still_failing", "key_changed", 2)
    fake.campaign.records.clear()
    forecast = await told(fake, about(VISIT, reason="hidden"))
    assert (forecast.verdict, forecast.reason) == ("unknown", "hidden")


async def test_a_verify_in_the_opt_out_lane_is_the_opt_out_lanes_work():
    """A write of unknown outcome comes back as a verify to the lane that it came from."""
    fake = known()
    fake.campaign.row = a_profile(lastName="Other")
    assert (await told(fake, about(KEY, Why.VERIFY))).verdict == "would_apply"
    assert (await told(fake, about(KEY, Why.VERIFY, lane=Lane.OPTOUT))).verdict == "already_settled"


async def test_an_edited_hint_is_rehearsed_in_the_lane_of_what_it_has_become():
    fake = with_tables(state=Absent())
    app = fake.build(fake.wiring().settings(None))
    letter = a_letter(1, queue=Lane.BULK, lane=Lane.BULK)
    forecast = await Forecaster(app, True, None).one(letter, about(VEHICLE).body)
    assert (forecast.verdict, forecast.reason) == ("would_apply", "written")


@pytest.mark.parametrize(
    "letter", [about(KEY, lane=Lane.TIMELINE), replace(chunk(CONTACT_ID), lane=Lane.CUSTOM_ENTITY)]
)
async def test_what_is_not_of_the_lanes_kind_would_be_parked_again(letter):
    forecast = await told(with_tables(), letter)
    assert (forecast.verdict, forecast.reason) == ("still_failing", "malformed")


async def test_a_system_that_is_away_leaves_the_letter_unknown_and_bad_credentials_end_it():
    fake = known()
    fake.dynamics.failure = Retry(Reason.DYNAMICS_UNREACHABLE)
    assert (await told(fake, a_letter(1))).reason == "dynamics_unreachable"
    fake.dynamics.failure = Halt(Reason.DYNAMICS_CREDENTIALS)
    with pytest.raises(Halt):
        await told(fake, a_letter(1))


async def test_many_are_told_in_their_order():
    fake = known()
    letters = [a_letter(number) for number in range(1, 121)]

    async def sent() -> AsyncIterator[tuple[DeadLetter, bytes]]:
        for letter in letters:
            yield letter, letter.body

    app = fake.build(fake.wiring().settings(None))
    found = [one.line.number async for one in Forecaster(app, True, None).all(sent())]
    assert found == list(range(1, 121))
