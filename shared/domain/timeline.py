"""What the timeline shows and where: kinds of event, follow-up tasks, and the names of the activity tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from shared.domain.event_log import EventShape, LogForm
from shared.domain.fact import EmailEvent

CONTACT_OWNER = "contact_owner"
APPLICATION_USER = "application_user"


class OnePer(StrEnum):
    """Which events share one follow-up task."""

    DELIVERY = "delivery"
    EVENT = "event"


@dataclass(frozen=True)
class TaskRule:
    """A task that follows an event. The texts may name {campaign}, {delivery}, {date} and {url}.

    `owner`: `CONTACT_OWNER`, `APPLICATION_USER`, or the id of a user. `due`: counted from the event. An event older
    than `max_age` gets no task.
    """

    subject: str
    description: str = ""
    due: timedelta = timedelta(days=1)
    owner: str = CONTACT_OWNER
    one_per: OnePer = OnePer.DELIVERY
    max_age: timedelta = timedelta(days=7)


@dataclass(frozen=True)
class TimelineRules:
    """`events`: the kinds that are shown. `tasks`: the kinds that a task follows."""

    events: frozenset[EmailEvent] = frozenset(EmailEvent)
    tasks: Mapping[EmailEvent, TaskRule] = field(default_factory=dict)


@dataclass(frozen=True)
class ActivityTable:
    """One activity table, by logical name. `regarding`: the navigation property to the contact, where it is given."""

    name: str
    date_column: str
    regarding: str | None = None


@dataclass(frozen=True)
class ActivityTables:
    """Where events go. The four columns have the same name in every table; only the click's has a tracking URL."""

    tables: Mapping[EmailEvent, ActivityTable]
    campaign_column: str
    delivery_column: str
    mirror_page_column: str
    tracking_column: str

    def columns(self, event: EmailEvent) -> tuple[str, ...]:
        """Every column of its own that the event's table must have."""
        alike = (self.campaign_column, self.delivery_column, self.mirror_page_column)
        tracking = (self.tracking_column,) if event is EmailEvent.CLICK else ()
        return (*alike, self.tables[event].date_column, *tracking)


@dataclass(frozen=True)
class Timeline:
    """All of it. `journal` and `log_files`: where an event keeps its parts, in the one source and in the other."""

    rules: TimelineRules
    tables: ActivityTables
    journal: EventShape = field(default_factory=EventShape)
    log_files: LogForm = field(default_factory=LogForm)
