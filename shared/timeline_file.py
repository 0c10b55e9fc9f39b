"""`timeline.yaml` → what the timeline shows and where; every name has Adobe's as its default."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from shared.domain import template
from shared.domain.event_log import DeliveryLog, EventShape, LogForm, TrackingLog
from shared.domain.fact import EmailEvent
from shared.domain.timeline import (
    APPLICATION_USER,
    CONTACT_OWNER,
    ActivityTable,
    ActivityTables,
    OnePer,
    TaskRule,
    Timeline,
    TimelineRules,
)
from shared.mapping_file import document
from shared.settings import SettingsError

USUAL, SHAPE = LogForm(), EventShape()
PLACEHOLDERS = ("campaign", "delivery", "date", "url")
_OWNER = rf"^({CONTACT_OWNER}|{APPLICATION_USER}|[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})$"


class TimelineFileError(SettingsError):
    """The file does not do. The text names every fault and its place."""


def _text(value: str) -> str:
    try:
        parts = template.parse(value)
    except template.TemplateError as error:
        raise ValueError(f"{error} (character {error.at + 1})") from None
    unknown = sorted({part.column for part in parts if isinstance(part, template.Slot)} - {*PLACEHOLDERS})
    if unknown:
        raise ValueError(
            f"{{{unknown[0]}}} is not known here; write {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}"
        )
    return value


def _subject(value: str) -> str:
    words = [part for part in template.parse(value) if isinstance(part, str)]
    if not "".join(words).strip():
        raise ValueError("write some words beside the placeholders: an event may leave all of them empty")
    return value


def _encoding(value: str) -> str:
    try:
        "".encode(value)
    except LookupError:
        raise ValueError("no encoding of text that is known") from None
    return value


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,7}_[a-z0-9_]{1,90}$")]
Navigation = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,200}$")]
Text = Annotated[str, AfterValidator(_text)]
Header = Annotated[str, Field(min_length=1, max_length=200)]
Listed = Annotated[tuple[Header, ...], Strict(False)]
Words = Annotated[tuple[Header, ...], Strict(False), AfterValidator(lambda words: tuple(map(str.lower, words)))]
Encoding = Annotated[str, AfterValidator(_encoding)]
Path = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]


class _Model(BaseModel):
    """Unknown keys are refused, and `yes` is no truth value."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Events(_Model):
    send: bool = True
    open: bool = True
    click: bool = True
    bounce: bool = True


class _Table(_Model):
    table: Name
    date: Name
    regarding: Navigation | None = None


class _Tables(_Model):
    send: _Table = _Table(table="adobe_emailsend", date="adobe_senton")
    open: _Table = _Table(table="adobe_emailopen", date="adobe_openedon")
    click: _Table = _Table(table="adobe_emailurlclick", date="adobe_clickedon")
    bounce: _Table = _Table(table="adobe_emailbounce", date="adobe_bouncedon")


class _Columns(_Model):
    campaign: Name = "adobe_campaignname"
    delivery: Name = "adobe_deliveryname"
    mirror_page: Name = "adobe_mirrorpageurl"
    tracking: Name = "adobe_trackingurl"


class _Task(_Model):
    enabled: bool = True
    subject: Annotated[Text, AfterValidator(_subject)] = Field(max_length=200)
    description: Text = Field("", max_length=2000)
    due_days: int = Field(1, ge=0, le=365)
    owner: str = Field(CONTACT_OWNER, pattern=_OWNER)
    one_per: OnePer = Field(OnePer.DELIVERY, strict=False)
    max_age_days: int = Field(7, ge=1)


class _Tasks(_Model):
    click: _Task | None = None
    bounce: _Task | None = None


class _Types(_Model):
    """The payload's words for each kind, and for what is not wanted."""

    send: Listed = ("send",)
    open: Listed = ("open",)
    click: Listed = ("click",)
    bounce: Listed = ("bounce",)
    ignored: Listed = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        words = Counter(word for _, listed in self for word in listed)
        if twice := sorted(word for word, times in words.items() if times > 1):
            raise ValueError(f"{', '.join(twice)} stands for two kinds")
        return self


