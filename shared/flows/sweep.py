"""A row that changed, or is gone → the hints that it needs: none where a worker would find nothing to do."""

from __future__ import annotations

import hashlib
from datetime import datetime

from shared.domain.change import CONTACT, Hint, RecordKey, Source, Why
from shared.domain.contact import Contact
from shared.domain.ledger import LedgerRow, Present
from shared.domain.mapping import Desired, Mapping, WhenFilteredOut, digest
from shared.domain.optout import Configuration
from shared.flows.contact import Situation, settled


def opt_out_digest(mapping: Mapping, row: Contact) -> str:
    """Names what the row says of the mapped opt-outs, without holding it."""
    return digest(row.id, mapping.opted_out(row))


def row_hints(
    mapping: Mapping, row: Contact, ledger: LedgerRow, noted: str | None, now: datetime, *, following: bool
) -> list[Hint]:
    """Of a row that Dynamics has. `noted`: the digest of the opt-outs on which both sides last agreed.

    `following`: the row was changed since the last pass; otherwise it was only met in a full compare.
    """
    hint = _hint(RecordKey(mapping.table, row.id), Why.UPSERT, row.version, now)
    kept_out = mapping.kept_out(row)
    desired = mapping.desired(row) if kept_out is None else None
    found = [] if settled(_situation(mapping, hint, ledger, desired, kept_out)) else [hint]
    if desired is not None and _opt_outs_open(mapping, row, ledger, noted, following=following):
        found.append(_hint(hint.record, Why.OPTOUT, row.version, now))
    return found


def deletion_hints(mapping: Mapping, ledger: LedgerRow, moment: str, now: datetime) -> list[Hint]:
    """Of a row that is said to be deleted: the hint is one witness, the worker's own read the other.

    `moment` names when it was said, so that repeating it makes a duplicate.
    """
    hint = _hint(ledger.key, Why.DELETE, moment, now)
    return [] if settled(_situation(mapping, hint, ledger, None, None)) else [hint]


def _situation(
    mapping: Mapping, hint: Hint, ledger: LedgerRow, desired: Desired | None, kept_out: WhenFilteredOut | None
) -> Situation:
    return Situation(
        hint,
        1,
        ledger,
        desired=desired,
        now=hint.first_seen,
        filtered_out=kept_out,
        delete_mode=mapping.delete_mode,
        addressable=mapping.resource is None,
    )


def _opt_outs_open(mapping: Mapping, row: Contact, ledger: LedgerRow, noted: str | None, *, following: bool) -> bool:
    """Whether the row's opt-outs are others than both sides last agreed on.

    Where nothing was noted a new profile started with the TRUE ones; a FALSE is only of interest if it may travel, and
    then not for every row of a full compare. A record that is not PRESENT is looked at, opt-outs included, or made.
    """
    rules = mapping.opt_out_rules
    if mapping.table != CONTACT or not mapping.opt_outs or rules.configuration is Configuration.DISABLED:
        return False
    if not isinstance(ledger.state, Present):
        return False
    if noted is not None:
        return noted != opt_out_digest(mapping, row)
    return any(mapping.opted_out(row).values()) or (following and rules.may_opt_in_campaign)


def _hint(record: RecordKey, why: Why, moment: str, now: datetime) -> Hint:
    name = hashlib.sha256(f"{record} {why} {moment}".encode()).hexdigest()[:24]
    return Hint(f"sweep/{record.id}/{name}", record, why, Source.SWEEP, now)
