"""Running sandboxes for the tests of this folder, one for each worker, with times short enough to wait for claims."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox import world
from sandbox.addresses import free
from sandbox.people import People
from sandbox.provisioning import provision
from sandbox.world import World

SHORT_TIMES = {
    "HTTP_TIMEOUT_SECONDS": "3",
    "LANDING_BOUND_SECONDS": "5",
    "WORK_BUDGET_SECONDS": "5",
    "CLAIM_SECONDS": "10",
    "CHECK_AFTER_SECONDS": "15",
}
POLL = {"OPTOUT_POLL": "true", "OPTOUT_POLL_SCHEDULE": "0 0 0 1 1 *"}  # only when a test fires it
# Only when a test fires it, and without waiting for announcements that will not come.
SWEEP = {"CHANGE_SWEEP_SCHEDULE": "0 0 0 1 1 *", "SWEEP_GRACE_SECONDS": "0"}
# Only when a test fires it: it asks Campaign for other tests' deletions, and engine calls are counted here.
CHECKS = {"LEDGER_CHECKS_SCHEDULE": "0 0 0 1 1 *"}
CANARY_SECRETS = {"WEBHOOK_SECRETS": "canary-secret-that-is-new,canary-secret-that-is-old"}


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("sandbox")
    overrides = {**SHORT_TIMES, **POLL, **SWEEP, **CHECKS, **CANARY_SECRETS}
    running = await world.start(free(), folder, overrides=overrides, lock_s=4)
    try:
        await provision(running)
        yield running
    finally:
        await running.stop()


@pytest_asyncio.fixture(loop_scope="package")
async def people(sandbox: World) -> AsyncIterator[People]:
    async with People(sandbox) as found:
        yield found
        await found.end_faults()
        sandbox.broker.accept()
