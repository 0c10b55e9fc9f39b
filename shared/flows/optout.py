"""Opt-outs, both ways: what each side says, the rule, and the writes that make them agree."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from shared.domain.contact import Contact, Flag, Profile
from shared.domain.effects import OptOutEffect, OptOutProfile, RememberFlags, WriteOptOuts
from shared.domain.mapping import Mapping, OptOutPair
from shared.domain.rules import prevailing
from shared.flows.deletion import opted_out


def decide(mapping: Mapping, contact_id: str, contact: Contact | None, profile: Profile | None) -> list[OptOutEffect]:
    """Empty where both sides agree, or where there is no profile: its creation will carry the opt-outs."""
    if profile is None:
        return []
    if contact is None:
        remembered = opted_out(profile)
        return [RememberFlags(contact_id, remembered)] if remembered else []
    flags = profile.opted_out
    pairs = [pair for pair in mapping.opt_outs if pair.attribute in flags]
    agreed = {pair: _prevailing(pair, contact, flags[pair.attribute]) for pair in pairs}
    columns = {pair.column: value for pair, value in agreed.items() if in_dynamics(pair, contact) != value}
    attributes = frozenset(p.attribute for p, value in agreed.items() if value and not flags[p.attribute].value)
    effects: list[OptOutEffect] = []
    if columns:
        effects.append(WriteOptOuts(contact.id, contact.version, columns))
    if attributes:
        effects.append(OptOutProfile(contact.id, profile.handle, attributes))
    return effects


def disagrees(mapping: Mapping, contact: Contact, exported: MappingOf[str, bool]) -> bool:
    """Whether a row of Campaign's export (attribute → value) says other than Dynamics does now."""
    return any(
        pair.attribute in exported and exported[pair.attribute] != in_dynamics(pair, contact)
        for pair in mapping.opt_outs
    )


def in_dynamics(pair: OptOutPair, contact: Contact) -> bool:
    """What the row says; an empty column (old and imported rows) means not opted out."""
    return bool(contact.columns.get(pair.column))


def _prevailing(pair: OptOutPair, contact: Contact, flag: Flag) -> bool:
    return prevailing(in_dynamics(pair, contact), contact.modified_on, flag.value, flag.changed_at)
