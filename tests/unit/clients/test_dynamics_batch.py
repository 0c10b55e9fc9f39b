"""`$batch` bodies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.calls import Response
from shared.clients.dynamics import batch
from shared.clients.dynamics.batch import Part, UnreadableBatchError


def test_a_body_is_multipart_with_crlf_everywhere():
    parts = [Part("POST", "/api/tasks", {"Content-Type": "application/json"}, b"{}"), Part("GET", "/api/WhoAmI")]
    assert batch.build(parts, "batch_1") == (
        b"--batch_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        b"POST /api/tasks HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{}\r\n"
        b"--batch_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        b"GET /api/WhoAmI HTTP/1.1\r\n\r\n\r\n"
        b"--batch_1--\r\n"
    )


def test_the_limit_and_the_boundary_are_guarded():
    with pytest.raises(ValueError, match="at most 1000"):
        batch.build([Part("GET", "/")] * 1001, "b")
    with pytest.raises(ValueError, match="boundary"):
        batch.build([Part("POST", "/", {}, b"..--batch_1..")], "batch_1")


ANSWER = (
    b"preamble to be ignored\r\n"
    b"--batchresponse_7\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b"HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\nOData-EntityId: https://x/tasks(1)\r\n\r\n\r\n"
    b"--batchresponse_7\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 9\r\n\r\n"
    b'{"error":{"code":"0x80072322","message":"--batch lines"}}\r\n'
    b"--batchresponse_7--\r\n"
)


def response(body: bytes, content_type: str = "multipart/mixed; boundary=batchresponse_7") -> Response:
    return Response(200, {"content-type": content_type}, body)


@pytest.mark.parametrize(
    "content_type", ["multipart/mixed; boundary=batchresponse_7", 'multipart/mixed;Boundary="batchresponse_7"; x=y']
)
def test_answers_are_read_in_order(content_type):
    first, second = batch.read(response(ANSWER, content_type))
    assert (first.status, first.headers["odata-entityid"]) == (204, "https://x/tasks(1)")
    assert (second.status, second.headers, second.json()["error"]["code"]) == (429, {"retry-after": "9"}, "0x80072322")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        ANSWER[:-4],
        ANSWER[:200],
        ANSWER.replace(b"HTTP/1.1 204", b"nonsense"),
        ANSWER.replace(b"_7", b"_8"),
    ],
)
def test_a_cut_or_strange_answer_is_an_error(body):
    with pytest.raises(UnreadableBatchError):
        batch.read(response(body))


def test_an_answer_that_is_not_multipart_is_an_error():
    with pytest.raises(UnreadableBatchError):
        batch.read(response(ANSWER, "application/json"))


@given(st.lists(st.tuples(st.integers(200, 599), st.binary(max_size=40)), max_size=5))
def test_whatever_the_parts_hold_they_come_back_whole(parts):
    opening = b"--b7c1\r\nContent-Type: application/http\r\n\r\n"
    pieces = [opening + b"HTTP/1.1 %d X\r\nA: b\r\n\r\n" % status + body + b"\r\n" for status, body in parts]
    answers = batch.read(response(b"".join(pieces) + b"--b7c1--", "multipart/mixed; boundary=b7c1"))
    assert [(answer.status, answer.body) for answer in answers] == parts
