"""Opt-outs and deletions in the middle of a resync: the real client, limiter and engine, in virtual time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from shared.clients.calls import Request, Response
from shared.clients.campaign.client import CampaignClient
from shared.clients.limiter import Limiter, PacedSender
from shared.domain.change import Hint, Lane, RecordKey, Source, Why
from shared.domain.ledger import LedgerRow, Present
from shared.domain.mapping import Mappings, OptOutPair, Privacy
from shared.domain.pace import Pace
from shared.engine.deliver import Delivery, Engine, Patience
from shared.engine.pages import Pages
from shared.engine.resync import Resync
from shared.stores.memory import MemoryJournal, MemoryRecollections
from shared.telemetry import Telemetry
from shared.wire import encode
from tests.simulation.resync_world import MAPPING, World, row_id
from tests.simulation.virtual import VirtualClock, play
from tests.unit.engine.test_overtaking import CONFIG, Tokens

CALL_S = 1.0
PAIR = replace(MAPPING, opt_outs=(OptOutPair("stop", "blackListEmail"),), privacy=Privacy("gdpr", "d365ExternalId"))
ROWS, URGENT, EVERY_S = 1500, 60, 2.0


@dataclass
class SlowServer:
    """Campaign at a second a call: every profile is there, and none is as wanted."""

    calls: int = 0

    async def send(self, request: Request, timeout_s: float) -> Response:
        await asyncio.sleep(CALL_S)
        self.calls += 1
        key = request.url.rpartition("/")[2]
        if request.kind == "privacy":
            return Response(201, {}, b"{}")
        document = {"PKey": key, "externalId": key, "lastName": "Former", "blackListEmail": False}
        return Response(200, {}, json.dumps(document).encode())


class Loaded(World):
    """A resync that has to write every row, while people opt out and are deleted."""

    def __init__(self, server: SlowServer) -> None:
        super().__init__(ROWS, page_rows=250)
        clock = VirtualClock()
        sender = PacedSender(server, Limiter(Pace(16)), clock.now)
        campaign = CampaignClient(CONFIG, sender, Tokens(), clock.now)
        columns = {"stop": True}
        self.table.rows = {
            key: replace(row, columns={**row.columns, **columns}) for key, row in self.table.rows.items()
        }
        own: Any = MemoryJournal(), MemoryRecollections()
        self.ports = replace(
            self.ports, campaign=campaign, mappings=lambda: Mappings(PAIR), journal=own[0], recollections=own[1]
        )
        self.engine = Engine(self.ports, Telemetry(), Patience(timedelta(days=7), timedelta(days=2)))
        self.pages = Pages(self.ports, self.engine, self.runs, self.table, self.id_lists)
        self.resync = Resync(self.ports, self.runs, self.id_lists)
        self.ledger.rows = {key: replace(row, state=Present("former")) for key, row in self.ledger.rows.items()}

    async def urgent(self, number: int) -> float:
        """How long an opt-out, or every second time a deletion, takes from its delivery on; seconds."""
        began = asyncio.get_running_loop().time()
        why = Why.DELETE if number % 2 else Why.OPTOUT
        gone = RecordKey("contact", row_id(ROWS + number))
        key = gone if number % 2 else RecordKey("contact", row_id(number))
        if number % 2:
            self.ledger.rows[gone] = LedgerRow(gone, Present("x"), etag="v0")
        hint = Hint(f"u{number}", key, why, Source.WEBHOOK, self.ports.clock.now())
        lane = Lane.CONTACT_DELETE if number % 2 else Lane.OPTOUT
        work = self.engine.record if number % 2 else self.engine.opt_out
        await work(Delivery(lane, encode(hint), hint.id, 1))
        return asyncio.get_running_loop().time() - began


async def measured(server: SlowServer) -> tuple[list[float], float]:
    """Seconds of each urgent message, and how many of the resync's calls a second went on beside them."""
    world = Loaded(server)
    await world.start()
    await asyncio.sleep(20)
    before, began = server.calls, asyncio.get_running_loop().time()
    running = []
    for number in range(URGENT):
        running.append(asyncio.ensure_future(world.urgent(number)))
        await asyncio.sleep(EVERY_S * Random(number).uniform(0.5, 1.5))
    took = await asyncio.gather(*running)
    rate = (server.calls - before) / (asyncio.get_running_loop().time() - began)
    for task in list(world.broker.tasks) + list(world.under_way):
        task.cancel()
    return sorted(took), rate


def test_opt_outs_and_deletions_take_seconds_while_a_resync_writes_every_row() -> None:
    took, rate = play(measured(SlowServer()))
    p99_s = took[int(len(took) * 0.99)]
    assert p99_s < 10
    assert rate > 10, "the resync goes on beside them"
