"""E-mail events as activities: one batch out, one verdict an order in."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from shared.clients.calls import Response
from shared.clients.dynamics.batch import Part
from shared.clients.dynamics.wire_activities import (
    Destination,
    batch_request,
    by_table,
    many_parts,
    read_batch,
    read_singles,
    single_parts,
    were_all_recorded,
)
from shared.clients.dynamics.wire_tables import Found, read_table, table_request
from shared.clients.dynamics.wire_tasks import (
    contacts_with_owners,
    owners_request,
    read_owners,
    read_task,
    task_parts,
)
from shared.domain.effects import FollowUpTask, RecordActivity
from shared.domain.fact import EmailEvent, Fact
from shared.domain.timeline import ActivityTable
from shared.errors import Halt, Reason, Retry
from shared.ports import Recorded
from shared.timeline_file import ADOBE_TABLES
from tests.unit.clients.test_dynamics_wire import CONFIG, A

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACTIVITY = "cccccccc-0000-5000-8000-000000000003"


def order(event: EmailEvent = EmailEvent.CLICK, **changes: Any) -> RecordActivity:
    values = {
        "id": "e-1",
        "event": event,
        "contact_id": A,
        "campaign": "Spring",
        "delivery": "DM190",
        "at": datetime(2026, 2, 28, 12, 0, 1, 900_000, timezone(timedelta(hours=1))),
        "tracking_url": "https://www.example.com/a",
        "mirror_page_url": "https://mirror.example.com/m",
    }
    return RecordActivity(Fact(**{**values, **changes}), ACTIVITY)


FOUND = {
    event: Found(table.name, f"{table.name}s", f"regardingobjectid_contact_{table.name}")
    for event, table in ADOBE_TABLES.tables.items()
}
TO = Destination(ADOBE_TABLES, FOUND)
CLICKS = "/api/data/v9.2/adobe_emailurlclicks"
CLICK_ROW = {
    "activityid": ACTIVITY,
    "subject": "Campaign Name: Spring; Delivery Name: DM190",
    "regardingobjectid_contact_adobe_emailurlclick@odata.bind": f"/contacts({A})",
    "adobe_campaignname": "Spring",
    "adobe_deliveryname": "DM190",
    "adobe_clickedon": "2026-02-28T11:00:01Z",
    "actualend": "2026-02-28T11:00:01Z",
    "adobe_mirrorpageurl": "https://mirror.example.com/m",
    "adobe_trackingurl": "https://www.example.com/a",
}


def body(part: Part) -> Any:
    return json.loads(part.body)


def test_a_batch_goes_on_after_a_part_that_fails():
    request = batch_request(CONFIG, single_parts(TO, [order()]), "batch_1")
    assert (request.method, request.url, request.repeatable) == ("POST", f"{CONFIG.base}/$batch", True)
    assert request.headers["Prefer"] == "odata.continue-on-error"
    assert request.headers["Content-Type"] == 'multipart/mixed; boundary="batch_1"'


def test_an_event_is_created_and_then_completed_under_an_id_of_ours():
    create, complete = single_parts(TO, [order()])
    assert (create.method, create.path, body(create)) == ("POST", f"{CLICKS}?tag=campaign-bridge", CLICK_ROW)
    assert (complete.method, complete.path) == ("PATCH", f"{CLICKS}({ACTIVITY})?tag=campaign-bridge")
    assert complete.headers["If-Match"] == "*"
    assert body(complete) == {"statecode": 1, "statuscode": 2}


def test_many_events_of_a_kind_are_created_and_completed_by_two_actions():
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.adobe_emailurlclick"}
    create, complete = many_parts(TO, [order()])
    assert create.path == f"{CLICKS}/Microsoft.Dynamics.CRM.CreateMultiple?tag=campaign-bridge"
    assert body(create) == {"Targets": [kind | CLICK_ROW]}
    assert complete.path == f"{CLICKS}/Microsoft.Dynamics.CRM.UpdateMultiple?tag=campaign-bridge"
    assert body(complete) == {"Targets": [{**kind, "activityid": ACTIVITY, "statecode": 1, "statuscode": 2}]}


def test_events_are_written_kind_by_kind():
    kinds = [EmailEvent.OPEN, EmailEvent.SEND, EmailEvent.OPEN]
    groups = by_table([order(kind, id=str(number)) for number, kind in enumerate(kinds)])
    assert [[one.fact.id for one in group] for group in groups] == [["0", "2"], ["1"]]


@pytest.mark.parametrize(
    ("event", "table", "date_column"),
    [
        (EmailEvent.SEND, "adobe_emailsend", "adobe_senton"),
        (EmailEvent.OPEN, "adobe_emailopen", "adobe_openedon"),
        (EmailEvent.BOUNCE, "adobe_emailbounce", "adobe_bouncedon"),
    ],
)
def test_each_kind_has_its_table(event, table, date_column):
    create, _ = single_parts(TO, [order(event, tracking_url=None, mirror_page_url=None)])
    assert create.path == f"/api/data/v9.2/{table}s?tag=campaign-bridge"
    row = body(create)
    assert row[date_column] == row["actualend"]
    assert not {"adobe_trackingurl", "adobe_mirrorpageurl"} & set(row)


OWN = ActivityTable("acme_click", "acme_on")
COLUMNS = ("acme_on", "acme_campaign")


def described(*relationships: tuple[str, str, str], **changes: Any) -> Response:
    """A table's description; a relationship is (attribute, referenced table, navigation property)."""
    names = ("ReferencingAttribute", "ReferencedEntity", "ReferencingEntityNavigationPropertyName")
    document = {
        "LogicalName": OWN.name,
        "EntitySetName": "acme_clickset",
        "IsActivity": True,
        "Attributes": [{"LogicalName": name} for name in (*COLUMNS, "activityid")],
        "ManyToOneRelationships": [dict(zip(names, one, strict=True)) for one in relationships],
    }
    return Response(200, {}, json.dumps({**document, **changes}).encode())


