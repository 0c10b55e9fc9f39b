"""One record on both sides, compared: what the mapping, the opt-out rule and the ledger say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from cli.evidence import Evidence
from cli.kinship import Parent
from cli.participation import Participation, participation
from shared.domain.change import CONTACT
from shared.domain.contact import OLDEST, Profile, Value
from shared.domain.field_row import Filled
from shared.domain.ledger import Absent, LedgerRow, Present, Unknown
from shared.domain.mapping import DeleteMode, Desired, FieldRow, OptOutPair, agree
from shared.domain.optout import Configuration, OptOutRules, Policy
from shared.flows import optout
from shared.flows.contact import Sight

Presence = Literal["set", "empty"]
Verdict = Literal["same", "differs"]
Problem = Literal["truncated", "overlong", "unconvertible"]
State = Literal["never seen", "present", "absent", "unknown"]


@dataclass(frozen=True)
class Values:
    """Personal data: only where it was asked for."""

    dynamics: Value
    wanted: Value
    campaign: Value


@dataclass(frozen=True)
class FieldView:
    """One row of the mapping. `wanted`: after replacements and default. None: that side was not read, or has no row.

    `apply_updates` False: written at creation and by a resync only. `problem`: the text is cut to the
    field's length; or the value must not be sent, being too long or not of the field's type.
    """

    column: str
    target: str
    apply_updates: bool
    problem: Problem | None
    dynamics: Presence | None
    wanted: Presence | None
    campaign: Presence | None
    verdict: Verdict | None
    values: Values | None = None


@dataclass(frozen=True)
class OptOutView:
    """One pair. Times are those that the rule compares; None: never, or not read.

    `prevails` None: nothing to compare, or each side keeps its own.
    """

    column: str
    attribute: str
    dynamics: bool | None
    dynamics_modified_on: datetime | None
    campaign: bool | None
    campaign_changed_at: datetime | None
    prevails: bool | None
    because: str


@dataclass(frozen=True)
class ParentView:
    """One link. `record` None: its column is empty. `depth` 2: a parent of a parent that is missing.

    `needed`: Campaign would hide the record without it. `state`: the ledger's. `in_dynamics` None: not looked, since
    the ledger has it as present. `missing`: why it is not there.
    """

    depth: int
    column: str
    record: str | None
    needed: bool
    state: State | None
    in_dynamics: bool | None
    missing: str | None


@dataclass(frozen=True)
class LedgerView:
    """The row in words. `up_to_date`: the digest of what was last sent is that of what the mapping gives now.

    `parents`: those under whom the record was last sent. `own_key`: it remembers a key in Campaign other than the id.
    """

    state: State
    up_to_date: bool | None
    deletion_seen: bool
    incarnation: int
    kept_opt_outs: tuple[str, ...]
    privacy_request: str | None
    privacy_request_sent_at: datetime | None
    claimed_until: datetime | None
    check_at: datetime | None
    parents: tuple[str, ...] = ()
    own_key: bool = False


@dataclass(frozen=True)
class Explanation:
    """`in_dynamics`, `in_campaign`: whether the row and its record exist; None: not looked.

    `contact`: its id, for a contact. `children`: how many the ledger knows that need the record; None: its table has
    none. `more_children`: there are further ones.
    """

    table: str
    record: str
    contact: str | None
    mapping: str
    at: datetime
    in_dynamics: bool
    in_campaign: bool | None
    part: Participation
    delete_mode: DeleteMode
    fields: tuple[FieldView, ...]
    opt_outs: tuple[OptOutView, ...]
    ledger: LedgerView
    parents: tuple[ParentView, ...]
    children: int | None
    more_children: bool


def explain(evidence: Evidence, *, show_values: bool) -> Explanation:
    """The comparison; without `show_values` no field's value is in it."""
    profile = evidence.profile if isinstance(evidence.profile, Profile) else None
    key, kin = evidence.key, evidence.kin
    return Explanation(
        table=key.table,
        record=key.id,
        contact=key.id if key.table == CONTACT else None,
        mapping=evidence.mapping.version,
        at=evidence.now,
        in_dynamics=evidence.contact is not None,
        in_campaign=None if evidence.profile is Sight.UNSEEN else profile is not None,
        part=participation(evidence.mapping, evidence.contact),
        delete_mode=evidence.mapping.delete_mode,
        fields=tuple(_field(row, evidence, profile, show=show_values) for row in evidence.mapping.field_rows),
        opt_outs=tuple(_opt_out(pair, evidence) for pair in evidence.mapping.opt_outs),
        ledger=_ledger(evidence),
        parents=tuple(_parent(one) for one in kin.parents),
        children=kin.children(key) if evidence.mappings.has_children(key.table) else None,
        more_children=kin.more,
    )


