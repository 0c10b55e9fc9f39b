"""The opt-out journal on Azurite: what is appended is linked, and no failure breaks a chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from azure.storage.blob.aio import BlobServiceClient

from sandbox import azurite
from shared.domain.journal import JournalEntry
from shared.stores.journal import BlobJournal
from shared.stores.journal_line import decode, hash_of
from shared.stores.mappings import blob_service

NOW = datetime(2026, 11, 20, 9, 30, 15, 250_000, tzinfo=UTC)
ENTRY = JournalEntry(
    at=NOW,
    contact_id="a3c5e7f9-1122-4f11-840a-6045bd0e1c77",
    attribute="blackListEmail",
    dynamics_value=False,
    dynamics_at=NOW,
    campaign_value=True,
    campaign_at=None,
    configuration="bidirectional",
    policy="adobe",
    decision=True,
    effects=("dynamics:=true",),
    origin="recipients_20261120.txt:1042",
)


@pytest.fixture
async def blobs(storage: azurite.Azurite) -> AsyncIterator[BlobServiceClient]:
    async with blob_service(storage.connection_string) as client:
        yield client


async def lines(blobs: BlobServiceClient, container: str) -> dict[str, list[bytes]]:
    client = blobs.get_container_client(container)
    found = dict[str, list[bytes]]()
    async for name in client.list_blob_names():
        stream = await client.download_blob(name)
        found[name] = (await stream.readall()).splitlines()
    return found


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"journal-{Random().getrandbits(48):x}"
    monkeypatch.setattr("shared.stores.journal.CONTAINER", name)
    return name


async def test_what_is_appended_at_once_is_one_linked_chain(blobs: BlobServiceClient, container: str) -> None:
    journal = BlobJournal(blobs, lambda: NOW, Random(1))
    entries = [replace(ENTRY, origin=f"a.csv:{number}") for number in range(40)]
    await journal.append(entries[:1])
    await asyncio.gather(*(journal.append([entry]) for entry in entries[1:]))
    ((name, written),) = (await lines(blobs, container)).items()
    links = [decode(line) for line in written]
    assert name.startswith("entries/2026-11-20/")
    assert [link.entry for link in links] == entries
    assert [link.previous for link in links] == ["", *map(hash_of, written[:-1])]
    assert {(link.chain, link.number - position) for position, link in enumerate(links)} == {(name, 1)}