class _Journal(_Model):
    id: Path = SHAPE.id
    type: Path = SHAPE.type
    types: _Types = _Types()
    at: Path = SHAPE.at
    contact: Path = SHAPE.contact
    campaign: Path = SHAPE.campaign
    delivery: Path = SHAPE.delivery
    tracking_url: Path = SHAPE.tracking_url
    mirror_page_url: Path = SHAPE.mirror_page_url
    bounce_type: Path = SHAPE.bounce_type
    hard: str = SHAPE.hard

    def shape(self) -> EventShape:
        kinds = {word: event for event in EmailEvent for word in getattr(self.types, event)}
        paths = self.model_dump(exclude={"types"})
        return EventShape(**paths, kinds=kinds, ignored=frozenset(self.types.ignored))


class _Log(_Model):
    """The columns that both logs have."""

    files: Header
    id: Header = USUAL.delivery_log.id
    contact: Header = USUAL.delivery_log.contact
    campaign: Header = USUAL.delivery_log.campaign
    delivery: Header = USUAL.delivery_log.delivery
    at: Header
    mirror_page_url: Header | None = USUAL.delivery_log.mirror_page_url


class _DeliveryLog(_Log):
    files: Header = USUAL.delivery_log.files
    at: Header = USUAL.delivery_log.at
    status: Header = USUAL.delivery_log.status
    sent: Words = USUAL.delivery_log.sent
    failed: Words = USUAL.delivery_log.failed
    bounce_type: Header | None = USUAL.delivery_log.bounce_type
    hard: Words = USUAL.delivery_log.hard


class _TrackingLog(_Log):
    files: Header = USUAL.tracking_log.files
    at: Header = USUAL.tracking_log.at
    type: Header = USUAL.tracking_log.type
    opened: Words = USUAL.tracking_log.opened
    tracking_url: Header = USUAL.tracking_log.tracking_url


class _LogFiles(_Model):
    delimiter: str = Field(USUAL.delimiter, pattern=r"^[^\"\r\n]$")
    encoding: Encoding = USUAL.encoding
    time_format: str | None = Field(USUAL.time_format, pattern="%")
    delivery_log: _DeliveryLog = _DeliveryLog()
    tracking_log: _TrackingLog = _TrackingLog()

    def form(self) -> LogForm:
        return LogForm(
            delimiter=self.delimiter,
            encoding=self.encoding,
            time_format=self.time_format,
            delivery_log=DeliveryLog(**self.delivery_log.model_dump()),
            tracking_log=TrackingLog(**self.tracking_log.model_dump()),
        )


class _File(_Model):
    events: _Events = _Events()
    tables: _Tables = _Tables()
    columns: _Columns = _Columns()
    tasks: _Tasks = _Tasks()
    journal: _Journal = _Journal()
    log_files: _LogFiles = _LogFiles()


def read(text: str) -> Timeline:
    """Raises TimelineFileError."""
    source = document.read(text)
    problems = [f"line {found.line}: {found.reason}" for found in source.findings]
    if problems:
        raise _refused(problems)
    try:
        return _timeline(_File.model_validate({} if source.value is None else source.value))
    except ValidationError as error:
        places = (".".join(map(str, fault["loc"])) or "the file" for fault in error.errors())
        reasons = (fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise _refused([f"{place}: {reason}" for place, reason in zip(places, reasons, strict=True)]) from None


def _refused(problems: list[str]) -> TimelineFileError:
    return TimelineFileError(
        "TIMELINE_FILE does not do (docs/flows/engagement.md explains each key):\n  " + "\n  ".join(problems)
    )


def _timeline(file: _File) -> Timeline:
    tables = {event: _table(getattr(file.tables, event)) for event in EmailEvent}
    columns = file.columns
    return Timeline(
        TimelineRules(
            events=frozenset(event for event in EmailEvent if getattr(file.events, event)),
            tasks={event: _task(task) for event in EmailEvent if (task := _enabled(file.tasks, event))},
        ),
        ActivityTables(tables, columns.campaign, columns.delivery, columns.mirror_page, columns.tracking),
        file.journal.shape(),
        file.log_files.form(),
    )


def _table(table: _Table) -> ActivityTable:
    return ActivityTable(table.table, table.date, table.regarding)


def _enabled(tasks: _Tasks, event: EmailEvent) -> _Task | None:
    task: _Task | None = getattr(tasks, event, None)
    return task if task and task.enabled else None


def _task(task: _Task) -> TaskRule:
    return TaskRule(
        subject=task.subject,
        description=task.description,
        due=timedelta(days=task.due_days),
        owner=task.owner,
        one_per=task.one_per,
        max_age=timedelta(days=task.max_age_days),
    )


ADOBE_TABLES = read("").tables
