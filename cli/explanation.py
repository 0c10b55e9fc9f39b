"""One contact on both sides, compared: what is read, what the mapping and the opt-out rule say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from shared.domain.change import RecordKey
from shared.domain.contact import OLDEST, Contact, Profile, Value
from shared.domain.ledger import Absent, LedgerRow, Present, Unknown
from shared.domain.mapping import Desired, FieldRow, Mapping, OptOutPair
from shared.domain.rules import prevailing
from shared.flows.contact import Seen, Sight
from shared.flows.optout import in_dynamics
from shared.ports import Ports

Filled = Literal["set", "empty"]
Verdict = Literal["same", "differs"]


@dataclass(frozen=True)
class Evidence:
    """Everything that was read, at one moment. `profile` is UNSEEN where Campaign was not asked."""

    key: RecordKey
    mapping: Mapping
    ledger: LedgerRow
    contact: Contact | None
    profile: Seen
    now: datetime

    @property
    def desired(self) -> Desired | None:
        """What the profile should hold; None where Dynamics does not have the row."""
        return self.mapping.desired(self.contact) if self.contact else None


@dataclass(frozen=True)
class Values:
    """Personal data: only where it was asked for."""

    dynamics: Value
    wanted: Value
    campaign: Value


@dataclass(frozen=True)
class FieldView:
    """One row of the mapping. `wanted`: after replacements and default. None: that side was not read, or has no row."""

    column: str
    target: str
    dynamics: Filled | None
    wanted: Filled | None
    campaign: Filled | None
    verdict: Verdict | None
    values: Values | None = None


@dataclass(frozen=True)
class OptOutView:
    """One pair. Times are those that the rule compares; `campaign_changed_at` None: never, or not read."""

    column: str
    attribute: str
    dynamics: bool | None
    dynamics_modified_on: datetime | None
    campaign: bool | None
    campaign_changed_at: datetime | None
    prevails: bool | None
    because: str


@dataclass(frozen=True)
class LedgerView:
    """The row in words. `up_to_date`: the digest of what was last sent is that of what the mapping gives now."""

    state: Literal["never seen", "present", "absent", "unknown"]
    up_to_date: bool | None
    deletion_seen: bool
    incarnation: int
    kept_opt_outs: tuple[str, ...]
    privacy_request: str | None
    privacy_request_sent_at: datetime | None
    claimed_until: datetime | None
    check_at: datetime | None


@dataclass(frozen=True)
class Explanation:
    """`in_dynamics`, `in_campaign`: whether the row and the profile exist; None: not looked."""

    contact: str
    mapping: str
    at: datetime
    in_dynamics: bool
    in_campaign: bool | None
    fields: tuple[FieldView, ...]
    opt_outs: tuple[OptOutView, ...]
    ledger: LedgerView


async def gather(ports: Ports, contact_id: str, *, look: bool) -> Evidence:
    """Reads only. `look`: ask Campaign, too, which is one engine call. Raises Outcome."""
    key = RecordKey(ports.mapping().table, contact_id)
    ledger = await ports.ledger.get(key)
    contact = await ports.dynamics.contact(contact_id)
    profile: Seen = Sight.UNSEEN
    if look:
        profile = await ports.campaign.profile(contact_id) or Sight.MISSING
    return Evidence(key, ports.mapping(), ledger, contact, profile, ports.clock.now())


def explain(evidence: Evidence, *, show_values: bool) -> Explanation:
    """The comparison; without `show_values` no field's value is in it."""
    profile = evidence.profile if isinstance(evidence.profile, Profile) else None
    return Explanation(
        contact=evidence.key.id,
        mapping=evidence.mapping.version,
        at=evidence.now,
        in_dynamics=evidence.contact is not None,
        in_campaign=None if evidence.profile is Sight.UNSEEN else profile is not None,
        fields=tuple(_field(row, evidence.contact, profile, show=show_values) for row in evidence.mapping.field_rows),
        opt_outs=tuple(_opt_out(pair, evidence.contact, profile) for pair in evidence.mapping.opt_outs),
        ledger=_ledger(evidence),
    )


def differing(desired: Desired, profile: Profile) -> list[str]:
    """The targets that an update would change, each by the mapping's own comparison."""
    return [name for name, value in desired.fields.items() if Desired({name: value}, "", {}).differs_from(profile)]


def _field(row: FieldRow, contact: Contact | None, profile: Profile | None, *, show: bool) -> FieldView:
    raw = contact.columns.get(row.column) if contact else None
    wanted = row.value(contact) if contact else None
    held = profile.fields.get(row.target) if profile else None
    verdict: Verdict | None = None
    if contact and profile:
        verdict = "differs" if Desired({row.target: wanted}, "", {}).differs_from(profile) else "same"
    return FieldView(
        column=row.column,
        target=row.target,
        dynamics=_filled(raw) if contact else None,
        wanted=_filled(wanted) if contact else None,
        campaign=_filled(held) if profile else None,
        verdict=verdict,
        values=Values(raw, wanted, held) if show else None,
    )


def _filled(value: Value) -> Filled:
    return "empty" if value is None or value == "" else "set"


def _opt_out(pair: OptOutPair, contact: Contact | None, profile: Profile | None) -> OptOutView:
    flag = profile.opted_out.get(pair.attribute) if profile else None
    changed_at = flag.changed_at if flag and flag.changed_at != OLDEST else None
    prevails: bool | None = None
    because = "one side only: there is nothing to compare"
    if contact and flag:
        prevails = prevailing(in_dynamics(pair, contact), contact.modified_on, flag.value, flag.changed_at)
        because = _because(in_dynamics(pair, contact), flag.value, contact.modified_on, flag.changed_at)
    return OptOutView(
        column=pair.column,
        attribute=pair.attribute,
        dynamics=in_dynamics(pair, contact) if contact else None,
        dynamics_modified_on=contact.modified_on if contact else None,
        campaign=flag.value if flag else None,
        campaign_changed_at=changed_at,
        prevails=prevails,
        because=because,
    )


def _because(dynamics: bool, campaign: bool, modified_on: datetime, changed_at: datetime) -> str:
    """The rule in words: `shared.domain.rules.prevailing` decides, this only says why."""
    if dynamics == campaign:
        return "both sides agree"
    if changed_at.replace(microsecond=0) > modified_on:
        return "Campaign's opt-out changed after the Dynamics row: Campaign's word holds"
    return "the Dynamics row is not older: opted out on either side is opted out"


def _ledger(evidence: Evidence) -> LedgerView:
    row, desired = evidence.ledger, evidence.desired
    known = isinstance(row.state, Present) and desired is not None
    return LedgerView(
        state=_state(row),
        up_to_date=row.state == Present(desired.digest) if known and desired else None,
        deletion_seen=row.witness,
        incarnation=row.generation,
        kept_opt_outs=tuple(sorted(row.flags)),
        privacy_request=row.pending.name if row.pending else None,
        privacy_request_sent_at=row.pending.sent_at if row.pending else None,
        claimed_until=row.claim.until if row.claim and row.claim.until > evidence.now else None,
        check_at=row.check_at,
    )


def _state(row: LedgerRow) -> Literal["never seen", "present", "absent", "unknown"]:
    if row.never_seen:
        return "never seen"
    match row.state:
        case Present():
            return "present"
        case Absent():
            return "absent"
        case Unknown():
            return "unknown"
        case _:
            assert_never(row.state)
