"""Statuses and Retry-After."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.clients.calls import Request, Response
from shared.clients.dynamics.config import REASONS
from shared.clients.outcomes import busy, is_unclear, json_object, retry_after_s, unanswered
from shared.errors import Reason, Retry, Uncertain

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("17", 17.0),
        ("0", 0.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 13:01:30 +0100", 90.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_an_http_date(text, seconds):
    assert retry_after_s({"retry-after": text}, NOW) == seconds


def test_without_the_header_the_wait_is_left_to_the_back_off():
    assert retry_after_s({}, NOW) is None


@pytest.mark.parametrize("status", [429, 503])
def test_busy_means_nothing_was_done_and_says_when_to_come_back(status):
    outcome = busy(Response(status, {"retry-after": "3"}), REASONS, NOW)
    assert type(outcome) is Retry
    assert (outcome.reason, outcome.after_s) == (Reason.DYNAMICS_BUSY, 3.0)


@pytest.mark.parametrize("status", [200, 204, 401, 403, 404, 500, 502, 504])
def test_no_other_status_is_busy(status):
    assert busy(Response(status), REASONS, NOW) is None


@pytest.mark.parametrize(
    ("status", "unclear"),
    [(408, True), (500, True), (502, True), (504, True), (501, False), (404, False), (200, False)],
)
def test_which_statuses_leave_open_whether_the_request_was_carried_out(status, unclear):
    assert is_unclear(status) is unclear


@pytest.mark.parametrize(("repeatable", "kind"), [(True, Retry), (False, Uncertain)])
def test_a_missing_answer_is_only_uncertain_for_a_write_that_must_not_be_repeated(repeatable, kind):
    request = Request("dynamics", "x", "POST", "https://example.test/", repeatable=repeatable)
    assert type(unanswered(request, REASONS, "no answer")) is kind


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b"[]", b'"text"', b"", b"\xff\xfe{", b'{"cut": '])
def test_a_successful_answer_that_is_no_object_is_no_answer(body):
    with pytest.raises(Retry) as caught:
        json_object(Response(200, {}, body), REASONS)
    assert caught.value.reason is Reason.DYNAMICS_UNREACHABLE


def test_nothing_personal_or_secret_shows_in_a_repr():
    request = Request(
        "s", "k", "GET", "https://x.test/?filter=ann", {"Authorization": "Bearer t0ken"}, b"ann@example.org"
    )
    response = Response(200, {"set-cookie": "t0ken"}, b"ann@example.org")
    assert "ann" not in repr(request) + repr(response)
    assert "t0ken" not in repr(request) + repr(response)
