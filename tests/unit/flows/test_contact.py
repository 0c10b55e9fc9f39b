"""One record's way through the protocol, step by step: what is settled, claimed, sent and stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.change import Source, Why
from shared.domain.contact import Profile
from shared.domain.effects import CreateProfile, LookUpProfile, ProfileEffect, UpdateProfile
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, PrivacyRequest, State, Timings, Unknown
from shared.domain.mapping import DeleteMode, Desired, WhenFilteredOut
from shared.errors import Reason
from shared.flows.contact import Seen, Sight, Situation, claimed, decide, flags_to_send, settled, stored, unsendable
from tests.unit.examples import FIELDS, ID, KEY, MAPPING, NOW, after, contact, hint, profile

DESIRED = MAPPING.desired(contact())
SAME, OTHER = Present(DESIRED.digest), Present("0" * 64)
UPSERT, DELETE, VERIFY = Why.UPSERT, Why.DELETE, Why.VERIFY
NEVER_SEEN = LedgerRow(KEY)

REQUEST = DeleteMode.PRIVACY_REQUEST


def seen(state: State, **more: Any) -> LedgerRow:
    """A row that a worker has stored."""
    return LedgerRow(KEY, state, etag="1", **more)


def situation(
    ledger: LedgerRow,
    why: Why = UPSERT,
    *,
    delivery: int = 1,
    desired: Desired | None = DESIRED,
    source: Source = Source.WEBHOOK,
) -> Situation:
    return Situation(hint(why, source=source), delivery, ledger, desired, NOW)


@pytest.mark.parametrize(
    ("ledger", "why", "delivery", "trusted"),
    [
        (seen(SAME), UPSERT, 1, True),
        (seen(Absent()), DELETE, 1, True),
        (NEVER_SEEN, UPSERT, 1, True),
        (seen(Unknown()), UPSERT, 1, False),
        (seen(SAME), VERIFY, 1, False),
        (NEVER_SEEN, VERIFY, 1, False),
        (seen(SAME), UPSERT, 2, False),
        (NEVER_SEEN, UPSERT, 2, False),
    ],
)
def test_step_3_the_ledger_is_trusted_only_where_nothing_is_uncertain(
    ledger: LedgerRow, why: Why, delivery: int, trusted: bool
) -> None:
    assert situation(ledger, why, delivery=delivery).trusted is trusted


@pytest.mark.parametrize(
    ("ledger", "why", "delivery", "reason"),
    [
        pytest.param(seen(SAME), UPSERT, 1, Reason.UNCHANGED, id="same digest: done without a call"),
        pytest.param(seen(SAME, found_by="former key"), UPSERT, 1, None, id="same digest, another key"),
        pytest.param(seen(OTHER), UPSERT, 1, None, id="another digest: work"),
        pytest.param(seen(SAME), UPSERT, 2, None, id="redelivered: work"),
        pytest.param(seen(SAME), VERIFY, 1, None, id="verify: work"),
        pytest.param(seen(Unknown()), UPSERT, 1, None, id="unknown: work"),
        pytest.param(seen(Absent()), UPSERT, 1, None, id="restored: work"),
        pytest.param(NEVER_SEEN, UPSERT, 1, None, id="new: work"),
        pytest.param(seen(SAME), DELETE, 1, Reason.STILL_THERE, id="said deleted, still there: done"),
        pytest.param(seen(Unknown()), DELETE, 3, Reason.STILL_THERE, id="said deleted, whatever the ledger says"),
        pytest.param(seen(Absent(), witness=True), DELETE, 1, Reason.STILL_THERE, id="a late delete after a restore"),
    ],
)
def test_step_3_for_a_row_that_exists(ledger: LedgerRow, why: Why, delivery: int, reason: Reason | None) -> None:
    assert settled(situation(ledger, why, delivery=delivery)) is reason


@pytest.mark.parametrize(
    ("ledger", "why", "delivery", "reason"),
    [
        pytest.param(seen(SAME), UPSERT, 1, Reason.GONE_UNWITNESSED, id="nobody said deleted: done"),
        pytest.param(NEVER_SEEN, VERIFY, 1, Reason.GONE_UNWITNESSED, id="nor does a verify"),
        pytest.param(seen(Absent()), UPSERT, 1, Reason.GONE_UNWITNESSED, id="nor a tombstone of unknown cause"),
        pytest.param(seen(SAME), DELETE, 1, None, id="said deleted: work"),
        pytest.param(seen(SAME, witness=True), UPSERT, 1, None, id="said deleted before: work"),
        pytest.param(NEVER_SEEN, DELETE, 1, None, id="a record that we never wrote: look"),
        pytest.param(seen(Absent(), witness=True), DELETE, 1, Reason.ALREADY_GONE, id="tombstone: done without a call"),
        pytest.param(seen(Absent(), witness=True), UPSERT, 1, Reason.ALREADY_GONE, id="tombstone and its witness"),
        pytest.param(seen(Absent(), witness=True), DELETE, 2, None, id="redelivered: work"),
        pytest.param(seen(Absent(), witness=True), VERIFY, 1, None, id="verify: work"),
        pytest.param(seen(Unknown(), witness=True), DELETE, 1, None, id="unknown: work"),
    ],
)
def test_step_3_for_a_row_that_is_gone(ledger: LedgerRow, why: Why, delivery: int, reason: Reason | None) -> None:
    assert settled(situation(ledger, why, delivery=delivery, desired=None)) is reason


def test_step_4_a_claim_trusts_nothing_and_expires_by_itself() -> None:
    row = claimed(situation(seen(SAME, flags=frozenset({"x"}), generation=2)), "token", Timings())
    assert row.state == Unknown()
    assert row.claim == Claim("token", after(150))
    assert row.check_at == after(600)
    assert (row.witness, row.generation, row.flags, row.etag) == (False, 2, frozenset({"x"}), "1")


def test_step_4_a_deletion_is_witnessed_from_its_claim_on() -> None:
    row = claimed(situation(seen(SAME), DELETE, desired=None), "token", Timings())
    assert (row.witness, row.generation) == (True, 0)


def test_step_4_a_restored_row_starts_a_new_incarnation() -> None:
    row = claimed(situation(seen(Absent(), witness=True, generation=4)), "token", Timings())
    assert (row.witness, row.generation) == (False, 5)


def test_step_4_an_expired_claim_is_taken_over_the_same_way() -> None:
    row = claimed(situation(seen(Unknown(), claim=Claim("other", after(-1)))), "token", Timings())
    assert row.claim == Claim("token", after(150))


CREATE = CreateProfile(ID, FIELDS, frozenset())


@pytest.mark.parametrize(
    ("ledger", "why", "delivery", "sight", "effects"),
    [
        pytest.param(
            seen(OTHER), UPSERT, 1, Sight.UNSEEN, [UpdateProfile(ID, None, FIELDS)], id="trusted present: PATCH"
        ),
        pytest.param(seen(OTHER), UPSERT, 1, Sight.MISSING, [CREATE], id="PATCH said 404: POST"),
        pytest.param(NEVER_SEEN, UPSERT, 1, Sight.UNSEEN, [LookUpProfile(ID)], id="an update, never seen: GET"),
        pytest.param(seen(Absent()), UPSERT, 1, Sight.UNSEEN, [CREATE], id="trusted absent: POST"),
        pytest.param(seen(Unknown()), UPSERT, 1, Sight.UNSEEN, [LookUpProfile(ID)], id="unknown: GET"),
        pytest.param(seen(SAME), VERIFY, 1, Sight.UNSEEN, [LookUpProfile(ID)], id="verify: GET"),
        pytest.param(NEVER_SEEN, UPSERT, 2, Sight.UNSEEN, [LookUpProfile(ID)], id="redelivered: GET"),
        pytest.param(seen(Unknown()), UPSERT, 1, Sight.MISSING, [CREATE], id="GET found nothing: POST"),
        pytest.param(NEVER_SEEN, UPSERT, 1, profile(), [], id="POST met an equal profile: nothing"),
        pytest.param(
            NEVER_SEEN,
            UPSERT,
            1,
            profile(fields={"firstName": "Ada"}),
            [UpdateProfile(ID, "@handle", FIELDS)],
            id="POST met another profile: PATCH by its handle",
        ),
        pytest.param(seen(Unknown()), VERIFY, 1, profile(), [], id="GET found it in line: nothing"),
        pytest.param(
            seen(Unknown()),
            VERIFY,
            1,
            profile(fields={}),
            [UpdateProfile(ID, "@handle", FIELDS)],
            id="GET found a difference",
        ),
        pytest.param(seen(OTHER), UPSERT, 1, Sight.IN_LINE, [], id="written: nothing more"),
    ],
)
def test_step_7_what_is_sent(
    ledger: LedgerRow, why: Why, delivery: int, sight: Seen, effects: list[ProfileEffect]
) -> None:
    assert decide(situation(ledger, why, delivery=delivery), DESIRED, sight) == effects


def test_step_7_only_the_second_read_of_the_row_is_sent() -> None:
    newer = MAPPING.desired(contact(first="Grace"))
    assert decide(situation(seen(Absent())), newer, Sight.UNSEEN) == [CreateProfile(ID, newer.fields, frozenset())]


@pytest.mark.parametrize(
    ("ledger", "delivery", "expected"),
    [
        pytest.param(NEVER_SEEN, 1, CREATE, id="never seen: POST"),
        pytest.param(NEVER_SEEN, 2, LookUpProfile(ID), id="redelivered: GET"),
        pytest.param(seen(Unknown()), 1, LookUpProfile(ID), id="unknown: GET"),
    ],
)
def test_step_7_an_announced_creation(ledger: LedgerRow, delivery: int, expected: ProfileEffect) -> None:
    announced = replace(situation(ledger, delivery=delivery), hint=replace(hint(), created=True))
    assert decide(announced, DESIRED, Sight.UNSEEN) == [expected]


def test_step_7_an_update_never_carries_an_opt_out() -> None:
    opted_out = MAPPING.desired(contact(no_mail=True))
    for sight in (Sight.UNSEEN, profile(fields={})):
        (effect,) = decide(situation(seen(OTHER)), opted_out, sight)
        assert isinstance(effect, UpdateProfile)
        assert effect.fields.keys() == FIELDS.keys()


@pytest.mark.parametrize(
    ("columns", "kept", "sent"),
    [
        ({}, set(), set()),
        ({"no_mail": True}, set(), {"blackListEmail"}),
        ({"no_mail": None}, set(), set()),
        ({}, {"blackListEmail"}, {"blackListEmail"}),
        ({"no_phone": True}, {"blackListEmail"}, {"blackListEmail", "blackListPhone"}),
    ],
    ids=["none", "the row's", "an empty one", "the tombstone's", "both"],
)
def test_step_7_a_creation_carries_opt_outs_only_as_true(
    columns: dict[str, Any], kept: set[str], sent: set[str]
) -> None:
    """The row's own and the tombstone's. FALSE would be stamped with today's time and beat the next opt-out."""
    ledger = seen(Absent(), flags=frozenset(kept))
    desired = MAPPING.desired(contact(**columns))
    assert flags_to_send(ledger, desired) == sent
    assert decide(situation(ledger, desired=desired), desired, Sight.UNSEEN) == [
        CreateProfile(ID, FIELDS, frozenset(sent))
    ]