ACCOUNT = ("regardingobjectid", "account", "regardingobjectid_account_acme_click")
PLAIN = ("regardingobjectid", "contact", "regardingobjectid_contact")
OWN_NAME = ("regardingobjectid", "contact", "regardingobjectid_contact_acme_Click")
OTHER_COLUMN = ("acme_contact", "contact", "acme_Contact")


@pytest.mark.parametrize(
    ("relationships", "navigation"),
    [
        ([ACCOUNT, PLAIN, OWN_NAME], "regardingobjectid_contact_acme_Click"),
        ([OTHER_COLUMN, ACCOUNT, PLAIN], "regardingobjectid_contact"),
    ],
)
def test_entity_set_and_navigation_property_are_dataverses_own(relationships, navigation):
    url = table_request(CONFIG, OWN.name).url
    assert url.startswith(f"{CONFIG.base}/EntityDefinitions(LogicalName='acme_click')?$select=")
    assert read_table(described(*relationships), OWN, COLUMNS) == Found("acme_click", "acme_clickset", navigation)


def test_a_configured_navigation_property_is_taken_if_it_is_there():
    wanted = ActivityTable("acme_click", "acme_on", "regardingobjectid_contact")
    assert read_table(described(OWN_NAME, PLAIN), wanted, COLUMNS).regarding == "regardingobjectid_contact"
    with pytest.raises(Halt, match="no relationship regardingobjectid_contact to contact"):
        read_table(described(OWN_NAME), wanted, COLUMNS)


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (Response(404), "there is no table acme_click"),
        (described(PLAIN, IsActivity=False), "not an activity table"),
        (described(PLAIN, Attributes=[{"LogicalName": "acme_on"}]), "no column acme_campaign"),
        (described(ACCOUNT, OTHER_COLUMN), "cannot regard a contact"),
    ],
)
def test_what_a_table_lacks_is_named(response, told):
    with pytest.raises(Halt, match=told) as caught:
        read_table(response, OWN, COLUMNS)
    assert caught.value.reason is Reason.TIMELINE_TABLES


def answer(*parts: Any, status: int = 200) -> Response:
    """A batch's answer with parts of (status, code) or (status, code, headers)."""
    body = b""
    for part_status, code, *headers in parts:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers[0] if headers else {}).items())
        error = json.dumps({"error": {"code": code, "message": "secret text"}}) if code else ""
        head = f"--r\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {part_status} X\r\n{lines}\r\n{error}\r\n"
        body += head.encode()
    return Response(status, {"content-type": "multipart/mixed; boundary=r"}, body + b"--r--\r\n")


@pytest.mark.parametrize(
    ("created", "completed", "recorded"),
    [
        ((204, ""), (204, ""), Recorded.DONE),
        ((201, ""), (204, ""), Recorded.DONE),
        ((412, "0x80040237"), (204, ""), Recorded.DONE),
        ((400, "0x80040237"), (204, ""), Recorded.DONE),
        ((412, ""), (400, "0x80040203"), Recorded.DONE),
        ((404, "0x80040217"), (404, "0x80040217"), Recorded.NO_CONTACT),
        ((400, "0x80040217"), (404, "0x80040217"), Recorded.NO_CONTACT),
        ((404, ""), (404, ""), Recorded.NO_CONTACT),
        ((404, "0x80060888"), (404, "0x80060888"), Recorded.REFUSED),
        ((400, "0x80048d19"), (404, "0x80040217"), Recorded.REFUSED),
        ((400, ""), (404, ""), Recorded.REFUSED),
        ((204, ""), (400, "0x80040203"), Recorded.REFUSED),
    ],
)
def test_what_became_of_an_order(created, completed, recorded):
    assert read_singles(read_batch(answer(created, completed), 2), NOW) == [recorded]


def test_verdicts_come_in_the_order_of_the_orders():
    parts = [(204, ""), (404, "0x80040217"), (400, ""), (204, ""), (404, ""), (404, "")]
    assert read_singles(read_batch(answer(*parts), 6), NOW) == [Recorded.DONE, Recorded.NO_CONTACT, Recorded.REFUSED]


