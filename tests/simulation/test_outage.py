"""Campaign is down for eight hours: the real client, limiter and engine over a broker, in virtual time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
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
from shared.engine.lanes import send_hints
from shared.stores.memory import MemoryJournal, MemoryRecollections
from shared.telemetry import Telemetry
from tests.simulation.resync_world import MAPPING, World, row_id
from tests.simulation.virtual import VirtualClock, play
from tests.unit.engine.test_overtaking import CONFIG, Tokens

HOURS_8 = 8 * 3600.0
CONTACTS, EVERY = 100, 10  # every tenth is opted out, every tenth is gone, the others have another name
KINDS = {"opt-out": 10, "deletion": 10, "update": 80}
CALL_S = 0.3
PAIR = replace(MAPPING, opt_outs=(OptOutPair("stop", "blackListEmail"),), privacy=Privacy("gdpr", "d365ExternalId"))


@dataclass
class Gateway:
    """503 for eight hours; then every profile is there, and none is as wanted. `written`: kind and loop time."""

    refused: int = 0
    written: list[tuple[str, float]] = field(default_factory=list)

    async def send(self, request: Request, timeout_s: float) -> Response:
        await asyncio.sleep(CALL_S)
        if _now() < HOURS_8:
            self.refused += 1
            return Response(503, {}, b"Oops")
        if request.method != "GET":
            self.written.append((_kind(request), _now()))
        if request.kind == "privacy":
            return Response(201, {}, b"{}")
        key = request.url.rpartition("/")[2]
        document = {"PKey": key, "externalId": key, "lastName": "Former", "blackListEmail": False}
        return Response(200, {}, json.dumps(document).encode())


def _kind(request: Request) -> str:
    if request.kind == "privacy":
        return "deletion"
    return "opt-out" if b"blackListEmail" in (request.body or b"") else "update"


class Down(World):
    """People go on working while Campaign is away."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(CONTACTS)
        clock = VirtualClock()
        sender = PacedSender(gateway, Limiter(Pace(16)), clock.now)
        rows = self.table.rows
        stopped = {key for number, key in enumerate(rows) if number % EVERY == 0}
        self.table.rows = {
            key: replace(row, columns={**row.columns, "stop": key in stopped})
            for number, (key, row) in enumerate(rows.items())
            if number % EVERY != 1
        }
        self.ledger.rows = {
            RecordKey("contact", key): LedgerRow(RecordKey("contact", key), Present("former"), etag="v0")
            for key in rows
        }
        own: Any = MemoryJournal(), MemoryRecollections()
        self.ports = replace(
            self.ports,
            campaign=CampaignClient(CONFIG, sender, Tokens(), clock.now),
            mappings=lambda: Mappings(PAIR),
            journal=own[0],
            recollections=own[1],
        )
        self.engine = Engine(self.ports, Telemetry(), Patience(timedelta(days=7), timedelta(days=2)))
        self.broker.work = self._lane
        self.broker.most_workers = 50_000

    async def _lane(self, delivery: Delivery) -> None:
        await (self.engine.opt_out if delivery.lane is Lane.OPTOUT else self.engine.record)(delivery)

    async def told(self, number: int) -> None:
        """Of one contact, at some time of the eight hours."""
        await asyncio.sleep(Random(number).uniform(0, HOURS_8 - 60))
        why = {0: Why.OPTOUT, 1: Why.DELETE}.get(number % EVERY, Why.UPSERT)
        key = RecordKey("contact", row_id(number))
        await send_hints(self.ports, Hint(f"e{number}", key, why, Source.WEBHOOK, self.ports.clock.now()))


async def _eight_hours() -> tuple[Down, Gateway]:
    gateway = Gateway()
    world = Down(gateway)
    await asyncio.gather(*(world.told(number) for number in range(CONTACTS)))
    while world.broker.tasks:
        await asyncio.wait(world.broker.tasks)
    return world, gateway


def _now() -> float:
    return asyncio.get_running_loop().time()


def test_it_drains_by_itself_with_opt_outs_and_deletions_first() -> None:
    world, gateway = play(_eight_hours())
    assert [message.message_id for message in world.broker.dead] == []
    assert world.broker.parked == []
    assert world.broker.errors == []
    after_s = {kind: sorted(at - HOURS_8 for one, at in gateway.written if one == kind) for kind in KINDS}
    assert {kind: len(times) for kind, times in after_s.items()} == KINDS
    assert after_s["opt-out"][-1] < 300
    assert after_s["deletion"][-1] < 300
    assert after_s["update"][len(after_s["update"]) // 2] > after_s["opt-out"][-1], "the rest comes behind them"
    assert after_s["update"][-1] < 1800
    assert gateway.refused < 2 * 8 * 60, "a closed system is asked about once a minute, whoever waits"