def test_step_9_a_written_row_is_present_and_free() -> None:
    before = situation(seen(OTHER, flags=frozenset({"x"})))
    row = claimed(before, "token", Timings())
    row = stored(before, row, MAPPING.desired(contact()), MAPPING, shown=True, created=False)
    assert (row.state, row.claim, row.check_at, row.flags) == (SAME, None, None, frozenset())


def test_step_9_a_deleted_row_keeps_its_opt_outs_its_witness_and_its_request() -> None:
    before = situation(seen(SAME), DELETE, desired=None)
    asked = replace(
        claimed(before, "token", Timings()), flags=frozenset({"x"}), pending=PrivacyRequest("name", NOW), etag="2"
    )
    row = stored(before, asked, None, MAPPING, shown=True, created=False)
    assert row == LedgerRow(KEY, Absent(), True, 0, frozenset({"x"}), PrivacyRequest("name", NOW), etag="2")


@pytest.mark.parametrize("source", Source)
def test_step_9_an_earlier_uncertainty_is_checked_until_the_check_itself_has_run(source: Source) -> None:
    """Rule M1: a hint that happens to come first must not take the check away."""
    before = situation(seen(Unknown(), check_at=after(-5)), source=source)
    row = claimed(before, "token", Timings())
    row = stored(before, row, MAPPING.desired(contact()), MAPPING, shown=True, created=False)
    assert row.check_at == (None if source is Source.CHECK else after(-5))