def differing(desired: Desired, profile: Profile) -> list[str]:
    """The targets that an update would change, each by the mapping's own comparison."""
    return [name for name, value in desired.updates.items() if not agree(profile.fields.get(name), value)]


def _field(row: FieldRow, evidence: Evidence, profile: Profile | None, *, show: bool) -> FieldView:
    contact = evidence.contact
    raw = row.raw(contact) if contact else None
    filled = row.filled(contact, evidence.mapping.types) if contact else None
    wanted = filled.value if filled else None
    held = profile.fields.get(row.target) if profile else None
    verdict: Verdict | None = None
    if contact and profile:
        verdict = "same" if agree(held, wanted) else "differs"
    return FieldView(
        column=row.source,
        target=row.target,
        apply_updates=row.apply_updates,
        problem=_problem(filled) if filled else None,
        dynamics=_filled(raw) if contact else None,
        wanted=_filled(wanted) if contact else None,
        campaign=_filled(held) if profile else None,
        verdict=verdict,
        values=Values(raw, wanted, held) if show else None,
    )


def _problem(filled: Filled) -> Problem | None:
    if filled.refused:
        return "unconvertible"
    if filled.overlong:
        return "overlong"
    return "truncated" if filled.cut else None


def _filled(value: Value) -> Presence:
    return "empty" if value is None or value == "" else "set"


def _opt_out(pair: OptOutPair, evidence: Evidence) -> OptOutView:
    contact = evidence.contact
    profile = evidence.profile if isinstance(evidence.profile, Profile) else None
    flag = profile.opted_out.get(pair.attribute) if profile else None
    known = {verdict.pair: verdict for verdict in optout.verdicts(evidence.sides)} if evidence.sides else {}
    verdict = known.get(pair)
    dynamics_at = verdict.dynamics.at if verdict else contact.modified_on if contact else OLDEST
    campaign_at = verdict.campaign.at if verdict else flag.changed_at if flag else OLDEST
    return OptOutView(
        column=pair.column,
        attribute=pair.attribute,
        dynamics=pair.opted_out(contact) if contact else None,
        dynamics_modified_on=dynamics_at if dynamics_at > OLDEST else None,
        campaign=flag.value if flag else None,
        campaign_changed_at=campaign_at if campaign_at > OLDEST else None,
        prevails=verdict.value if verdict else None,
        because=_because(evidence.mapping.opt_out_rules, verdict),
    )


def _because(rules: OptOutRules, verdict: optout.Verdict | None) -> str:
    """The rule in words: `shared.domain.optout.agreed` decides, this only says why."""
    if verdict is None:
        return "one side only: there is nothing to compare"
    if not verdict.disagreement:
        return "both sides agree"
    if rules.configuration is not Configuration.BIDIRECTIONAL:
        return f"the configuration is {rules.configuration}"
    if rules.policy is Policy.LEAST_PERMISSIVE:
        return "opted out on either side is opted out"
    row = "column" if rules.by_attribute_time else "row"
    if verdict.campaign.second > verdict.dynamics.second:
        return f"Campaign's opt-out changed after the Dynamics {row}: Campaign's word holds"
    if rules.by_attribute_time and verdict.dynamics.second > verdict.campaign.second:
        return "the Dynamics column changed after Campaign's opt-out: Dynamics' word holds"
    return f"the Dynamics {row} is not older: opted out on either side is opted out"


def _parent(parent: Parent) -> ParentView:
    return ParentView(
        depth=parent.depth,
        column=parent.link.column,
        record=str(parent.record) if parent.record else None,
        needed=parent.link.required,
        state=_state(parent.ledger) if parent.ledger else None,
        in_dynamics=None if parent.ledger is None or isinstance(parent.ledger.state, Present) else bool(parent.row),
        missing=parent.missing,
    )


def _ledger(evidence: Evidence) -> LedgerView:
    row, desired = evidence.ledger, evidence.desired
    return LedgerView(
        state=_state(row),
        up_to_date=row.state == Present(desired.digest) if isinstance(row.state, Present) and desired else None,
        deletion_seen=row.witness,
        incarnation=row.generation,
        kept_opt_outs=tuple(sorted(row.flags)),
        privacy_request=row.pending.name if row.pending else None,
        privacy_request_sent_at=row.pending.sent_at if row.pending else None,
        claimed_until=row.claim.until if row.claim and row.claim.until > evidence.now else None,
        check_at=row.check_at,
        parents=tuple(str(parent) for parent in sorted(row.parents)),
        own_key=row.found_by is not None,
    )


def _state(row: LedgerRow) -> State:
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
