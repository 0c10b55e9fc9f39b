"""Each rule of the protocol taken away once: then a history goes wrong that is right with it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.domain.change import Why
from shared.domain.contact import Contact
from shared.domain.effects import CreateProfile, RequestPrivacyDelete
from shared.domain.ledger import LedgerRow, PrivacyRequest, Timings
from shared.domain.mapping import Desired
from shared.engine import checks, deliver
from shared.engine.alignment import Turn
from shared.engine.lanes import send_hints
from shared.errors import Outcome, RetryAsVerify, Uncertain
from shared.flows import contact, deletion
from shared.flows.contact import Seen, Sight, Situation
from tests.simulation import histories
from tests.simulation.virtual import play
from tests.simulation.world import CampaignFake, World

Patch = Callable[[pytest.MonkeyPatch], None]
Play = Callable[[], Coroutine[Any, Any, World]]


@dataclass(frozen=True)
class Rule:
    """`removed` takes the rule away; `history` shows what that does."""

    removed: Patch
    history: Play


def goes_wrong(history: Play) -> bool:
    """Whether it ends wrong, was silently wrong, or never came to rest."""
    try:
        return bool(play(history()).violations())
    except AssertionError:
        return True


# -- the rules, taken away -----------------------------------------------------------------------------------------


def _no_claims(patch: pytest.MonkeyPatch) -> None:
    async def give_way(self: Turn, s: Situation) -> None:
        await original(self, replace(s, ledger=replace(s.ledger, claim=None)))

    original = Turn._give_way
    patch.setattr(Turn, "_give_way", give_way)


def _restored_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    async def give_way(self: Turn, s: Situation) -> None:
        await original(self, replace(s, ledger=replace(s.ledger, pending=None)))

    original = Turn._give_way
    patch.setattr(Turn, "_give_way", give_way)


def _ledger_trusted_on_redelivery(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Situation, "trusted", property(lambda s: s.ledger.never_seen or not _is_unknown(s.ledger)))


def _is_unknown(row: LedgerRow) -> bool:
    return row.state.__class__.__name__ == "Unknown"


def _claim_keeps_the_old_state(patch: pytest.MonkeyPatch) -> None:
    def claimed(s: Situation, token: str, timings: Timings) -> LedgerRow:
        return replace(original(s, token, timings), state=s.ledger.state)

    original = contact.claimed
    patch.setattr(contact, "claimed", claimed)


def _no_witness_needed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Situation, "witnessed", property(lambda s: True))


def _first_read_used(patch: pytest.MonkeyPatch) -> None:
    """Step 5 left out."""

    async def row(self: Turn) -> Contact | None:
        self.__dict__.setdefault("first_read", await original(self))
        first: Contact | None = self.__dict__["first_read"]
        return first

    original = Turn._row
    patch.setattr(Turn, "_row", row)


def _sends_whatever_the_time(patch: pytest.MonkeyPatch) -> None:
    def about_to_send(self: Turn) -> None:
        self.sent_at, self.sent = self.ports.clock.now(), True

    patch.setattr(Turn, "_about_to_send", about_to_send)


def _creation_without_opt_outs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(contact, "flags_to_send", lambda ledger, desired: frozenset())
    patch.setattr(Turn, "_send_opt_out_hint", _nothing)


async def _nothing(self: Turn) -> None:
    return None


def _creation_with_false(patch: pytest.MonkeyPatch) -> None:
    """Campaign stamps a FALSE that is sent."""

    async def create(self: CampaignFake, contact_id: str, fields: Any, opted_out: frozenset[str]) -> bool:
        created = await original(self, contact_id, fields, opted_out)
        if created and self.world.profile is not None and not opted_out:
            flag = self.world.profile.flags["blackListEmail"]
            self.world.profile.flags["blackListEmail"] = replace(flag, changed_at=self.world.clock.now())
        return created

    original = CampaignFake.create_profile
    patch.setattr(CampaignFake, "create_profile", create)


def _no_read_after_creation(patch: pytest.MonkeyPatch) -> None:
    """Step 8 left out."""

    async def create(self: Turn, effect: CreateProfile, desired: Desired | None) -> Seen:
        self._about_to_send()
        if not await self.ports.campaign.create_profile(effect.record_id, effect.fields, effect.opted_out):
            return await self._look_up(desired)
        self.flags_seen = True
        return Sight.IN_LINE

    patch.setattr(Turn, "_create", create)


def _claim_released_at_the_timeout(patch: pytest.MonkeyPatch) -> None:
    """Step 10 left out."""

    async def hold(self: Turn, unanswered: Uncertain) -> Outcome:
        await self.ports.ledger.put(replace(self.row, claim=None))
        return RetryAsVerify(unanswered.reason, after_s=self._jitter_s())

    patch.setattr(Turn, "_hold", hold)


def _lost_etag_gives_a_plain_hint(patch: pytest.MonkeyPatch) -> None:
    """Step 11 left out."""

    async def distrust(self: Turn) -> None:
        await send_hints(self.ports, self.hint.follow_up(Why.UPSERT, self.token))

    patch.setattr(Turn, "_distrust", distrust)


def _request_names_differ(patch: pytest.MonkeyPatch) -> None:
    """D1."""
    numbers = iter(range(1_000_000))
    patch.setattr(deletion, "request_name", lambda ledger: f"d365-del-{next(numbers)}")


def _ended_requests_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """D2: nobody looks whether the profile came back."""

    def ended(ledger: LedgerRow, *_: object) -> LedgerRow:
        return replace(ledger, pending=None)

    patch.setattr(deletion, "ended", ended)

    async def no_hint(*_: object) -> None:
        return None

    patch.setattr(checks, "send_hints", no_hint)


def _pending_is_stored_after_the_send(patch: pytest.MonkeyPatch) -> None:
    """D2, "before the send": a request that was sent, but is not known of."""

    async def delete(self: Turn, effect: Any) -> None:
        assert isinstance(effect, RequestPrivacyDelete)
        self._about_to_send()
        await self.ports.campaign.request_privacy_delete(effect.contact_id, effect.name, self.mapping.privacy)
        self.row = replace(self.row, flags=effect.opted_out, pending=PrivacyRequest(effect.name, self.sent_at))

    patch.setattr(Turn, "_delete", delete)


def _tombstone_without_opt_outs(patch: pytest.MonkeyPatch) -> None:
    """D3."""
    patch.setattr(deletion, "opted_out", lambda profile: frozenset())


def _no_checks(patch: pytest.MonkeyPatch) -> None:
    """M1."""

    def stored(s: Situation, row: LedgerRow, *rest: Any, **more: Any) -> LedgerRow:
        return replace(original(s, row, *rest, **more), check_at=None)

    original = contact.stored
    patch.setattr(contact, "stored", stored)


def _own_writes_are_not_hinted(patch: pytest.MonkeyPatch) -> None:
    """M2."""

    def touched(self: World, change: Any, columns: frozenset[str], *, person: bool = True) -> None:
        announce, self.announce = self.announce, self.announce if person else _no_announcement  # type: ignore[method-assign]
        try:
            original(self, change, columns, person=person)
        finally:
            self.announce = announce  # type: ignore[method-assign]

    original = World._touched
    patch.setattr(World, "_touched", touched)


def _no_announcement(event: object, *, late: bool = False) -> None:
    return None


def _retries_have_ids_of_their_own(patch: pytest.MonkeyPatch) -> None:
    """M3."""
    numbers = iter(range(1_000_000))

    def after(message: Any, outcome: Outcome) -> Any:
        again: Any = original(message, outcome)
        return replace(again, id=f"retry-{next(numbers)}")

    original = deliver._next
    patch.setattr(deliver, "_next", after)


def _creation_meeting_a_profile_says_nothing(patch: pytest.MonkeyPatch) -> None:
    async def pass_on(self: Turn, desired: Desired | None) -> None:
        return None

    patch.setattr(Turn, "_pass_on_opt_outs", pass_on)


async def _asked_once() -> World:
    world = await histories.crashed_after_the_privacy_request()
    assert len(world.requests) == 1
    return world


async def _opt_out_survives() -> World:
    world = await histories.opted_out_in_campaign_then_deleted_and_restored()
    assert world.profile is not None
    assert world.profile.flags["blackListEmail"].value
    return world


async def _beyond_the_bound() -> World:
    world = await histories.lands_beyond_the_bound()
    world.silent.clear()
    return world


async def _opt_out_kept() -> World:
    world = await histories.opt_out_while_created()
    assert world.row is not None
    assert world.row["stop"]
    return world


async def _not_deleted() -> World:
    world = await histories.not_shown_for_a_moment()
    assert "PRIVACY" not in world.calls
    return world


async def _few_deliveries() -> World:
    world = await histories.retries_that_lose_their_lock()
    assert world.workers <= 60
    return world


def _late(changed_after_s: float, *, crash: bool = False) -> Play:
    return lambda: histories.late_write_and_a_newer_change(changed_after_s, crash=crash)


RULES = {
    "2: a live claim is respected": Rule(_no_claims, _late(4, crash=True)),
    "2: a restored contact waits": Rule(_restored_does_not_wait, histories.restored_while_its_privacy_request_runs),
    "3: no trust on redelivery": Rule(_ledger_trusted_on_redelivery, _beyond_the_bound),
    "3: a deletion needs a witness": Rule(_no_witness_needed, _not_deleted),
    "4: a claim makes the state UNKNOWN": Rule(_claim_keeps_the_old_state, histories.crashed_after_a_write),
    "5: the row is read under the claim": Rule(_first_read_used, histories.change_between_read_and_claim),
    "6: no send late in a claim": Rule(
        _sends_whatever_the_time, histories.stalled_before_the_send_and_crashed_after_it
    ),
    "7: a creation carries opt-outs": Rule(_creation_without_opt_outs, histories.opt_out_at_creation),
    "7: a creation carries no FALSE": Rule(_creation_with_false, _opt_out_kept),
    "8: a read after a creation": Rule(_no_read_after_creation, histories.opt_out_while_created),
    "10: a claim outlives a lost answer": Rule(_claim_released_at_the_timeout, _late(45)),
    "11: a lost ETag gives UNKNOWN": Rule(_lost_etag_gives_a_plain_hint, histories.stall_longer_than_the_claim),
    "D1: a request's name is fixed": Rule(_request_names_differ, _asked_once),
    "D2: an ended request is looked at": Rule(_ended_requests_are_forgotten, histories.ghost_after_its_request_ended),
    "D2: pending before the request": Rule(
        _pending_is_stored_after_the_send, histories.restored_after_a_crash_that_followed_the_privacy_request
    ),
    "D3: the tombstone keeps opt-outs": Rule(_tombstone_without_opt_outs, _opt_out_survives),
    "M1: an uncertain record is checked": Rule(_no_checks, _beyond_the_bound),
    "M2: own writes are hinted": Rule(_own_writes_are_not_hinted, histories.a_plug_in_changes_the_row_in_our_write),
    "M3: a retry keeps its message's id": Rule(_retries_have_ids_of_their_own, _few_deliveries),
    "a creation that meets a profile passes its opt-outs on": Rule(
        _creation_meeting_a_profile_says_nothing, histories.deleted_and_restored_at_once
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_without_the_rule_the_history_goes_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = RULES[name]
    assert not goes_wrong(rule.history), "with the rule it is right"
    rule.removed(monkeypatch)
    assert goes_wrong(rule.history)
