"""One authorised call: token, one renewal, one total time, and failures by name."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from shared.clients.calls import Request
from shared.clients.campaign.config import REASONS
from shared.clients.exchange import Exchange
from shared.clients.http import Http
from shared.errors import Halt, Reason, Retry, Uncertain
from tests.component.clients.scripted_server import ScriptedServer, hang_up, hold, reply

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Tokens:
    """Hands out t1, t2, … ; `delay_s` makes it slow."""

    def __init__(self, delay_s: float = 0) -> None:
        self.delay_s = delay_s
        self.number = 1

    async def token(self) -> str:
        await asyncio.sleep(self.delay_s)
        return f"t{self.number}"

    async def renew(self, refused: str) -> str:
        assert refused == f"t{self.number}"
        self.number += 1
        return await self.token()


def exchange(http: Http, tokens: Tokens | None = None, timeout_s: float = 5.0) -> Exchange:
    return Exchange(http, tokens or Tokens(), REASONS, timeout_s, lambda: NOW)


def request(server: ScriptedServer, method: str = "POST", *, repeatable: bool = False) -> Request:
    return Request("campaign", "profile", method, f"{server.url}/x", repeatable=repeatable)


async def test_the_token_travels_in_the_header(http, server):
    server.will(reply(200))
    assert (await exchange(http).send(request(server))).status == 200
    assert server.asked[0].headers["Authorization"] == "Bearer t1"


async def test_a_refused_token_is_renewed_once_and_the_call_repeated(http, server):
    server.will(reply(401), reply(201))
    assert (await exchange(http).send(request(server))).status == 201
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer t1", "Bearer t2"]


async def test_a_second_refusal_halts(http, server):
    server.will(reply(401), reply(401), reply(200))
    with pytest.raises(Halt) as caught:
        await exchange(http).send(request(server))
    assert caught.value.reason is Reason.CAMPAIGN_CREDENTIALS
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("repeatable", [True, False])
async def test_patience_is_asked_for_with_a_time(http, server, status, repeatable):
    server.will(reply(status, Retry_After="Sun, 01 Mar 2026 00:00:20 GMT"))
    with pytest.raises(Retry) as caught:
        await exchange(http).send(request(server, repeatable=repeatable))
    assert (type(caught.value), caught.value.reason, caught.value.after_s) == (Retry, Reason.CAMPAIGN_BUSY, 20.0)


@pytest.mark.parametrize("act", [hold, hang_up])
@pytest.mark.parametrize(
    ("repeatable", "kind", "reason"),
    [(False, Uncertain, Reason.OUTCOME_UNKNOWN), (True, Retry, Reason.CAMPAIGN_UNREACHABLE)],
)
async def test_no_answer(http, server, act, repeatable, kind, reason):
    server.will(act)
    with pytest.raises(Retry) as caught:
        await exchange(http, timeout_s=0.2).send(request(server, repeatable=repeatable))
    assert (type(caught.value), caught.value.reason) == (kind, reason)


async def test_no_answer_to_the_repeat_is_as_uncertain(http, server):
    server.will(reply(401), hang_up)
    with pytest.raises(Uncertain):
        await exchange(http).send(request(server))


async def test_a_server_that_is_not_there_got_nothing(http, server):
    gone = Request("campaign", "profile", "POST", "http://127.0.0.1:1/")
    with pytest.raises(Retry) as caught:
        await exchange(http).send(gone)
    assert (type(caught.value), caught.value.reason) == (Retry, Reason.CAMPAIGN_UNREACHABLE)


async def test_a_slow_token_uses_up_the_calls_time_and_nothing_is_sent(http, server):
    with pytest.raises(Retry) as caught:
        await exchange(http, Tokens(delay_s=60), timeout_s=0.05).send(request(server))
    assert (type(caught.value), caught.value.detail) == (Retry, "no token in time")
    assert server.asked == []


async def test_token_and_repeat_share_the_calls_time(http, server):
    async def slow_refusal(web_request):
        await asyncio.sleep(0.15)
        return await reply(401)(web_request)

    server.will(slow_refusal, hold)
    started = asyncio.get_running_loop().time()
    with pytest.raises(Uncertain):
        await exchange(http, timeout_s=0.3).send(request(server))
    assert asyncio.get_running_loop().time() - started < 0.45
