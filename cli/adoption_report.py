"""What is counted of Campaign's profiles: kinds, differences and costs; no id and no value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from shared.domain.mapping import DeleteMode, WhenFilteredOut
from shared.domain.mapping import Mapping as MappingRules

ADOPTION_CALLS = 1  # the look that finds the profile


class Kind(Enum):
    """What a profile is, by its externalId, and what follows."""

    OWN = ("own", "no external id: Campaign's own, stays untouched")
    NO_GUID = ("no_guid", "an external id that is not a GUID: another source's, stays untouched")
    NO_CONTACT = ("no_contact", "a GUID that no contact has: another source's, stays untouched")
    OTHER_SPELLING = (
        "other_spelling",
        "a contact's id, written in another way than in lower case: not recognised, stays untouched;"
        " the contact gets a second profile",
    )
    GONE = ("gone", "the contact is gone, the ledger knows the profile: its deletion is under way, or was left out")
    KEPT_OUT = ("kept_out", "a contact that the mapping's filters keep out")
    SYNCHRONISED = ("synchronised", "a contact's, in the ledger as sent: synchronised")
    IN_DOUBT = (
        "in_doubt",
        "a contact's, in the ledger, which does not trust it now: the next hint looks at both sides",
    )
    TO_ADOPT = ("to_adopt", "a contact's, not in the ledger: adopted with the contact's next hint")

    def __init__(self, slug: str, words: str) -> None:
        self.slug = slug
        self.words = words


@dataclass(frozen=True)
class Verdict:
    """One profile. `differing`: fields that its adoption will write; `unsendable`: it will be parked instead."""

    kind: Kind
    differing: tuple[str, ...] = ()
    opt_outs_differ: bool = False
    unsendable: bool = False

    @property
    def calls(self) -> int:
        """Engine calls of the adoption, once."""
        if self.kind is not Kind.TO_ADOPT or self.unsendable:
            return 0
        return ADOPTION_CALLS + bool(self.differing)


@dataclass(frozen=True)
class Group:
    """How many profiles are of one kind."""

    kind: str
    profiles: int
    meaning: str


@dataclass(frozen=True)
class Report:
    """Counts only; no id and no value. Those about differences are of the profiles that will be adopted.

    `in_campaign`: as Campaign counts, None where it does not say. `stopped`: why the reading ended early.
    `adoption_calls`: engine calls that the adoptions will cost, once. `engine_calls`: what the report itself cost.
    """

    mapping: str
    in_campaign: int | None
    read: int
    limited: bool
    stopped: str | None
    groups: tuple[Group, ...]
    differing: int
    differing_fields: Mapping[str, int]
    opt_outs_differing: int
    unsendable: int
    adoption_calls: int
    engine_calls: int


@dataclass(frozen=True)
class Choice:
    """How to read. `limit`: profiles at most; None: all."""

    page_size: int
    limit: int | None = None

    def rows(self, in_campaign: int) -> int:
        """How many will be read."""
        return in_campaign if self.limit is None else min(in_campaign, self.limit)

    def pages(self, in_campaign: int) -> int:
        """How many engine calls that takes."""
        return max(1, -(-self.rows(in_campaign) // self.page_size))


@dataclass
class Tally:
    """Sums, and nothing that grows with the number of profiles."""

    read: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    differing: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    opt_outs_differing: int = 0
    unsendable: int = 0
    calls: int = 0

    def take(self, verdict: Verdict) -> None:
        """One more profile."""
        self.read += 1
        self.kinds[verdict.kind] += 1
        self.differing += bool(verdict.differing)
        self.fields.update(verdict.differing)
        self.opt_outs_differing += verdict.opt_outs_differ
        self.unsendable += verdict.unsendable
        self.calls += verdict.calls


def report(
    mapping: MappingRules, in_campaign: int | None, tally: Tally, stopped: str | None, *, limited: bool, calls: int
) -> Report:
    """What was found, whole or until it stopped."""
    return Report(
        mapping=mapping.version,
        in_campaign=in_campaign,
        read=tally.read,
        limited=limited,
        stopped=stopped,
        groups=tuple(Group(kind.slug, tally.kinds[kind], _meaning(kind, mapping)) for kind in Kind),
        differing=tally.differing,
        differing_fields=dict(tally.fields.most_common()),
        opt_outs_differing=tally.opt_outs_differing,
        unsendable=tally.unsendable,
        adoption_calls=tally.calls,
        engine_calls=calls,
    )


def _meaning(kind: Kind, mapping: MappingRules) -> str:
    """Filters that keep a contact out may also order its profile's deletion."""
    if kind is not Kind.KEPT_OUT:
        return kind.words
    goes = mapping.when_filtered_out is WhenFilteredOut.DELETE and mapping.delete_mode is not DeleteMode.IGNORE
    return f"{kind.words}: {'deleted with its next hint, as the mapping says' if goes else 'stays untouched'}"
