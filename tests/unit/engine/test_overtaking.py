"""An opt-out in the middle of a bulk load: the real engine and client, limiter and budget, in virtual time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from shared.clients.budget import BudgetedSender, CallBudget
from shared.clients.calls import Request, Response
from shared.clients.campaign.client import CampaignClient
from shared.clients.campaign.config import CampaignConfig
from shared.clients.limiter import Limiter, PacedSender
from shared.domain.change import Lane, RecordKey, Why
from shared.domain.pace import Pace
from shared.engine.deliver import Engine, Patience
from tests.simulation.virtual import VirtualClock, play
from tests.unit.clients.test_budget import MemoryCounter
from tests.unit.engine.fakes import Known, delivery
from tests.unit.examples import ID, contact, hint

CONFIG = CampaignConfig(
    url="https://campaign.example.test/acme/campaign",
    token_url="https://campaign.example.test/token",
    client_id="key",
    client_secret="secret",
    scopes="campaign_sdk",
    organization_id="acme",
    events_url="https://campaign.example.test/events",
)
BULK, AT_ONCE, CALL_S = 200, 4, 2.0
OPT_OUT = RecordKey("contact", ID)


class Tokens:
    """Always the same."""

    async def token(self) -> str:
        return "t"

    async def renew(self, refused: str) -> str:
        return refused


@dataclass
class SlowCampaign:
    """Every call takes its time; a profile is opted in; `calls` by method, whose, and when they were answered."""

    calls: list[tuple[str, str, float]] = field(default_factory=list)

    async def send(self, request: Request, timeout_s: float) -> Response:
        await asyncio.sleep(CALL_S)
        contact_id = request.url.rpartition("/")[2]
        self.calls.append((request.method, contact_id, asyncio.get_running_loop().time()))
        document = {"PKey": contact_id, "externalId": contact_id, "blackListEmail": False}
        return Response(200, {}, json.dumps(document).encode())


def engine_before(server: SlowCampaign, world: Known, *, calls_per_day: int) -> Engine:
    """With the limiter and the budget as the app builds them."""
    clock, limiter = VirtualClock(), Limiter(Pace(AT_ONCE))
    budget = CallBudget(MemoryCounter(), calls_per_day, clock.now, Random(1), block=1)
    sender = BudgetedSender(PacedSender(server, limiter, clock.now), budget)
    campaign = CampaignClient(CONFIG, sender, Tokens(), clock.now)
    ports = replace(world.ports, campaign=campaign, clock=clock)
    return Engine(ports, world.telemetry, Patience(timedelta(days=7), timedelta(days=2)))


async def loaded(server: SlowCampaign, calls_per_day: int) -> float:
    """How long an opt-out takes that comes in the middle of a load of many contacts, in seconds."""
    world = Known()
    world.dynamics.row = contact(no_mail=True)
    engine = engine_before(server, world, calls_per_day=calls_per_day)
    bulk = [replace(hint(), record=RecordKey("contact", f"00000000-0000-4000-8000-{n:012}")) for n in range(BULK)]
    running = [asyncio.ensure_future(engine.record(delivery(one, Lane.BULK))) for one in bulk]
    await asyncio.sleep(3 * CALL_S)
    began = asyncio.get_running_loop().time()
    await engine.opt_out(delivery(replace(hint(Why.OPTOUT), record=OPT_OUT), Lane.OPTOUT))
    took_s = asyncio.get_running_loop().time() - began
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return took_s


def test_an_opt_out_waits_for_one_call_under_way_at_most_before_each_of_its_own() -> None:
    server = SlowCampaign()
    took_s = play(loaded(server, calls_per_day=1_000_000))
    assert took_s <= 2 * (CALL_S + CALL_S)
    assert [method for method, contact_id, _ in server.calls if contact_id == ID] == ["GET", "PATCH"]
    assert len(server.calls) < BULK / 4  # the load had hardly begun


def test_a_spent_budget_holds_up_the_load_and_not_the_opt_out() -> None:
    server = SlowCampaign()
    took_s = play(loaded(server, calls_per_day=6))
    assert took_s <= 2 * (CALL_S + CALL_S)
    others = [contact_id for _, contact_id, _ in server.calls if contact_id != ID]
    assert len(others) == 4, "a load may use four fifths of the day's calls"
