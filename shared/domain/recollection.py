"""What the bridge remembers of one contact's opt-outs, so that its own writes never count as a person's change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.domain.change import RecordKey
from shared.domain.contact import OLDEST, Contact, Flag, Value
from shared.domain.mapping import OptOutPair
from shared.domain.optout import Said

SKEW = timedelta(seconds=5)  # how far Campaign's clock may be from ours


@dataclass(frozen=True)
class OwnOptIn:
    """An attribute that we wrote to Campaign as FALSE, for what was said in Dynamics at `said_at`.

    The write was sent at `sent_at` and lands by `lands_by`, if at all.
    """

    said_at: datetime
    sent_at: datetime
    lands_by: datetime

    def made(self, flag: Flag) -> bool:
        """Whether the attribute as read may be the one that we wrote."""
        return not flag.value and self.sent_at - SKEW <= flag.changed_at <= self.lands_by + SKEW


@dataclass(frozen=True)
class Recollection:
    """Ids, truth values and times; losing it costs precision, never an opt-out.

    `person_at`: when somebody else last changed the row, as known before our last write to it. That write was based
    on version `based_on`, and left the columns as in `left`. `said`: by column, what a person said and when.
    `opted_in`: by attribute, our last FALSE in Campaign. `etag` None: nothing is stored yet.
    """

    key: RecordKey
    person_at: datetime | None = None
    based_on: str | None = None
    left: Mapping[str, Value] = field(default_factory=dict)
    said: Mapping[str, Said] = field(default_factory=dict)
    opted_in: Mapping[str, OwnOptIn] = field(default_factory=dict)
    etag: str | None = None


def changed_at(past: Recollection, contact: Contact, *, by_us: bool) -> datetime:
    """When somebody other than the bridge last changed the row, at the latest.

    `by_us`: Dynamics names the bridge's user as the row's last writer. Columns that are not as our write left them
    were changed in its course by the customer's own code, whose word counts.
    """
    if past.person_at is None:
        return contact.modified_on
    untouched = contact.version == past.based_on
    ours = by_us and all(contact.columns.get(name) == value for name, value in past.left.items())
    return past.person_at if untouched or ours else contact.modified_on


def dynamics_said(past: Recollection, pair: OptOutPair, contact: Contact, row_at: datetime) -> Said:
    """What the column says, and since when. `row_at`: as `changed_at` gives it.

    A value that nobody announced is read in favour of the opt-out: TRUE as late as it can be, FALSE as never said.
    """
    value = pair.opted_out(contact)
    known = past.said.get(pair.column)
    if known is not None and known.value == value:
        return known
    return Said(value, row_at if value else OLDEST)


def campaign_said(past: Recollection, pair: OptOutPair, flag: Flag) -> Said:
    """What the attribute says, and since when a person says so.

    Our own FALSE has the time of the word that it carried. Our own TRUE keeps the time that Campaign gave it, seconds
    later: nothing there tells it from that of a person who opted out in the same moment.
    """
    own = past.opted_in.get(pair.attribute)
    return Said(flag.value, own.said_at if own is not None and own.made(flag) else flag.changed_at)


def heard(past: Recollection, pairs: Iterable[OptOutPair], contact: Contact, announced_at: datetime) -> Recollection:
    """With a person's announced change of these pairs' columns.

    The announcement holds no values. The row's TRUE counts as announced if nobody changed the row since, or if it is
    known already and was said again; a FALSE always does, for it can only have been said then or later.
    """
    said = dict(past.said)
    for pair in pairs:
        value, known = pair.opted_out(contact), said.get(pair.column)
        if known is not None and known.value == value:
            said[pair.column] = Said(value, max(known.at, announced_at))
        elif not value or contact.modified_on <= announced_at:
            said[pair.column] = Said(value, announced_at)
    return replace(past, said=said)


def about_to_write_row(
    past: Recollection, contact: Contact, row_at: datetime, left: Mapping[str, Value]
) -> Recollection:
    """Before a write to Dynamics. The person's time never goes back: a slower worker may know less."""
    person_at = row_at if past.person_at is None else max(past.person_at, row_at)
    return replace(past, person_at=person_at, based_on=contact.version, left=left)


def carried(past: Recollection, said: Mapping[str, Said]) -> Recollection:
    """After our write to Dynamics: by column, whose word it was. What was heard meanwhile is younger, and stays."""
    younger = {name: known for name, known in past.said.items() if name in said and known.at > said[name].at}
    return replace(past, said={**past.said, **said, **younger})
