"""What the store tests run against: Azurite, one for the whole run."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from azure.data.tables.aio import TableServiceClient

from sandbox import azurite
from shared.ports import Family, Ledger, Watermarks
from shared.stores.clock import SystemClock
from shared.stores.family import TableFamily
from shared.stores.memory import MemoryFamily, MemoryLedger, MemoryWatermarks
from shared.stores.storage_calls import table_service
from shared.stores.tables import TableLedger, TableWatermarks


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def storage() -> AsyncIterator[azurite.Azurite]:
    running = await azurite.start(None)
    yield running
    await running.stop()


@pytest.fixture
async def service(storage: azurite.Azurite) -> AsyncIterator[TableServiceClient]:
    async with table_service(storage.connection_string) as client:
        yield client


@pytest.fixture
def table_name() -> str:
    return f"t{uuid.uuid4().hex}"


@pytest.fixture(params=["memory", "tables"])
def ledger(request: pytest.FixtureRequest, table_name: str) -> Ledger:
    """The conformance tests' subject: the fake and the real store must not differ."""
    if request.param == "memory":
        return MemoryLedger()
    return TableLedger(request.getfixturevalue("service"), SystemClock().now, table_name)


@pytest.fixture(params=["memory", "tables"])
def watermarks(request: pytest.FixtureRequest, table_name: str) -> Watermarks:
    if request.param == "memory":
        return MemoryWatermarks()
    return TableWatermarks(request.getfixturevalue("service"), table_name)


@pytest.fixture(params=["memory", "tables"])
def family(request: pytest.FixtureRequest, table_name: str) -> Family:
    if request.param == "memory":
        return MemoryFamily()
    return TableFamily(request.getfixturevalue("service"), table_name)
