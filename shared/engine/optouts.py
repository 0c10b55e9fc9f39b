"""The opt-out lane: both sides read as they are now, the rule applied, the journal told, the differences written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from shared.domain.change import Hint
from shared.domain.contact import Contact, Profile
from shared.domain.effects import OptOutEffect, RememberFlags, WriteFlags, WriteOptOuts
from shared.domain.optout import Configuration
from shared.domain.recollection import OwnOptIn, Recollection, about_to_write_row, carried, changed_at, heard
from shared.engine.claims import RecordClaim
from shared.engine.optout_journal import entries, entries_gone
from shared.engine.optout_notes import note
from shared.engine.reading import read_row
from shared.errors import Outcome, Reason, Retry, Uncertain
from shared.flows import optout
from shared.flows.optout import Decision, Sides
from shared.ports import Ports

MOST_TRIES = 3  # a row that changes under us more often than this is left alone for a while


async def settle(ports: Ports, hint: Hint) -> Reason:
    """Raises an Outcome."""
    rules = ports.mappings().contact.opt_out_rules
    if not ports.mappings().contact.opt_outs or rules.configuration is Configuration.DISABLED:
        return Reason.OPT_OUTS_DISABLED
    return await OptOutTurn(ports, hint).run()


async def look(ports: Ports, hint: Hint) -> Sides | None:
    """Both sides as they are now; None where one of them is missing. Reads only. Raises an Outcome."""
    turn = OptOutTurn(ports, hint)
    contact, profile = await turn.read()
    return None if contact is None or profile is None else await turn.remembered(contact, profile)


class OptOutTurn:
    """One worker's turn on one contact's opt-outs; `run` is called once.

    As long as FALSE is never written to Campaign no claim is needed: a late or doubled write cannot lose an opt-out.
    Where it is, nothing is written before the record is claimed and both sides were read once more.
    """

    def __init__(self, ports: Ports, hint: Hint) -> None:
        self.ports = ports
        self.hint = hint
        self.mapping = ports.mappings().contact
        self.rules = self.mapping.opt_out_rules
        self.claim = RecordClaim(ports, hint.record)

    async def run(self) -> Reason:
        """Returns why the message is settled; raises an Outcome otherwise."""
        try:
            reason = await self._settle()
        except Uncertain as unanswered:
            raise await self.claim.hold(unanswered) from unanswered
        except Outcome:
            await self.claim.release()
            raise
        await self.claim.release()
        return reason

    async def _settle(self) -> Reason:
        tries = 0
        while tries < MOST_TRIES:
            contact, profile = await self.read()
            if profile is None:
                return Reason.NO_PROFILE
            if contact is None:
                return await self._settle_gone(profile)
            sides = await self._with_news(await self.remembered(contact, profile))
            decision = optout.decide(sides)
            if not decision.effects:
                await note(self.ports, self.mapping, contact)
                return Reason.UNCHANGED
            if optout.too_early(sides, decision, self.ports.clock.now()):
                raise Retry(Reason.CHANGED_JUST_NOW, after_s=optout.ANNOUNCED_WITHIN.total_seconds())
            if self.rules.may_opt_in_campaign and not self.claim.held:
                await self.claim.take()
                continue
            if await self._carry_out(sides, decision):
                if not any(isinstance(effect, WriteOptOuts) for effect in decision.effects):
                    await note(
                        self.ports, self.mapping, contact
                    )  # else the row is another by now, and is announced as such
                return Reason.WRITTEN
            tries += 1
        raise Retry(Reason.ROW_CHANGED)

    async def read(self) -> tuple[Contact | None, Profile | None]:
        """Dynamics first: what a person says there meanwhile changes the version that we write against."""
        contact = await read_row(self.ports, self.mapping, self.hint.record.id)
        return contact, await self.ports.campaign.profile(self.hint.record.id)

    async def remembered(self, contact: Contact, profile: Profile) -> Sides:
        """With the past, where times decide."""
        sides = Sides(self.mapping, contact, profile, Recollection(self.hint.record))
        disagree = any(verdict.disagreement for verdict in optout.verdicts(sides))
        if not self._news and not (self.rules.by_record_time and disagree):
            return sides
        past = await self.ports.recollections.get(self.hint.record)
        return replace(sides, past=past, by_us=contact.modified_by == await self.ports.dynamics.own_user())

    @property
    def _news(self) -> bool:
        columns = self.hint.columns & self.mapping.opt_out_columns
        return self.rules.by_attribute_time and bool(columns) and self.hint.changed_at is not None

    async def _with_news(self, sides: Sides) -> Sides:
        """What the hint says of the time of a person's change is kept. Our own changes are hinted, too."""
        if not self._news or self.hint.changed_at is None or self.hint.by == await self.ports.dynamics.own_user():
            return sides
        pairs = [pair for pair in self.mapping.opt_outs if pair.column in self.hint.columns]
        past = heard(sides.past, pairs, sides.contact, self.hint.changed_at)
        return sides if past == sides.past else replace(sides, past=await self._stored(past))

    async def _stored(self, past: Recollection) -> Recollection:
        stored = await self.ports.recollections.put(past)
        if stored is None:
            raise Retry(Reason.LEDGER_RACE, after_s=self.ports.random.uniform(1, 5))
        return stored

    async def _carry_out(self, sides: Sides, decision: Decision) -> bool:
        """False as soon as one effect finds its side changed: what was decided on it no longer holds.

        The journal and the memory come first, so that no crash leaves a write that they do not know.
        """
        now = self.ports.clock.now()
        await self.ports.journal.append(entries(decision, self.mapping, self.hint, now))
        past = await self._announced(sides, decision)
        for effect in decision.effects:
            if not await self._perform(effect):
                return False
        await self._conclude(past, decision)
        return True

    async def _announced(self, sides: Sides, decision: Decision) -> Recollection:
        """What we are about to write, so that it will not be taken for a person's change."""
        past = sides.past
        if not self.rules.by_record_time:
            return past
        row_at = changed_at(past, sides.contact, by_us=sides.by_us)
        for effect in decision.effects:
            if isinstance(effect, WriteOptOuts):
                columns = {name: sides.contact.columns.get(name) for name in sorted(self.mapping.opt_out_columns)}
                past = about_to_write_row(past, sides.contact, row_at, {**columns, **effect.columns})
        if self.rules.by_attribute_time:
            past = replace(past, opted_in={**past.opted_in, **self._opt_ins(decision)})
        return past if past == sides.past else await self._stored(past)

    def _opt_ins(self, decision: Decision) -> dict[str, OwnOptIn]:
        now = self.ports.clock.now()
        lands_by = now + timedelta(seconds=self.ports.timings.claim_s)
        return {
            verdict.pair.attribute: OwnOptIn(verdict.dynamics.at, now, lands_by)
            for verdict in decision.verdicts
            if verdict.to_campaign and not verdict.value
        }

    async def _conclude(self, past: Recollection, decision: Decision) -> None:
        """Should others be faster again and again, the columns' times are not known; that costs precision only."""
        said = {verdict.pair.column: verdict.campaign for verdict in decision.verdicts if verdict.to_dynamics}
        if not self.rules.by_attribute_time or not said:
            return
        for _ in range(MOST_TRIES):
            if await self.ports.recollections.put(carried(past, said)) is not None:
                return
            past = await self.ports.recollections.get(self.hint.record)

    async def _perform(self, effect: OptOutEffect) -> bool:
        match effect:
            case WriteOptOuts():
                return await self.ports.dynamics.write_opt_outs(effect.contact_id, effect.columns, effect.version)
            case WriteFlags():
                if self.claim.held:
                    self.claim.about_to_send()
                return await self.ports.campaign.write_flags(effect.handle, effect.attributes)
            case RememberFlags():
                return await self._remember(effect)
            case _:
                assert_never(effect)

    async def _settle_gone(self, profile: Profile) -> Reason:
        effects = optout.decide_gone(self.hint.record.id, profile)
        for effect in effects:
            if not await self._perform(effect):
                raise Retry(Reason.LEDGER_RACE, after_s=self.ports.random.uniform(1, 5))
        return Reason.FLAGS_REMEMBERED if effects else Reason.ALREADY_GONE

    async def _remember(self, effect: RememberFlags) -> bool:
        row = await self.ports.ledger.get(self.hint.record)
        if effect.attributes <= row.flags:
            return True
        now = self.ports.clock.now()
        await self.ports.journal.append(entries_gone(effect, self.mapping, self.hint, now))
        return await self.ports.ledger.put(replace(row, flags=row.flags | effect.attributes)) is not None
