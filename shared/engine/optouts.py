"""The opt-out lane: both sides read as they are now, the rule applied, the differences written."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from shared.domain.change import Hint, RecordKey
from shared.domain.effects import OptOutEffect, OptOutProfile, RememberFlags, WriteOptOuts
from shared.engine.reading import read_row
from shared.errors import Reason, Retry
from shared.flows import optout
from shared.ports import Ports

MOST_TRIES = 3  # a row that changes under us more often than this is left alone for a while


async def settle(ports: Ports, hint: Hint) -> Reason:
    """No claim is needed: the rule never writes FALSE to Campaign, so a late or doubled write cannot lose an opt-out.

    Raises an Outcome.
    """
    mapping = ports.mappings().contact
    if not mapping.opt_outs:
        return Reason.OPT_OUTS_DISABLED
    for _ in range(MOST_TRIES):
        contact = await read_row(ports, mapping, hint.record.id)
        profile = await ports.campaign.profile(hint.record.id)
        if profile is None:
            return Reason.NO_PROFILE
        effects = optout.decide(mapping, hint.record.id, contact, profile)
        if await _perform_all(ports, effects):
            return _settled(effects, gone=contact is None)
    raise Retry(Reason.ROW_CHANGED)


def _settled(effects: list[OptOutEffect], *, gone: bool) -> Reason:
    if gone:
        return Reason.FLAGS_REMEMBERED if effects else Reason.ALREADY_GONE
    return Reason.WRITTEN if effects else Reason.UNCHANGED


async def _perform_all(ports: Ports, effects: list[OptOutEffect]) -> bool:
    """False as soon as one finds the row changed: what was decided on it no longer holds."""
    for effect in effects:
        if not await _perform(ports, effect):
            return False
    return True


async def _perform(ports: Ports, effect: OptOutEffect) -> bool:
    match effect:
        case WriteOptOuts():
            return await ports.dynamics.write_opt_outs(effect.contact_id, effect.columns, effect.version)
        case OptOutProfile():
            return await ports.campaign.opt_out(effect.handle, effect.attributes)
        case RememberFlags():
            return await _remember(ports, effect)
        case _:
            assert_never(effect)


async def _remember(ports: Ports, effect: RememberFlags) -> bool:
    row = await ports.ledger.get(RecordKey("contact", effect.contact_id))
    if effect.attributes <= row.flags:
        return True
    return await ports.ledger.put(replace(row, flags=row.flags | effect.attributes)) is not None
