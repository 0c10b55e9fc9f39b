"""Activity tables, columns and their main form, as documents that Dataverse takes."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.fact import EmailEvent
from shared.domain.timeline import ActivityTables

_CRM = "Microsoft.Dynamics.CRM."
_ENGLISH = 1033
_FORMS = uuid.UUID("0c9a2f38-7c56-5e0d-9d9c-8f6b7c8e4c11")
_TITLES = {
    EmailEvent.SEND: ("Campaign Email Send", "Date Sent"),
    EmailEvent.OPEN: ("Campaign Email Open", "Date Opened"),
    EmailEvent.CLICK: ("Campaign Email URL Click", "Date Clicked"),
    EmailEvent.BOUNCE: ("Campaign Email Bounce", "Date Bounced"),
}
# The platform's names for a form's controls.
_TEXT_CONTROL = "{4273EDBD-AC1D-40d3-9FB2-095C621B552D}"
_URL_CONTROL = "{71716B6C-711E-476C-8AB8-5D11542BFB47}"
_DATE_CONTROL = "{5B773807-9FB2-42DB-97C3-7A91EFF8ADFF}"


@dataclass(frozen=True)
class ColumnShape:
    """A column to be made; `url` shows a text as a link, `date` is a moment."""

    name: str
    title: str
    length: int = 400
    url: bool = False
    date: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """For `POST …/Attributes`."""
        return {**self._kind, "SchemaName": self.name, "DisplayName": label(self.title), "RequiredLevel": _optional()}

    @property
    def control(self) -> str:
        """How a form shows it."""
        return _DATE_CONTROL if self.date else _URL_CONTROL if self.url else _TEXT_CONTROL

    @property
    def _kind(self) -> dict[str, Any]:
        if self.date:
            behavior = {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}}
            return {"@odata.type": f"{_CRM}DateTimeAttributeMetadata", **behavior}
        text = {"MaxLength": self.length, "FormatName": {"Value": "Url" if self.url else "Text"}}
        return {"@odata.type": f"{_CRM}StringAttributeMetadata", **text}


@dataclass(frozen=True)
class TableShape:
    """An activity table to be made."""

    name: str
    title: str
    columns: tuple[ColumnShape, ...]

    @property
    def document(self) -> dict[str, Any]:
        """For `POST EntityDefinitions`: with its subject alone. The platform adds the columns of every activity."""
        subject = {
            "@odata.type": f"{_CRM}StringAttributeMetadata",
            "SchemaName": "Subject",
            "IsPrimaryName": True,
            "MaxLength": 400,
            "FormatName": {"Value": "Text"},
            "DisplayName": label("Subject"),
            "RequiredLevel": _optional(),
        }
        return {
            "@odata.type": f"{_CRM}EntityMetadata",
            "SchemaName": self.name,
            "DisplayName": label(self.title),
            "DisplayCollectionName": label(f"{self.title}s"),
            "OwnershipType": "UserOwned",
            "IsActivity": True,
            "ActivityTypeMask": 0,
            "HasActivities": False,
            "HasNotes": True,
            "IsAvailableOffline": True,
            "IsMailMergeEnabled": {"Value": False, "CanBeChanged": False},
            "Attributes": [subject],
        }


def shapes(tables: ActivityTables) -> list[TableShape]:
    """The four of them, with the configured names."""
    return [_shape(event, tables) for event in EmailEvent]


def _shape(event: EmailEvent, tables: ActivityTables) -> TableShape:
    title, date_title = _TITLES[event]
    columns = [
        ColumnShape(tables.campaign_column, "Campaign Name"),
        ColumnShape(tables.delivery_column, "Delivery Name"),
        ColumnShape(tables.tables[event].date_column, date_title, date=True),
        ColumnShape(tables.mirror_page_column, "Mirror Page URL", 2000, url=True),
    ]
    if event is EmailEvent.CLICK:
        columns.append(ColumnShape(tables.tracking_column, "Tracking URL", 2000, url=True))
    return TableShape(tables.tables[event].name, title, tuple(columns))


def label(text: str) -> dict[str, Any]:
    """A text that people read, in English."""
    localized = {"@odata.type": f"{_CRM}LocalizedLabel", "Label": text, "LanguageCode": _ENGLISH}
    return {"@odata.type": f"{_CRM}Label", "LocalizedLabels": [localized]}


def tracked(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A table's definition as it was read, for `PUT`, with change tracking on."""
    whole = {name: value for name, value in definition.items() if not name.startswith("@odata.context")}
    return {**whole, "ChangeTrackingEnabled": True}


def publish_document(tables: Sequence[str]) -> dict[str, str]:
    """For `POST PublishXml`."""
    names = "".join(f"<entity>{name}</entity>" for name in tables)
    return {"ParameterXml": f"<importexportxml><entities>{names}</entities></importexportxml>"}


def missing_on_form(form_xml: str, columns: Sequence[ColumnShape]) -> list[ColumnShape]:
    """The columns that a form does not show. Raises ValueError for a form that is not readable."""
    shown = {control.get("datafieldname") for control in _parsed(form_xml).iter("control")}
    return [column for column in columns if column.name not in shown]


def with_columns(form_xml: str, table: str, columns: Sequence[ColumnShape]) -> str:
    """The form with these columns below the rows of its first section. Raises ValueError for a form without any."""
    form = _parsed(form_xml)
    rows = form.find(".//section/rows")
    if rows is None:
        raise ValueError("the form has no section with rows")
    for column in columns:
        rows.append(_form_row(table, column))
    return ElementTree.tostring(form, encoding="unicode")


def _form_row(table: str, column: ColumnShape) -> ElementTree.Element:
    row = ElementTree.Element("row")
    cell_id = str(uuid.uuid5(_FORMS, f"{table}/{column.name}"))
    cell = ElementTree.SubElement(row, "cell", {"id": f"{{{cell_id}}}"})
    labels = ElementTree.SubElement(cell, "labels")
    ElementTree.SubElement(labels, "label", {"description": column.title, "languagecode": str(_ENGLISH)})
    names = {"id": column.name, "classid": column.control, "datafieldname": column.name}
    ElementTree.SubElement(cell, "control", names)
    return row


def _parsed(form_xml: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(form_xml)  # noqa: S314 - the environment's own form, read as its administrator
    except ElementTree.ParseError as error:
        raise ValueError(f"the form is not readable: {error}") from None


def _optional() -> Mapping[str, Any]:
    return {"Value": "None", "CanBeChanged": True, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings"}
