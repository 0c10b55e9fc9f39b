"""Azurite as the sandbox runs it: blobs with leases and conditions, tables, files that survive, an end in time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient

from sandbox import azurite
from sandbox.azurite import Azurite, AzuriteError
from shared.domain.change import RecordKey
from shared.domain.ledger import LedgerRow, Present
from shared.stores.clock import SystemClock
from shared.stores.storage_calls import table_service
from shared.stores.tables import TableLedger

KEY = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000001")


async def test_blobs_can_be_written_listed_leased_and_written_on_condition(storage: Azurite) -> None:
    async with BlobServiceClient.from_connection_string(storage.connection_string) as blobs:
        container = await blobs.create_container("journal")
        blob = container.get_blob_client("2026/11.jsonl")
        first = await blob.upload_blob(b"one\n")
        assert [found.name async for found in container.list_blobs(name_starts_with="2026/")] == ["2026/11.jsonl"]
        await blob.upload_blob(
            b"two\n", overwrite=True, etag=first["etag"], match_condition=MatchConditions.IfNotModified
        )
        with pytest.raises(ResourceModifiedError):
            await blob.upload_blob(
                b"late\n", overwrite=True, etag=first["etag"], match_condition=MatchConditions.IfNotModified
            )
        lease = await blob.acquire_lease(15)
        with pytest.raises(HttpResponseError, match="lease"):
            await blob.upload_blob(b"without lease", overwrite=True)
        await blob.upload_blob(b"three\n", overwrite=True, lease=lease)
        await lease.release()
        assert await (await blob.download_blob()).readall() == b"three\n"


async def test_tables_refuse_a_second_creation(service: TableServiceClient, table_name: str) -> None:
    table = await service.create_table(table_name)
    await table.create_entity({"PartitionKey": "p", "RowKey": "r", "n": 1})
    with pytest.raises(ResourceExistsError):
        await table.create_entity({"PartitionKey": "p", "RowKey": "r", "n": 2})
    assert [entity["n"] async for entity in table.query_entities("n ge 1")] == [1]


async def test_what_is_stored_survives_a_restart_on_the_same_ports(tmp_path: Path) -> None:
    first = await azurite.start(tmp_path)
    ports = {"blob_port": first.blob_port, "table_port": first.table_port, "queue_port": first.queue_port}
    async with table_service(first.connection_string) as service:
        stored = await TableLedger(service, SystemClock().now).put(LedgerRow(KEY, Present("1")))
    await first.stop()
    assert first.process.returncode == 0
    second = await azurite.start(tmp_path, **ports)
    assert second.connection_string == first.connection_string
    async with table_service(second.connection_string) as service:
        assert await TableLedger(service, SystemClock().now).get(KEY) == stored
    await second.stop()


async def test_a_taken_port_is_told(storage: Azurite) -> None:
    with pytest.raises(AzuriteError, match=r"EADDRINUSE|in use"):
        await azurite.start(None, blob_port=storage.blob_port)


def test_it_ends_with_its_parent_even_if_that_is_killed() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from sandbox import azurite\n"
        "running = asyncio.run(azurite.start(None))\n"
        "print(running.process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == -9
    _wait_until_gone(int(done.stdout))


def _wait_until_gone(process: int) -> None:
    """Azurite is no child of ours: its entry in /proc is all that can be seen of it."""
    waiting = subprocess.run(
        ["sh", "-c", f"for _ in $(seq 100); do test -d /proc/{process} || exit 0; sleep 0.05; done; exit 1"],
        check=False,
    )
    assert waiting.returncode == 0