@pytest.mark.parametrize(
    ("part", "kind", "reason"),
    [
        ((429, "0x80072322", {"Retry-After": "9"}), Retry, Reason.DYNAMICS_BUSY),
        ((503, ""), Retry, Reason.DYNAMICS_BUSY),
        ((500, "0x80044150"), Retry, Reason.DYNAMICS_UNREACHABLE),
        ((403, "0x80040220"), Halt, Reason.DYNAMICS_CREDENTIALS),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_part_that_may_work_later_makes_the_whole_come_back(part, kind, reason, place):
    parts = [(204, ""), (204, "")]
    parts[place] = part
    with pytest.raises(kind) as caught:
        read_singles(read_batch(answer(*parts), 2), NOW)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert caught.value.after_s == (9.0 if part[0] == 429 else None)
    assert "secret text" not in str(caught.value)


@pytest.mark.parametrize(
    ("response", "kind", "reason"),
    [
        (answer((204, "")), Retry, Reason.DYNAMICS_UNREACHABLE),
        (Response(200, {"content-type": "text/html"}, b"<html>"), Retry, Reason.DYNAMICS_UNREACHABLE),
        (Response(504), Retry, Reason.DYNAMICS_UNREACHABLE),
        (Response(403), Halt, Reason.DYNAMICS_CREDENTIALS),
        (Response(400), Halt, Reason.DYNAMICS_MISCONFIGURED),
    ],
)
def test_an_answer_that_is_not_the_batchs(response, kind, reason):
    with pytest.raises(kind) as caught:
        read_batch(response, 2)
    assert (type(caught.value), caught.value.reason) == (kind, reason)


@pytest.mark.parametrize("status", [400, 404, 403, 412, 500, 504])
def test_a_kind_that_was_refused_as_a_whole_is_tried_event_by_event(status):
    ok, bad = Response(200), Response(status)
    assert were_all_recorded([ok, ok], NOW)
    assert not were_all_recorded([ok, bad], NOW)
    assert not were_all_recorded([bad, ok], NOW)


def test_a_kind_that_should_wait_waits():
    with pytest.raises(Retry) as caught:
        were_all_recorded([Response(429, {"retry-after": "9"}), Response(429)], NOW)
    assert (caught.value.reason, caught.value.after_s) == (Reason.DYNAMICS_BUSY, 9)


def with_task(owner: str, contact: str = A, task_id: str = "t-1") -> RecordActivity:
    task = FollowUpTask(task_id, "Follow up", "text", datetime(2026, 3, 2, 12, 0, 1, 5, tzinfo=UTC), owner)
    return replace(order(contact_id=contact), task=task)


@pytest.mark.parametrize(
    ("owner", "bound"),
    [
        ("application_user", None),
        ("contact_owner", "/teams(7)"),
        (A, f"/systemusers({A})"),
    ],
)
def test_a_task_regards_the_contact_and_has_its_owner_and_due_date(owner, bound):
    (part,) = task_parts([with_task(owner), order()], {A: "/teams(7)"}).values()
    assert (part.method, part.path) == ("POST", "/api/data/v9.2/tasks?tag=campaign-bridge")
    row = body(part)
    assert row.pop("ownerid@odata.bind", None) == bound
    assert row == {
        "activityid": "t-1",
        "subject": "Follow up",
        "description": "text",
        "scheduledend": "2026-03-02T12:00:01Z",
        "regardingobjectid_contact_task@odata.bind": f"/contacts({A})",
    }


def test_events_that_share_a_task_ask_for_it_once():
    orders = [with_task("contact_owner"), with_task("contact_owner"), with_task(A, task_id="t-2")]
    assert list(task_parts(orders, {})) == ["t-1", "t-2"]
    assert contacts_with_owners([*orders, order()]) == [A]


def test_owners_are_users_or_teams():
    request = owners_request(CONFIG, [A])
    assert "%24select" not in request.url
    assert "_ownerid_value" in request.url
    assert "lookuplogicalname" in request.headers["Prefer"]
    kind = "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"
    rows = [
        {"contactid": A.upper(), "_ownerid_value": "7", kind: "team"},
        {"contactid": "b", "_ownerid_value": "8", kind: "systemuser"},
        {"contactid": "c", "_ownerid_value": None},
    ]
    answered = Response(200, {}, json.dumps({"value": rows}).encode())
    assert read_owners(answered) == {A: "/teams(7)", "b": "/systemusers(8)"}


@pytest.mark.parametrize(
    ("part", "recorded"),
    [
        ((204, ""), Recorded.DONE),
        ((412, "0x80040237"), Recorded.DONE),
        ((404, "0x80040217"), Recorded.NO_CONTACT),
        ((403, "0x80040220"), Recorded.REFUSED),
        ((400, "0x80044331"), Recorded.REFUSED),
    ],
)
def test_a_task_that_is_refused_concerns_its_event_alone(part, recorded):
    (answered,) = read_batch(answer(part), 1)
    assert read_task(answered, NOW) is recorded


@pytest.mark.parametrize("part", [(429, "0x80072322"), (500, "")])
def test_a_task_that_may_work_later_makes_the_whole_come_back(part):
    (answered,) = read_batch(answer(part), 1)
    with pytest.raises(Retry):
        read_task(answered, NOW)
