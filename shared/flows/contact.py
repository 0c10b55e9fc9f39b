"""Row → record: how a contact's profile, or a custom table's record, is brought into line; docs/architecture.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from shared.domain.change import Hint, Source, Why
from shared.domain.contact import Contact, Profile
from shared.domain.effects import CreateProfile, LookUpProfile, ProfileEffect, UpdateProfile
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, Timings, Unknown
from shared.domain.mapping import DeleteMode, Desired, Mapping, WhenFilteredOut
from shared.errors import Reason


class Sight(Enum):
    """What is known of the profile when it is not at hand."""

    UNSEEN = "unseen"
    MISSING = "missing"
    IN_LINE = "in_line"


Seen = Profile | Sight


@dataclass(frozen=True)
class Situation:
    """All that a decision may know.

    `desired` None: Dynamics does not have the row, or the filters keep it out; `filtered_out` then says what the
    mapping wants for its record. A filtered-out row whose record is to go counts as deleted. `addressable`: the record
    can be written by its key, without a look for its handle.
    """

    hint: Hint
    delivery_count: int
    ledger: LedgerRow
    desired: Desired | None
    now: datetime
    filtered_out: WhenFilteredOut | None = None
    delete_mode: DeleteMode = DeleteMode.PRIVACY_REQUEST
    addressable: bool = True

    @property
    def trusted(self) -> bool:
        """Step 3: the ledger's word counts only on a first delivery, of a hint that does not ask to verify."""
        return (
            self.hint.why is not Why.VERIFY
            and self.delivery_count == 1
            and (self.ledger.never_seen or not isinstance(self.ledger.state, Unknown))
        )

    @property
    def as_first_load(self) -> bool:
        """A resync writes as a first load does: also the fields that updates leave alone."""
        return self.hint.source is Source.RESYNC

    @property
    def expects_none(self) -> bool:
        """No profile should be there: a tombstone, or a creation that nobody has worked on.

        An update of a record never seen comes of a lost ledger or of a profile to adopt: a look costs less than a
        refused creation.
        """
        return self.trusted and (
            isinstance(self.ledger.state, Absent) or (self.ledger.never_seen and self.hint.created)
        )

    @property
    def witnessed(self) -> bool:
        """Somebody said that the row was deleted, or the filters say so."""
        return self.hint.why is Why.DELETE or self.ledger.witness or self.filtered_out is not None


def situation(
    hint: Hint, delivery_count: int, ledger: LedgerRow, row: Contact | None, mapping: Mapping, now: datetime
) -> Situation:
    """Step 1: what was read, as the mapping sees it."""
    kept_out = mapping.kept_out(row) if row is not None else None
    return Situation(
        hint,
        delivery_count,
        ledger,
        desired=wanted(hint, row, mapping),
        now=now,
        filtered_out=kept_out,
        delete_mode=mapping.delete_mode,
        addressable=mapping.resource is None,
    )


def wanted(hint: Hint, row: Contact | None, mapping: Mapping) -> Desired | None:
    """What the row's record should be; None: there should be none, or nobody cares."""
    if row is None or mapping.kept_out(row) is not None:
        return None
    desired = mapping.desired(row)
    return desired.as_first_load() if hint.source is Source.RESYNC else desired


def settled(s: Situation) -> Reason | None:
    """Step 3: why nothing needs doing, or None."""
    if s.filtered_out is WhenFilteredOut.LEAVE:
        return Reason.FILTERED_OUT
    if s.desired is None:
        return _settled_without_row(s)
    if s.hint.why is Why.DELETE:
        return Reason.STILL_THERE
    same = s.ledger.state == Present(s.desired.digest) and s.ledger.found_by in (None, s.desired.key)
    if s.as_first_load and s.desired.once not in (None, s.ledger.once):
        return None
    return Reason.UNCHANGED if s.trusted and same else None


def _settled_without_row(s: Situation) -> Reason | None:
    if not s.witnessed:
        return Reason.GONE_UNWITNESSED
    if s.delete_mode is DeleteMode.IGNORE:
        return Reason.DELETION_IGNORED
    return Reason.ALREADY_GONE if s.trusted and isinstance(s.ledger.state, Absent) else None


def unsendable(s: Situation) -> frozenset[str]:
    """Fields whose value must not be sent: too long, or not of the field's type. An update sends fewer fields."""
    if s.desired is None:
        return frozenset()
    fields = s.desired.updates if isinstance(s.ledger.state, Present) else s.desired.fields
    if not s.desired.key:
        return frozenset({"key"})
    return (s.desired.overlong | s.desired.unconvertible) & fields.keys()


def claimed(s: Situation, token: str, timings: Timings) -> LedgerRow:
    """Step 4: the row as it must be stored before anything is sent. A restored row starts a new incarnation."""
    restored = s.desired is not None and s.ledger.witness
    key = s.desired.key if s.desired is not None and s.desired.key != s.ledger.key.id else None
    return replace(
        s.ledger,
        found_by=s.ledger.found_by or key,
        parents=s.ledger.parents | (s.desired.parents if s.desired else frozenset()),
        state=Unknown(),
        witness=s.desired is None,
        generation=s.ledger.generation + restored,
        claim=Claim(token, s.now + timedelta(seconds=timings.claim_s)),
        check_at=s.now + timedelta(seconds=timings.check_after_s),
    )


def decide(s: Situation, desired: Desired, profile: Seen) -> list[ProfileEffect]:
    """Step 7, for a row that exists: what to do with what is known. Empty: the profile is in line.

    `s.ledger` is the row as it was before the claim.
    """
    record_id = s.hint.record.id
    if profile is Sight.IN_LINE:
        return []
    if isinstance(profile, Profile):
        differs = desired.differs_from(profile)
        return [UpdateProfile(record_id, profile.handle, desired.updates)] if differs else []
    if s.addressable and s.trusted and isinstance(s.ledger.state, Present) and profile is not Sight.MISSING:
        return [UpdateProfile(record_id, None, desired.updates)]
    if profile is Sight.MISSING or s.expects_none:
        return [CreateProfile(record_id, desired.fields, flags_to_send(s.ledger, desired))]
    return [LookUpProfile(record_id)]


def stored(
    s: Situation, row: LedgerRow, desired: Desired | None, mapping: Mapping, *, shown: bool, created: bool
) -> LedgerRow:
    """Step 9: the row when the work is done, given as claimed. `desired` None: the record is gone.

    An earlier uncertainty keeps its check until that check itself has run. `shown`: Campaign does not only hide what is
    gone; where nobody knows, the return of a parent that was not there must find it.
    """
    check_at = None if s.hint.source is Source.CHECK else s.ledger.check_at
    row = replace(row, claim=None, check_at=check_at)
    if desired is None:
        hidden = mapping.may_hide and not shown
        return replace(row, state=Unknown()) if hidden else replace(row, state=Absent(), parents=frozenset(), once=None)
    found_by = None if mapping.key_is_id else desired.key
    once = desired.once if created or s.as_first_load else row.once
    state = Present(desired.digest)
    return replace(row, state=state, flags=frozenset(), parents=desired.parents, found_by=found_by, once=once)


def was_there(s: Situation) -> bool:
    """Whether the ledger already knew that the record is in Campaign."""
    return s.trusted and isinstance(s.ledger.state, Present)


def flags_to_send(ledger: LedgerRow, desired: Desired) -> frozenset[str]:
    """Opt-outs that a new profile carries: TRUE ones only, the row's own and those kept in the tombstone."""
    return frozenset(name for name, value in desired.opted_out.items() if value) | ledger.flags
