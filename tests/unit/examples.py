"""A mapping, a contact, a profile and messages about them, for tests to vary."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from datetime import UTC, datetime, timedelta

from shared.domain.change import Hint, RecordKey, Source, Why
from shared.domain.contact import OLDEST, Contact, Flag, Profile, Value
from shared.domain.fact import EmailEvent, Fact, FactChunk
from shared.domain.mapping import FieldRow, FromColumn, Mapping, OptOutPair, Privacy

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ID = "5b6f4a1c-77d2-ef11-8ee9-000d3a4b5c6d"
KEY = RecordKey("contact", ID)
MAPPING = Mapping(
    version="m1",
    table="contact",
    field_rows=(FieldRow("firstName", FromColumn("first")), FieldRow("location.city", FromColumn("town"))),
    opt_outs=(OptOutPair("no_mail", "blackListEmail"), OptOutPair("no_phone", "blackListPhone")),
    privacy=Privacy("gdpr", "d365ExternalId"),
)
COLUMNS: MappingOf[str, Value] = {"first": "Ada", "town": "London", "no_mail": False, "no_phone": False}
FIELDS: MappingOf[str, Value] = {"firstName": "Ada", "location.city": "London"}


def after(seconds: float) -> datetime:
    """That long after NOW; before it, if negative."""
    return NOW + timedelta(seconds=seconds)


def contact(modified_on: datetime = NOW, **columns: Value) -> Contact:
    """Named columns replace the usual ones."""
    return Contact(ID, 'W/"7"', modified_on, {**COLUMNS, **columns})


def profile(changed_at: datetime = OLDEST, *, fields: MappingOf[str, Value] = FIELDS, **flags: bool) -> Profile:
    """`flags` by attribute; what is not named is FALSE."""
    values = {"blackListEmail": False, "blackListPhone": False} | flags
    return Profile("@handle", fields, {name: Flag(value, changed_at) for name, value in values.items()})


def hint(
    why: Why = Why.UPSERT,
    *,
    source: Source = Source.WEBHOOK,
    first_seen: datetime = NOW,
    columns: frozenset[str] = frozenset(),
    attempt: int = 0,
    created: bool = False,
) -> Hint:
    """About the one contact."""
    return Hint("h1", KEY, why, source, first_seen, columns, None, attempt, created)


def fact(number: int = 1, *, url: str | None = None) -> Fact:
    """Of the one contact."""
    return Fact(f"event-{number}", EmailEvent.CLICK, ID, "SPRING", "DM1", NOW, url)


def chunk(*facts: Fact, first_seen: datetime = NOW, attempt: int = 0) -> FactChunk:
    """One message of facts."""
    return FactChunk("facts/f1", facts, first_seen, attempt)
