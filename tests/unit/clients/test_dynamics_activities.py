"""E-mail events as activities: one batch out, one verdict an order in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from shared.clients.calls import Request, Response
from shared.clients.dynamics.wire_activities import (
    ADOBE_TABLES,
    ActivityTable,
    ActivityTables,
    activities_request,
    read_activities,
)
from shared.domain.effects import RecordActivity
from shared.domain.fact import EmailEvent, Fact
from shared.errors import Halt, Reason, Retry
from shared.ports import Recorded
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


def operations(request: Request) -> Iterator[tuple[str, str, dict[str, str], dict[str, object]]]:
    """Method, path, headers and JSON body of every part."""
    pieces = (request.body or b"").decode().split("--batch_1")[1:-1]
    for piece in pieces:
        _mime, head, body = piece.strip("\r\n").split("\r\n\r\n")
        line, *headers = head.split("\r\n")
        method, path, _version = line.split(" ")
        yield method, path, dict(header.split(": ") for header in headers), json.loads(body)


def test_an_event_is_created_and_then_completed_under_an_id_of_ours():
    request = activities_request(CONFIG, [order()], ADOBE_TABLES, "batch_1")
    assert (request.method, request.url, request.repeatable) == ("POST", f"{CONFIG.base}/$batch", True)
    assert request.headers["Prefer"] == "odata.continue-on-error"
    assert request.headers["Content-Type"] == 'multipart/mixed; boundary="batch_1"'
    create, complete = operations(request)
    assert create[:2] == ("POST", "/api/data/v9.2/adobe_emailurlclicks?tag=campaign-bridge")
    assert create[3] == {
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
    assert complete[:2] == ("PATCH", f"/api/data/v9.2/adobe_emailurlclicks({ACTIVITY})?tag=campaign-bridge")
    assert complete[2]["If-Match"] == "*"
    assert complete[3] == {"statecode": 1, "statuscode": 2}


@pytest.mark.parametrize(
    ("event", "table", "date_column"),
    [
        (EmailEvent.SEND, "adobe_emailsend", "adobe_senton"),
        (EmailEvent.OPEN, "adobe_emailopen", "adobe_openedon"),
        (EmailEvent.BOUNCE, "adobe_emailbounce", "adobe_bouncedon"),
    ],
)
def test_each_kind_has_its_table(event, table, date_column):
    bare = order(event, tracking_url=None, mirror_page_url=None)
    (_, path, _, row), _ = operations(activities_request(CONFIG, [bare], ADOBE_TABLES, "batch_1"))
    assert path == f"/api/data/v9.2/{table}s?tag=campaign-bridge"
    assert row[date_column] == row["actualend"]
    assert not {"adobe_trackingurl", "adobe_mirrorpageurl"} & set(row)


@pytest.mark.parametrize(
    ("name", "entities"),
    [("acme_click", "acme_clicks"), ("acme_press", "acme_presses"), ("acme_touch", "acme_touches")],
)
def test_other_tables_are_a_matter_of_configuration(name, entities):
    assert ActivityTable(name, "d").entities == entities
    own = ActivityTables({EmailEvent.CLICK: ActivityTable(name, "acme_on", "acme_set", "regardingobjectid_contact")})
    (_, path, _, row), _ = operations(activities_request(CONFIG, [order()], own, "batch_1"))
    assert path.startswith("/api/data/v9.2/acme_set?")
    assert row["regardingobjectid_contact@odata.bind"] == f"/contacts({A})"


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
    assert read_activities(answer(created, completed), 1, NOW) == [recorded]


def test_verdicts_come_in_the_order_of_the_orders():
    parts = [(204, ""), (404, "0x80040217"), (400, ""), (204, ""), (404, ""), (404, "")]
    assert read_activities(answer(*parts), 3, NOW) == [Recorded.DONE, Recorded.NO_CONTACT, Recorded.REFUSED]


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
        read_activities(answer(*parts), 1, NOW)
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
        read_activities(response, 1, NOW)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
