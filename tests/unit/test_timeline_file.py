"""`timeline.yaml`: taken whole or refused with every fault named; what is left out is Adobe's."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import pytest

from shared.domain.event_log import DeliveryLog, EventShape, LogForm, TrackingLog
from shared.domain.fact import EmailEvent
from shared.domain.timeline import OnePer, TaskRule
from shared.mapping_file import document
from shared.timeline_file import ADOBE_TABLES, TimelineFileError, read
from tests.architecture.declared import ROOT

SHIPPED = read((ROOT / "timeline.yaml").read_text(encoding="utf-8"))


def test_an_empty_file_shows_everything_in_adobes_tables_and_makes_no_tasks() -> None:
    timeline = read("")
    assert timeline.rules.events == frozenset(EmailEvent)
    assert timeline.rules.tasks == {}
    assert timeline.tables == ADOBE_TABLES
    assert [table.name for table in ADOBE_TABLES.tables.values()] == [
        "adobe_emailsend",
        "adobe_emailopen",
        "adobe_emailurlclick",
        "adobe_emailbounce",
    ]


def test_the_shipped_file_spells_the_defaults_out() -> None:
    assert SHIPPED.tables == ADOBE_TABLES
    assert SHIPPED.rules.events == frozenset(EmailEvent)
    assert SHIPPED.journal == read("").journal == EventShape()
    told = document.read((ROOT / "timeline.yaml").read_text(encoding="utf-8")).value["journal"]
    assert told.keys() == {f.name for f in fields(EventShape)} - {"kinds", "ignored"} | {"types"}
    assert told["types"].keys() == {*EmailEvent, "ignored"}


def test_the_journals_words_and_paths_are_named_otherwise() -> None:
    shape = read("journal: {at: body.time, types: {open: [Opened, Re-opened], ignored: [unsubscribe]}}").journal
    assert shape.at == "body.time"
    assert shape.kinds == {
        "send": EmailEvent.SEND,
        "Opened": EmailEvent.OPEN,
        "Re-opened": EmailEvent.OPEN,
        "click": EmailEvent.CLICK,
        "bounce": EmailEvent.BOUNCE,
    }
    assert shape.ignored == {"unsubscribe"}


def test_a_word_of_the_journal_stands_for_one_kind() -> None:
    with pytest.raises(TimelineFileError, match=r"journal\.types: click stands for two kinds"):
        read("journal: {types: {open: [click]}}")


def test_the_shipped_file_spells_the_log_files_form_out() -> None:
    assert SHIPPED.log_files == read("").log_files == LogForm()
    told = document.read((ROOT / "timeline.yaml").read_text(encoding="utf-8")).value["log_files"]
    assert told.keys() == {f.name for f in fields(LogForm)}
    assert told["delivery_log"].keys() == {f.name for f in fields(DeliveryLog)}
    assert told["tracking_log"].keys() == {f.name for f in fields(TrackingLog)}


def test_columns_and_words_of_the_log_files_are_named_otherwise() -> None:
    text = "log_files: {delimiter: ',', delivery_log: {at: Date, sent: [Envoy\u00e9], bounce_type: }}"
    form = read(text).log_files
    assert form == LogForm(delimiter=",", delivery_log=DeliveryLog(at="Date", sent=("envoy\u00e9",), bounce_type=None))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{delimiter: ab}", "log_files.delimiter"),
        ("{encoding: utf-9}", "log_files.encoding: no encoding of text that is known"),
        ("{time_format: ISO}", "log_files.time_format"),
        ("{delivery_log: {id: }}", "log_files.delivery_log.id"),
        ("{delivery_log: {sent: [1]}}", "log_files.delivery_log.sent.0"),
        ("{tracking_log: {opened: yes}}", "log_files.tracking_log.opened"),
        ("{tracking_log: {status: x}}", "log_files.tracking_log.status"),
    ],
)
def test_a_wrong_form_of_the_log_files_is_named(text: str, fault: str) -> None:
    with pytest.raises(TimelineFileError) as refused:
        read(f"log_files: {text}")
    assert fault in str(refused.value)


def test_the_shipped_file_makes_a_task_of_a_click_and_of_a_bounce() -> None:
    assert set(SHIPPED.rules.tasks) == {EmailEvent.CLICK, EmailEvent.BOUNCE}
    assert {task.owner for task in SHIPPED.rules.tasks.values()} == {"contact_owner"}


def test_only_the_clicks_table_has_a_tracking_url() -> None:
    having = [event for event in EmailEvent if ADOBE_TABLES.tracking_column in ADOBE_TABLES.columns(event)]
    assert having == [EmailEvent.CLICK]


@pytest.mark.parametrize("event", list(EmailEvent))
def test_a_kind_is_switched_off(event: EmailEvent) -> None:
    assert read(f"events: {{{event}: false}}").rules.events == frozenset(EmailEvent) - {event}


def test_a_task_as_it_is_written() -> None:
    text = (
        "tasks: {click: {subject: '{delivery}!', description: x, due_days: 0, one_per: event, max_age_days: 2,"
        " owner: 5b6f4a1c-77d2-ef11-8ee9-000d3a4b5c6d}}"
    )
    (task,) = read(text).rules.tasks.values()
    owner = "5b6f4a1c-77d2-ef11-8ee9-000d3a4b5c6d"
    assert task == TaskRule("{delivery}!", "x", timedelta(0), owner, OnePer.EVENT, timedelta(days=2))


def test_a_task_is_switched_off_without_losing_its_texts() -> None:
    assert read("tasks: {bounce: {enabled: false, subject: x}}").rules.tasks == {}


def test_names_and_the_relationship_are_configuration() -> None:
    tables = read("tables: {send: {table: acme_sent, date: acme_on, regarding: regardingobjectid_contact}}").tables
    send = tables.tables[EmailEvent.SEND]
    assert (send.name, send.date_column, send.regarding) == ("acme_sent", "acme_on", "regardingobjectid_contact")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("events: {send: yes}", "events.send"),
        ("evens: {}", "evens"),
        ("tables: {send: {table: Adobe Send, date: adobe_on}}", "tables.send.table"),
        ("tables: {send: {table: adobe_send}}", "tables.send.date"),
        ("tasks: {open: {subject: x}}", "tasks.open"),
        ("tasks: {click: {}}", "tasks.click.subject"),
        ("tasks: {click: {subject: '{contact}'}}", "{contact} is not known here"),
        ("tasks: {click: {subject: 'a { b'}}", "not closed"),
        ("tasks: {click: {subject: x, owner: Ada}}", "tasks.click.owner"),
        ("tasks: {click: {subject: x, one_per: week}}", "tasks.click.one_per"),
        ("tasks: {click: {subject: x, due_days: -1}}", "tasks.click.due_days"),
        ("tasks: {click: {subject: x, max_age_days: 0}}", "tasks.click.max_age_days"),
        ("journal: {at: a..b}", "journal.at"),
        ("- a", "the file"),
        ("a: [", "not YAML"),
        ("events: {send: true, send: false}", "twice"),
    ],
)
def test_what_is_wrong_is_named(text: str, told: str) -> None:
    with pytest.raises(TimelineFileError) as caught:
        read(text)
    assert told in str(caught.value)
    assert "docs/flows/engagement.md" in str(caught.value)


def test_all_faults_are_named_together() -> None:
    with pytest.raises(TimelineFileError) as caught:
        read("events: {send: 1}\ncolumns: {campaign: X}\nmore: 1")
    assert all(place in str(caught.value) for place in ("events.send", "columns.campaign", "more"))


@pytest.mark.parametrize("subject", ["", " ", "{url}", "{campaign} {delivery}"])
def test_a_tasks_subject_may_not_come_out_empty(subject: str) -> None:
    """Dataverse takes no task without one, and a bounce has no address."""
    with pytest.raises(TimelineFileError, match="write some words beside the placeholders"):
        read(f"tasks: {{bounce: {{subject: '{subject}'}}}}")
