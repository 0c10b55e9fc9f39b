"""Contact deleted → privacy request: two witnesses, then one request, under a name that is fixed per incarnation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.contact import Profile
from shared.domain.effects import LookUpProfile, ProfileEffect, RequestPrivacyDelete
from shared.domain.ledger import LedgerRow, PrivacyRequest, Progress, Timings, Unknown
from shared.flows.contact import Seen, Sight


def decide(ledger: LedgerRow, profile: Seen) -> list[ProfileEffect]:
    """For a row that is gone: look first (rule D3: TRUE flags must survive), ask for the deletion of what is there."""
    if isinstance(profile, Profile):
        return [RequestPrivacyDelete(ledger.key.id, request_name(ledger), opted_out(profile))]
    return [LookUpProfile(ledger.key.id)] if profile is Sight.UNSEEN else []


def request_name(ledger: LedgerRow) -> str:
    """Rule D1: unique and fixed per incarnation, so a repeat or a late landing asks for nothing new."""
    return f"d365-del-{ledger.key.id}-{ledger.generation}"


def opted_out(profile: Profile) -> frozenset[str]:
    """The attributes that are TRUE."""
    return frozenset(name for name, flag in profile.opted_out.items() if flag.value)


def asked(ledger: LedgerRow, order: RequestPrivacyDelete, now: datetime) -> LedgerRow:
    """What the ledger must know before the request is sent."""
    return replace(ledger, flags=ledger.flags | order.opted_out, pending=PrivacyRequest(order.name, now))


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
