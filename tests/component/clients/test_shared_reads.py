"""Changes that are worked on at the same time share their reads of Dynamics, through the engine and its own client."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.http import Http
from shared.crowd import Crowd
from shared.domain.change import Hint, Lane, Source, Why
from shared.domain.contact import Value
from shared.domain.ledger import LedgerRow, Present
from shared.engine.deliver import Engine
from shared.stores.memory import MemoryLedger
from tests.component.clients.scripted_server import ScriptedServer
from tests.component.clients.test_dynamics_client import NOW, FixedToken, Rows, contact_id, key, mapping
from tests.unit.engine.fakes import Known, OneProfile, delivery

CAMPAIGN_S = 0.02


class SlowProfiles(OneProfile):
    """Any contact has a profile, which takes its time; counts by contact."""

    def __init__(self) -> None:
        super().__init__()
        self.updated: Counter[str] = Counter()

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        await asyncio.sleep(CAMPAIGN_S)
        self.updated[contact_id] += 1
        return True


@pytest.mark.parametrize(("changes", "most"), [(200, 3), (1, 2)])
async def test_two_hundred_changes_cost_three_reads_at_most(server: ScriptedServer, http: Http, changes, most):
    server.always = Rows({contact_id(n): f"new {n}" for n in range(changes)})
    crowd, profiles, known = Crowd(), SlowProfiles(), Known()
    config = DynamicsConfig(server.url, f"{server.url}/tenant", "client", "s3cret", timeout_s=5)
    dynamics = DynamicsClient(
        config, http, FixedToken(), lambda: mapping("firstname"), lambda: NOW, crowd=lambda: crowd.size
    )
    ledger = MemoryLedger()
    for number in range(changes):
        await ledger.put(LedgerRow(key(number), Present("of the old value")))
    ports = replace(
        known.ports,
        dynamics=dynamics,
        campaign=profiles,
        ledger=ledger,
        mappings=lambda: mapping("firstname"),
    )
    engine = Engine(ports, known.telemetry, known.engine.patience, crowd)
    hints = [Hint(f"e{n}", key(n), Why.UPSERT, Source.WEBHOOK, NOW) for n in range(changes)]
    await asyncio.gather(*(engine.record(delivery(hint, Lane.CONTACT_UPSERT)) for hint in hints))
    assert profiles.updated == Counter(contact_id(n) for n in range(changes))
    assert len(server.asked) <= most
