"""Effects: orders that a decision gives and one place performs (`shared/engine`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.domain.change import Hint
from shared.domain.contact import Value
from shared.domain.fact import Fact


@dataclass(frozen=True)
class LookUpProfile:
    """Read the profile, or a custom resource's record, then decide again."""

    record_id: str


@dataclass(frozen=True)
class CreateProfile:
    """`opted_out`: the attributes to send as TRUE. Never one as FALSE: Campaign would stamp it with today's time."""

    record_id: str
    fields: Mapping[str, Value]
    opted_out: frozenset[str]


@dataclass(frozen=True)
class UpdateProfile:
    """`handle` None: address the profile by the contact's id."""

    record_id: str
    handle: str | None
    fields: Mapping[str, Value]


@dataclass(frozen=True)
class RequestPrivacyDelete:
    """Ask Campaign to delete all data of the person. `opted_out`: TRUE flags to keep in the tombstone."""

    contact_id: str
    name: str
    opted_out: frozenset[str]


@dataclass(frozen=True)
class DeleteProfile:
    """Remove the record itself; what Campaign logged of a person stays. `opted_out`: as for a privacy request."""

    record_id: str
    handle: str
    opted_out: frozenset[str]


@dataclass(frozen=True)
class SendHint:
    """Put a hint into its lane."""

    hint: Hint


@dataclass(frozen=True)
class WriteOptOuts:
    """Set opt-out columns in Dynamics, if the row still has that version."""

    contact_id: str
    version: str
    columns: Mapping[str, bool]


@dataclass(frozen=True)
class WriteFlags:
    """Set opt-outs in Campaign."""

    contact_id: str
    handle: str
    attributes: Mapping[str, bool]


@dataclass(frozen=True)
class RememberFlags:
    """Keep a deleted contact's TRUE flags in its tombstone."""

    contact_id: str
    attributes: frozenset[str]


@dataclass(frozen=True)
class FollowUpTask:
    """A task for a person. `owner`: as `shared.domain.timeline.TaskRule` has it."""

    id: str
    subject: str
    description: str
    due: datetime
    owner: str


@dataclass(frozen=True)
class RecordActivity:
    """Show an e-mail event in the contact's timeline, and the task that follows it."""

    fact: Fact
    activity_id: str
    task: FollowUpTask | None = None


ProfileEffect = LookUpProfile | CreateProfile | UpdateProfile | RequestPrivacyDelete | DeleteProfile
OptOutEffect = WriteOptOuts | WriteFlags | RememberFlags
Effect = ProfileEffect | OptOutEffect | SendHint | RecordActivity