def test_a_seen_profile_is_not_a_sight() -> None:
    """`Seen` is either: a profile without fields must not pass for a missing one."""
    nothing_in_it = Profile("@1", {})
    assert decide(situation(NEVER_SEEN), Desired({}, {}, "digest", {}, "id"), nothing_in_it) == []


LEAVE, DELETE_IT = WhenFilteredOut.LEAVE, WhenFilteredOut.DELETE


@pytest.mark.parametrize(
    ("ledger", "why", "filtered_out", "mode", "reason"),
    [
        pytest.param(seen(SAME), UPSERT, LEAVE, REQUEST, Reason.FILTERED_OUT, id="kept out, and its profile left"),
        pytest.param(seen(Unknown()), VERIFY, LEAVE, REQUEST, Reason.FILTERED_OUT, id="whatever the ledger says"),
        pytest.param(seen(SAME), UPSERT, DELETE_IT, REQUEST, None, id="kept out, its profile is to go: work"),
        pytest.param(seen(Absent()), UPSERT, DELETE_IT, REQUEST, Reason.ALREADY_GONE, id="and gone already"),
        pytest.param(seen(SAME), DELETE, None, DeleteMode.IGNORE, Reason.DELETION_IGNORED, id="deletions are ignored"),
        pytest.param(seen(SAME), UPSERT, DELETE_IT, DeleteMode.IGNORE, Reason.DELETION_IGNORED, id="those, too"),
        pytest.param(seen(SAME), UPSERT, None, DeleteMode.IGNORE, Reason.GONE_UNWITNESSED, id="not said to be gone"),
        pytest.param(seen(SAME), DELETE, None, DeleteMode.PROFILE_DELETE, None, id="a plain delete is work as well"),
    ],
)
def test_filters_and_delete_modes(
    ledger: LedgerRow, why: Why, filtered_out: WhenFilteredOut | None, mode: DeleteMode, reason: Reason | None
) -> None:
    assert settled(Situation(hint(why), 1, ledger, None, NOW, filtered_out, mode)) is reason


