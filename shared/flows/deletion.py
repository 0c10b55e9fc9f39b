"""Contact deleted → privacy request or profile delete: two witnesses, then one order, as the mapping's mode says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.contact import Profile
from shared.domain.effects import DeleteProfile, LookUpProfile, ProfileEffect, RequestPrivacyDelete
from shared.domain.ledger import LedgerRow, PrivacyRequest, Progress, Timings, Unknown
from shared.domain.mapping import DeleteMode
from shared.flows.contact import Seen, Sight


def decide(ledger: LedgerRow, profile: Seen, mode: DeleteMode) -> list[ProfileEffect]:
    """For a row that is gone: look first (rule D3: TRUE flags must survive), then delete what is there.

    A profile is deleted by its own key: one that was created anew meanwhile has another.
    """
    if not isinstance(profile, Profile):
        return [LookUpProfile(ledger.key.id)] if profile is Sight.UNSEEN else []
    if mode is DeleteMode.PROFILE_DELETE:
        return [DeleteProfile(ledger.key.id, profile.handle, opted_out(profile))]
    return [RequestPrivacyDelete(ledger.key.id, request_name(ledger), opted_out(profile))]


def request_name(ledger: LedgerRow) -> str:
    """Rule D1: unique and fixed per incarnation, so a repeat or a late landing asks for nothing new."""
    return f"d365-del-{ledger.key.id}-{ledger.generation}"


def opted_out(profile: Profile) -> frozenset[str]:
    """The attributes that are TRUE."""
    return frozenset(name for name, flag in profile.opted_out.items() if flag.value)


def announced(ledger: LedgerRow, order: RequestPrivacyDelete | DeleteProfile, now: datetime) -> LedgerRow:
    """What the ledger must know before the order is sent."""
    pending = PrivacyRequest(order.name, now) if isinstance(order, RequestPrivacyDelete) else ledger.pending
    return replace(ledger, flags=ledger.flags | order.opted_out, pending=pending)


def sent_later(ledger: LedgerRow, at: datetime) -> LedgerRow:
    """A call without an answer began then: a request that was announced before may land as late as that allows."""
    if ledger.pending is None:
        return ledger
    return replace(ledger, pending=replace(ledger.pending, sent_at=max(ledger.pending.sent_at, at)))


def ended(ledger: LedgerRow, progress: Progress, now: datetime, timings: Timings) -> LedgerRow | None:
    """Rule D2: the row once its request has ended, or None while it runs.

    A request that Campaign does not know counts as ended only when no late one can land any more. After an end the
    next request, if one is needed, is a new incarnation's: the old name would count as done.
    """
    if ledger.pending is None:
        return None
    bound = ledger.pending.sent_at + timedelta(seconds=timings.reserve_s)
    if progress is Progress.ENDED or (progress is Progress.NOT_FOUND and now > bound):
        generation = ledger.generation + (progress is Progress.ENDED)
        return replace(ledger, state=Unknown(), pending=None, generation=generation)
    return None
