"""One worker's turn on one record: the ledger and claim protocol, step by step as in docs/architecture.md."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from shared.domain.change import Hint, Why
from shared.domain.contact import Contact, Profile
from shared.domain.effects import (
    CreateProfile,
    DeleteProfile,
    LookUpProfile,
    ProfileEffect,
    RequestPrivacyDelete,
    UpdateProfile,
)
from shared.domain.ledger import Absent, Claim, LedgerRow, Unknown
from shared.domain.mapping import DeleteMode, Desired, WhenFilteredOut
from shared.engine import counterpart, deletion_limit
from shared.engine.kin import Kin
from shared.engine.lanes import send_hints
from shared.engine.optout_notes import note_created
from shared.engine.reading import mapping_of, read_row
from shared.errors import Outcome, Park, Reason, Retry, RetryAsVerify, Uncertain
from shared.flows import contact, deletion
from shared.flows.contact import Seen, Sight, Situation
from shared.ports import Ports

MOST_ROUNDS = 6  # look, create, look again, update, create: more means that somebody else keeps changing the profile


class Turn:
    """`run` is called once. The steps' numbers are the protocol's. Raises Drop for a table that is not mapped.

    `at_hand`: what step 1 would read, where somebody just read it for many records at once.
    """

    def __init__(
        self, ports: Ports, hint: Hint, delivery_count: int, at_hand: tuple[LedgerRow, Contact | None] | None = None
    ) -> None:
        self.ports = ports
        self.hint = hint
        self.delivery_count = delivery_count
        self.at_hand = at_hand
        mappings = ports.mappings()
        self.mapping = mapping_of(mappings, hint.record.table)
        self.token = f"{ports.random.getrandbits(64):016x}"
        self.kin = Kin(ports, mappings, hint, self.token)
        self.row: LedgerRow  # the ledger row as this turn last stored it
        self.seen: Contact | None = None  # the Dynamics row as last read under the claim
        self.sent_at = ports.clock.now()
        self.sent = self.created = False
        self.flags_seen = False
        self.parents_there = True
        self.orphan: Retry | None = None  # why its parent will not come

    async def run(self) -> Reason:
        """Returns why the message is settled; raises an Outcome otherwise."""
        before = await self._look()  # 1
        if (reason := contact.settled(before)) is not None:  # 3; before 2: a claimed row is never trusted
            await self._pass_on_opt_outs(before.desired)
            await self._end_check(before, reason)
            return reason
        before = await self._without_orphans(before)
        self._refuse_unsendable(before)
        await self._give_way(before)  # 2
        await self.kin.first(before)
        self.row = await self._claim(before)  # 4
        try:
            reason = await self._work(before)
        except Uncertain as unanswered:
            raise await self._hold(unanswered) from unanswered  # 10
        except Outcome:
            await self.ports.ledger.put(replace(self.row, claim=None, check_at=before.ledger.check_at))
            raise
        if self.orphan is not None:
            raise self.orphan
        return reason

    async def _look(self) -> Situation:
        ledger, row = self.at_hand or (await self.ports.ledger.get(self.hint.record), await self._row())
        return contact.situation(self.hint, self.delivery_count, ledger, row, self.mapping, self.ports.clock.now())

    async def _row(self) -> Contact | None:
        return await read_row(self.ports, self.mapping, self.hint.record.id)

    async def _desired(self) -> Desired | None:
        row = self.seen = await self._row()
        desired = contact.wanted(self.hint, row, self.mapping)
        if desired is not None and self.orphan is not None:
            self.orphan = await self.kin.orphan(desired.parents, self.row.parents)
        return None if self.orphan is not None else desired

    def _refuse_unsendable(self, s: Situation) -> None:
        if fields := contact.unsendable(s):
            overlong = s.desired is not None and fields <= s.desired.overlong
            raise Park(Reason.VALUE_TOO_LONG if overlong else Reason.REFUSED_VALUE, ", ".join(sorted(fields)))

    async def _give_way(self, s: Situation) -> None:
        claim, pending = s.ledger.claim, s.ledger.pending
        if claim is not None and claim.until > s.now:
            raise Retry(Reason.CLAIMED, after_s=claim.look_again_s(s.now, self.hint.attempt) + self._jitter_s())
        if pending is None or s.desired is None:
            return
        progress = await self.ports.campaign.privacy_progress(pending.name)
        row = deletion.ended(s.ledger, progress, self.ports.clock.now(), self.ports.timings)
        if row is None:
            raise Retry(Reason.PRIVACY_PENDING, pending.name)
        await self.ports.ledger.put(row)
        raise Retry(Reason.LEDGER_RACE, "its privacy request has ended", after_s=self._jitter_s())

    async def _without_orphans(self, s: Situation) -> Situation:
        """A row whose parent will not come counts as kept out: what was sent of it must not stay under another."""
        maybe_there = not s.ledger.never_seen and not isinstance(s.ledger.state, Absent)
        if s.desired is None or not maybe_there or s.delete_mode is DeleteMode.IGNORE:
            return s
        self.orphan = await self.kin.orphan(s.desired.parents, s.ledger.parents)
        return s if self.orphan is None else replace(s, desired=None, filtered_out=WhenFilteredOut.DELETE)

    async def _claim(self, before: Situation) -> LedgerRow:
        stored = await self.ports.ledger.put(contact.claimed(before, self.token, self.ports.timings))
        if stored is not None:
            return stored
        current = await self.ports.ledger.get(self.hint.record)
        if current.claim is not None and current.claim.token == self.token:
            return current  # the write was applied, only its answer was wrong
        raise Retry(Reason.LEDGER_RACE, after_s=self._jitter_s())

    async def _work(self, before: Situation) -> Reason:
        desired = await self._desired()  # 5: only this second read is used from here on
        if (desired is None) != (before.desired is None):
            return await self._start_over(before, exists=desired is not None)
        self.parents_there = await self.kin.at_rest(self.row, desired)
        self.counterpart = await counterpart.find(self.ports, self.mapping, self.row, desired)
        profile: Seen = Sight.UNSEEN
        for _ in range(MOST_ROUNDS):
            effects = self._decide(before, desired, profile)
            if not effects:
                return await self._store(before, desired)
            for effect in effects:
                profile = await self._perform(effect, desired)
        raise Retry(Reason.ROW_CHANGED, "the profile keeps changing")

    def _decide(self, before: Situation, desired: Desired | None, profile: Seen) -> list[ProfileEffect]:
        if desired is None:
            return deletion.decide(self.row, profile, self.mapping.delete_mode)
        return contact.decide(before, desired, profile)

    async def _start_over(self, before: Situation, *, exists: bool) -> Reason:
        if exists:
            await send_hints(self.ports, self.hint.follow_up(Why.UPSERT, self.token))
        witness = self.row.witness or before.ledger.witness
        await self.ports.ledger.put(replace(self.row, claim=None, witness=witness))
        return Reason.REREAD

    async def _perform(self, effect: ProfileEffect, desired: Desired | None) -> Seen:
        match effect:
            case LookUpProfile():
                return await self._look_up(desired)
            case CreateProfile():
                return await self._create(effect, desired)
            case UpdateProfile():
                self._about_to_send()
                found = await self.counterpart.update(effect.handle, effect.fields)
                return Sight.IN_LINE if found else Sight.MISSING
            case RequestPrivacyDelete() | DeleteProfile():
                await self._delete(effect)
                return Sight.IN_LINE
            case _:
                assert_never(effect)

    async def _look_up(self, desired: Desired | None) -> Seen:
        profile = await self.counterpart.look_up()
        self.flags_seen = True
        if isinstance(profile, Profile) and desired is not None and desired.opt_outs_differ_from(profile):
            await self._send_opt_out_hint()
        return profile or Sight.MISSING

    async def _create(self, effect: CreateProfile, desired: Desired | None) -> Seen:
        self._about_to_send()
        if not await self.counterpart.create(effect.fields, effect.opted_out):
            return await self._look_up_refused(desired)
        self.created = self.flags_seen = True
        now = await self._desired()  # 8: an opt-out that came while we sent, or that only the tombstone knew
        if now is not None and any(value != (name in effect.opted_out) for name, value in now.opted_out.items()):
            await self._send_opt_out_hint()
        elif now is not None and self.seen is not None:
            await note_created(self.ports, self.mapping, self.seen)
        return Sight.IN_LINE

    async def _look_up_refused(self, desired: Desired | None) -> Seen:
        """A creation was refused as a duplicate: nothing was written. Taken and yet not there: Campaign hides it."""
        self.sent = False
        seen = await self._look_up(desired)
        if seen is Sight.MISSING and self.mapping.resource is not None:
            outcome = Park if self.hint.attempt else Retry  # it may just have gone with its former parent
            raise outcome(Reason.HIDDEN, self.mapping.resource.name)
        return seen

    async def _delete(self, effect: RequestPrivacyDelete | DeleteProfile) -> None:
        await deletion_limit.take(self.ports, self.mapping, self.hint)
        stored = await self.ports.ledger.put(deletion.announced(self.row, effect, self.ports.clock.now()))
        if stored is None:
            raise Retry(Reason.LEDGER_RACE, after_s=self._jitter_s())
        self.row = stored
        self._about_to_send()
        if isinstance(effect, DeleteProfile):
            await self.counterpart.delete(effect.handle)
        else:
            await self.ports.campaign.request_privacy_delete(effect.contact_id, effect.name, self.mapping.privacy)

    async def _pass_on_opt_outs(self, desired: Desired | None) -> None:
        """An announced creation that met a profile already there: its opt-outs are the opt-out lane's to compare."""
        if desired is not None and desired.opted_out and not self.flags_seen and self.hint.created:
            await self._send_opt_out_hint()

    async def _send_opt_out_hint(self) -> None:
        await send_hints(self.ports, self.hint.follow_up(Why.OPTOUT, self.token))

    def _about_to_send(self) -> None:
        now = self.ports.clock.now()
        if self.row.claim is None or now > self.ports.timings.last_send(self.row.claim):  # 6
            raise Retry(Reason.OUT_OF_TIME, after_s=self._jitter_s())
        self.sent_at, self.sent = now, True

    async def _store(self, before: Situation, desired: Desired | None) -> Reason:
        await self._pass_on_opt_outs(desired)
        if desired is None or self.created:  # without it Campaign deleted or hid its children
            await self.kin.doubt_children()
        shown = self.parents_there or self.sent  # what was found and deleted was not hidden
        row = contact.stored(before, self.row, desired, self.mapping, shown=shown, created=self.created)
        if await self.ports.ledger.put(row) is None:  # 9
            await self._distrust()
        else:
            await self.kin.leave(self.row.parents - row.parents)
            if desired is not None and (self.created or not contact.was_there(before)):
                await self.kin.release_children()
        if self.sent:
            self._count_truncated(desired)
            return Reason.WRITTEN
        return Reason.UNCHANGED if desired else Reason.ALREADY_GONE

    async def _end_check(self, s: Situation, reason: Reason) -> None:
        """A record that is left alone needs no further check."""
        if reason in (Reason.FILTERED_OUT, Reason.DELETION_IGNORED) and s.ledger.check_at is not None:
            await self.ports.ledger.put(replace(s.ledger, check_at=None))

    def _count_truncated(self, desired: Desired | None) -> None:
        for name in sorted(desired.truncated if desired else ()):
            self.ports.telemetry.counted("truncated", field=name, record=str(self.hint.record))

    async def _hold(self, unanswered: Uncertain) -> Outcome:
        """The claim stays until the write must have landed; then the record is verified.

        The landing bound counts from the start of the call. After a stall that is later than our check of the time,
        but never earlier than a whole time-out ago.
        """
        timings, now = self.ports.timings, self.ports.clock.now()
        started = max(self.sent_at, now - timedelta(seconds=timings.http_timeout_s))
        self.row = deletion.sent_later(self.row, started)
        until = started + timedelta(seconds=timings.landing_bound_s)
        check_at = now + timedelta(seconds=timings.check_after_s)
        wait_s = max(0.0, (until - now).total_seconds()) + self._jitter_s()
        if await self.ports.ledger.put(replace(self.row, claim=Claim(self.token, until), check_at=check_at)) is None:
            await self._distrust(wait_s)
        return RetryAsVerify(unanswered.reason, unanswered.detail, after_s=wait_s)

    async def _distrust(self, after_s: float = 0) -> None:
        """Step 11: somebody wrote the row while we sent. Whatever it says now, it must not be trusted.

        `after_s`: when a write without an answer has landed for certain; looking earlier would prove nothing.
        """
        while True:
            current = await self.ports.ledger.get(self.hint.record)
            mine = current.claim is not None and current.claim.token == self.token
            now = self.ports.clock.now()
            row = replace(
                current,
                state=Unknown(),
                claim=None if mine else current.claim,
                pending=current.pending or self.row.pending,
                witness=current.witness or self.row.witness,
                check_at=now + timedelta(seconds=self.ports.timings.check_after_s),
            )
            if await self.ports.ledger.put(row) is not None:
                return await send_hints(self.ports, self.hint.follow_up(Why.VERIFY, self.token), after_s=after_s)

    def _jitter_s(self) -> float:
        return self.ports.random.uniform(1, 5)