@pytest.mark.parametrize(
    ("ledger", "fields"),
    [
        pytest.param(NEVER_SEEN, {"long", "wrong", "once"}, id="a creation sends every field"),
        pytest.param(seen(SAME), {"long", "wrong"}, id="an update only those that follow changes"),
    ],
)
def test_fields_that_must_not_be_sent(ledger: LedgerRow, fields: set[str]) -> None:
    updates = {"long": "x" * 40, "wrong": "x", "good": "x"}
    unsuitable = Desired(
        fields={**updates, "once": "x" * 40},
        updates=updates,
        digest="d",
        opted_out={},
        key="id",
        overlong=frozenset({"long", "once"}),
        unconvertible=frozenset({"wrong"}),
    )
    assert unsendable(situation(ledger, desired=unsuitable)) == fields
    assert unsendable(situation(ledger, desired=None)) == frozenset()


ONCE = replace(DESIRED, fields={**FIELDS, "origin": "fair"}, once="1" * 64)
RESYNC = Source.RESYNC


@pytest.mark.parametrize(
    ("source", "once", "reason"),
    [
        (Source.WEBHOOK, None, Reason.UNCHANGED),
        (RESYNC, ONCE.once, Reason.UNCHANGED),
        (RESYNC, None, None),
        (RESYNC, "former", None),
    ],
)
def test_only_a_resync_minds_the_fields_that_updates_leave_alone(
    source: Source, once: str | None, reason: Reason | None
) -> None:
    assert settled(situation(seen(SAME, once=once), desired=ONCE, source=source)) is reason


def test_a_mapping_without_such_fields_gives_a_resync_nothing_to_mind() -> None:
    assert settled(situation(seen(SAME, once="of a former mapping"), source=RESYNC)) is Reason.UNCHANGED


def test_a_resync_updates_all_fields() -> None:
    (effect,) = decide(situation(seen(OTHER), desired=ONCE, source=RESYNC), ONCE.as_first_load(), Sight.UNSEEN)
    assert effect == UpdateProfile(ID, None, ONCE.fields)


@pytest.mark.parametrize(
    ("source", "created", "once"),
    [(Source.WEBHOOK, False, "former"), (Source.WEBHOOK, True, ONCE.once), (RESYNC, False, ONCE.once)],
)
def test_step_9_notes_those_fields_when_they_were_sent(source: Source, created: bool, once: str) -> None:
    before = situation(seen(OTHER, once="former"), desired=ONCE, source=source)
    row = stored(before, claimed(before, "t", Timings()), ONCE, MAPPING, shown=True, created=created)
    assert row.once == once
