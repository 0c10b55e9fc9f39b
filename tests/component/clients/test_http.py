"""The HTTP client over real sockets: what was sent, what was not, and what stays unknown."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from sandbox.tls import ensure_tls
from shared.clients.calls import NotSentError, Request, UnansweredError
from shared.clients.http import Http
from tests.component.clients.scripted_server import ScriptedServer, hang_up, hold, reply, stop_half_way


def request(url: str, method: str = "POST", **more: Any) -> Request:
    return Request("campaign", "profile", method, url, body=b"{}" if method != "GET" else None, **more)


async def test_an_answer_comes_back_whole_whatever_its_status(http, server):
    server.will(reply(418, text="short and stout", Retry_After="7"))
    answer = await http.send(request(f"{server.url}/a%2Fb?x=%24y%2Bz", headers={"X-Api-Key": "k"}), 5)
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (418, b"short and stout", "7")
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/a%2Fb?x=%24y%2Bz", b"{}")
    assert asked.headers["X-Api-Key"] == "k"


async def test_redirects_are_answers_like_any_other(http, server):
    server.will(reply(302, Location="https://elsewhere.example.test/"))
    assert (await http.send(request(server.url, "GET"), 5)).status == 302
    assert len(server.asked) == 1


async def test_a_cookie_is_not_carried_on(http, server):
    server.will(reply(200, Set_Cookie="a=b"), reply(200))
    await http.send(request(server.url, "GET"), 5)
    await http.send(request(server.url, "GET"), 5)
    assert "Cookie" not in server.asked[1].headers


async def test_connections_are_kept_open(http, server):
    ports = set()

    async def note_port(web_request):
        ports.add(web_request.transport.get_extra_info("peername")[1])
        return await reply(200)(web_request)

    server.always = note_port
    for _ in range(3):
        await http.send(request(server.url), 5)
    assert len(ports) == 1


async def test_nothing_was_sent_to_a_port_that_nobody_listens_on(http, calls):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(NotSentError, match="ClientConnectorError"):
            await http.send(request(f"http://127.0.0.1:{free.getsockname()[1]}/secret?q=secret"), 5)
    assert [(call.status, call.sent) for call in calls] == [(None, False)]


async def test_nothing_was_sent_to_a_host_without_a_name(http):
    with pytest.raises(NotSentError):
        await http.send(request("http://nobody.invalid/"), 5)


async def test_nothing_was_sent_to_a_server_that_nobody_vouches_for(http, tmp_path):
    async with ScriptedServer(tls=ensure_tls(tmp_path).server_context()) as server:
        with pytest.raises(NotSentError, match="ClientConnectorCertificateError"):
            await http.send(request(server.url), 5)
        assert server.asked == []


async def test_another_authority_is_trusted_through_ssl_cert_file(tmp_path: Path, monkeypatch):
    tls = ensure_tls(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
    http = Http()
    async with ScriptedServer(tls=tls.server_context(), always=reply(204)) as server:
        assert (await http.send(request(server.url), 5)).status == 204
        await http.close()


async def test_nothing_was_sent_while_waiting_for_a_connection(server):
    http = Http(connections_per_host=1)
    server.will(hold)
    first = asyncio.ensure_future(http.send(request(server.url), 5))
    while not server.asked:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.01)
    with pytest.raises(NotSentError, match="TimeoutError"):
        await http.send(request(server.url), 0.05)
    first.cancel()
    await http.close()
    assert len(server.asked) == 1


@pytest.mark.parametrize("timeout_s", [0, -1])
async def test_without_time_nothing_is_sent(http, server, timeout_s):
    with pytest.raises(NotSentError):
        await http.send(request(server.url), timeout_s)
    assert server.asked == []


async def test_a_timeout_after_sending_leaves_the_question_open(http, server, calls):
    server.will(hold)
    with pytest.raises(UnansweredError, match="TimeoutError"):
        await http.send(request(server.url), 0.1)
    assert len(server.asked) == 1
    assert [(call.status, call.sent) for call in calls] == [(None, True)]


@pytest.mark.parametrize("act", [hang_up, stop_half_way])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_a_broken_connection_leaves_the_question_open_and_a_write_is_never_repeated(http, server, act, method):
    server.will(act)
    with pytest.raises(UnansweredError):
        await http.send(request(server.url, method), 5)
    assert len(server.asked) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_a_write_on_a_kept_connection_that_breaks_is_not_repeated(http, server, calls, method):
    """aiohttp by itself would send a PUT and a DELETE again, though the first may have been carried out."""
    server.will(reply(200), hang_up, reply(200))
    await http.send(request(server.url, method), 5)
    with pytest.raises(UnansweredError):
        await http.send(request(server.url, method), 5)
    assert len(server.asked) == 2
    assert [(call.status, call.sent) for call in calls] == [(200, True), (None, True)]


async def test_a_read_on_a_kept_connection_that_breaks_is_repeated_once(http, server):
    server.will(reply(200), hang_up, reply(204))
    await http.send(request(server.url, "GET"), 5)
    assert (await http.send(request(server.url, "GET"), 5)).status == 204
    assert len(server.asked) == 3


async def test_every_call_is_told_by_system_kind_method_and_status(http, server, calls):
    server.will(reply(200), reply(404))
    await http.send(request(server.url), 5)
    await http.send(request(server.url, "GET"), 5)
    assert [(c.system, c.kind, c.method, c.status, c.sent) for c in calls] == [
        ("campaign", "profile", "POST", 200, True),
        ("campaign", "profile", "GET", 404, True),
    ]
    assert all(call.seconds >= 0 for call in calls)


async def test_a_closed_client_can_be_used_again(http, server):
    server.always = reply(200)
    await http.send(request(server.url), 5)
    await http.close()
    assert (await http.send(request(server.url), 5)).status == 200
