"""The opt-out journal on Azurite: what is appended is linked, and no failure breaks a chain."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from sandbox import azurite
from shared.domain.journal import JournalEntry
from shared.errors import Retry, Uncertain
from shared.stores import journal as module
from shared.stores import storage_calls
from shared.stores.journal import BlobJournal
from shared.stores.journal_archive import BlobArchive
from shared.stores.journal_line import Link, decode, encode, hash_of
from shared.stores.journal_proof import Proof, prove, seal_days, stored_lines
from shared.stores.journal_seal import Seal
from shared.stores.journal_seal import encode as encode_seal
from shared.stores.mappings import blob_service
from tests.component.stores.relay import LEAKS, Answers, relay_to

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


@pytest.fixture
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_calls, "CALL_TIMEOUT_S", 1.0)


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
    for reader in ("journal", "journal_archive"):
        monkeypatch.setattr(f"shared.stores.{reader}.CONTAINER", name)
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


async def test_two_workers_write_two_chains_and_a_new_day_begins_others(
    blobs: BlobServiceClient, container: str
) -> None:
    times = [NOW]
    journals = [BlobJournal(blobs, lambda: times[-1], Random(seed)) for seed in (1, 2)]
    for at in (NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=20)):
        times.append(at)
        await asyncio.gather(*(journal.append([ENTRY]) for journal in journals))
    found = await lines(blobs, container)
    assert sorted((name.split("/")[1], len(written)) for name, written in found.items()) == [
        ("2026-11-20", 2),
        ("2026-11-20", 2),
        ("2026-11-21", 1),
        ("2026-11-21", 1),
    ]
    assert (await proof(blobs)).faults == []


async def test_what_is_more_than_a_block_takes_is_appended_in_several(
    blobs: BlobServiceClient, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(module, "MOST_BLOCKS", 5)
    journal = BlobJournal(blobs, lambda: NOW, Random(1))
    for _ in range(3):
        await journal.append([ENTRY] * 10)
    await journal.append([])
    found = await proof(blobs)
    assert (found.entries, found.chains, found.faults) == (30, 3, [])


@LEAKS
@pytest.mark.parametrize("answers", [Answers.CUT, Answers.SWALLOW])
async def test_an_append_without_an_answer_is_told_and_the_next_begins_a_new_chain(
    storage: azurite.Azurite,
    blobs: BlobServiceClient,
    container: str,
    answers: Answers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage_calls, "CALL_TIMEOUT_S", 1.0)
    async with relay_to(storage.blob_port) as relay:
        connection = storage.connection_string.replace(f":{storage.blob_port}/", f":{relay.port}/")
        async with blob_service(connection) as through:
            journal = BlobJournal(through, lambda: NOW, Random(1))
            await journal.append([ENTRY])
            relay.answers = answers
            waiting = [journal.append([replace(ENTRY, origin=f"b.csv:{number}")]) for number in range(3)]
            ended = await asyncio.gather(*waiting, return_exceptions=True)
            assert {type(end) for end in ended} <= {Uncertain, Retry}
            relay.answers = Answers.PASS
            await journal.append([ENTRY])
    found = await proof(blobs)
    assert found.faults == []
    assert found.entries >= 2  # those that were acknowledged; the others may be there
    gc.collect()


async def test_a_writer_that_is_cancelled_leaves_the_others_an_answer(blobs: BlobServiceClient, container: str) -> None:
    journal = BlobJournal(blobs, lambda: NOW, Random(1))
    tasks = [asyncio.create_task(journal.append([ENTRY])) for _ in range(5)]
    await asyncio.sleep(0.001)
    tasks[0].cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError)
    assert all(end is None or isinstance(end, Retry) for end in ended[1:])
    await journal.append([ENTRY])
    assert (await proof(blobs)).faults == []


async def written_for(blobs: BlobServiceClient, days: int) -> BlobArchive:
    """Three entries a day in each of two chains, every day sealed but the last."""
    archive = BlobArchive(blobs)
    for day in range(days):
        at = NOW + timedelta(days=day)
        for seed in (1, 2):
            journal = BlobJournal(blobs, lambda at=at: at, Random(10 * day + seed))  # type: ignore[misc]
            for _ in range(3):
                await journal.append([ENTRY])
        sealed = [one async for one in seal_days(archive, at)]
        assert [one.faults for one in sealed] == [()] * (day > 0)
    return archive


async def proof(blobs: BlobServiceClient, anchor: str | None = None, day: int = 0) -> Proof:
    """On the day NOW, or so many days later."""
    return await prove(BlobArchive(blobs), NOW + timedelta(days=day), anchor)


async def test_a_sound_journal_is_proved_and_its_newest_seal_is_named(blobs: BlobServiceClient, container: str) -> None:
    archive = await written_for(blobs, 3)
    found = await proof(blobs)
    assert (found.chains, found.entries, found.sealed_days, found.faults) == (6, 18, 2, [])
    assert (await proof(blobs, found.seal)).faults == []
    assert [one async for one in seal_days(archive, NOW + timedelta(days=2))] == []
    lines_stored = [line async for line in stored_lines(archive, NOW.date() + timedelta(days=1), None)]
    assert [decode(line).entry for line in lines_stored] == [ENTRY] * 12


async def test_a_seal_that_was_garbled_leaves_no_later_day_open(blobs: BlobServiceClient, container: str) -> None:
    archive = await written_for(blobs, 2)
    client = blobs.get_container_client(container)
    await client.get_blob_client("seals/2026-11-20.json").upload_blob(b"garbled", overwrite=True)
    assert [one.day.isoformat() async for one in seal_days(archive, NOW + timedelta(days=2))] == ["2026-11-21"]
    faults = (await proof(blobs, day=2)).faults
    assert any(fault.startswith("seals/2026-11-20.json: not a seal") for fault in faults)


async def test_days_without_entries_are_sealed_too(blobs: BlobServiceClient, container: str) -> None:
    archive = await written_for(blobs, 1)
    days = [one.day.isoformat() async for one in seal_days(archive, NOW + timedelta(days=4))]
    assert days == ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]
    assert (await proof(blobs)).faults == []


async def test_an_empty_journal_is_sound_and_has_nothing_to_seal(blobs: BlobServiceClient, container: str) -> None:
    assert (await proof(blobs)).faults == []
    assert [one async for one in seal_days(BlobArchive(blobs), NOW)] == []


@pytest.mark.parametrize(("hour", "sealed"), [(0, 0), (1, 1)])
async def test_a_day_is_sealed_an_hour_after_its_end(
    blobs: BlobServiceClient, container: str, hour: int, sealed: int
) -> None:
    await BlobJournal(blobs, lambda: NOW, Random(1)).append([ENTRY])
    now = datetime(2026, 11, 21, hour, 30, tzinfo=UTC)
    assert len([one async for one in seal_days(BlobArchive(blobs), now)]) == sealed


Tampering = Callable[[ContainerClient, str], Awaitable[None]]


async def rewrite(container: ContainerClient, name: str, content: bytes) -> None:
    await container.delete_blob(name)
    await container.get_blob_client(name).upload_blob(content, blob_type="AppendBlob")


async def changed(container: ContainerClient, chain: str) -> None:
    content = await (await container.download_blob(chain)).readall()
    await rewrite(container, chain, content.replace(b'"decision":true', b'"decision":false', 1))


async def cut(container: ContainerClient, chain: str) -> None:
    content = await (await container.download_blob(chain)).readall()
    await rewrite(container, chain, b"".join(content.splitlines(keepends=True)[:-1]))


async def emptied(container: ContainerClient, chain: str) -> None:
    await container.delete_blob(chain)
    await container.get_blob_client(chain).create_append_blob()


async def removed(container: ContainerClient, chain: str) -> None:
    await container.delete_blob(chain)


async def swapped(container: ContainerClient, chain: str) -> None:
    first, second, *rest = (await (await container.download_blob(chain)).readall()).splitlines(keepends=True)
    await rewrite(container, chain, b"".join([second, first, *rest]))


async def lengthened(container: ContainerClient, chain: str) -> None:
    """By an entry that is linked as it should be: only the seal knows better."""
    written = (await (await container.download_blob(chain)).readall()).splitlines()
    line = encode(Link(chain, len(written) + 1, hash_of(written[-1]), ENTRY))
    await rewrite(container, chain, b"".join(one + b"\n" for one in [*written, line]))


async def added(container: ContainerClient, chain: str) -> None:
    name = chain.replace(".jsonl", "0.jsonl")
    await container.get_blob_client(name).upload_blob(encode(Link(name, 1, "", ENTRY)) + b"\n")


async def garbled(container: ContainerClient, chain: str) -> None:
    content = await (await container.download_blob(chain)).readall()
    await rewrite(container, chain, content[:-20] + b"\xff" * 19 + b"\n")


async def unsealed_once(container: ContainerClient, _: str) -> None:
    await container.delete_blob("seals/2026-11-20.json")


async def unsealed_lately(container: ContainerClient, _: str) -> None:
    await container.delete_blob("seals/2026-11-21.json")


async def sealed_otherwise(container: ContainerClient, _: str) -> None:
    await rewrite(container, "seals/2026-11-20.json", encode_seal(Seal(NOW.date(), "", ())))


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (changed, "the line before is not the one it was written after"),
        (cut, "not as it was sealed: 3 entries then, 2 now"),
        (emptied, "not as it was sealed: 3 entries then, 0 now"),
        (removed, "the chain is missing"),
        (swapped, "it is number 2"),
        (lengthened, "not as it was sealed: 3 entries then, 4 now"),
        (added, "not in its day's seal"),
        (garbled, "unreadable"),
        (unsealed_once, "the seal before is missing"),
        (unsealed_lately, "its day has no seal"),
        (sealed_otherwise, "the seal before is missing, or is not the one"),
    ],
)
async def test_what_was_done_to_the_journal_is_found(
    blobs: BlobServiceClient, container: str, tamper: Tampering, found: str
) -> None:
    await written_for(blobs, 3)
    client = blobs.get_container_client(container)
    chain = [name async for name in client.list_blob_names(name_starts_with="entries/2026-11-2")][1]
    await tamper(client, chain)
    faults = (await proof(blobs, day=3)).faults
    assert any(found in fault for fault in faults), faults


async def test_a_journal_written_anew_is_found_by_a_seal_noted_elsewhere(
    blobs: BlobServiceClient, container: str
) -> None:
    await written_for(blobs, 2)
    noted = (await proof(blobs)).seal
    client = blobs.get_container_client(container)
    for name in [name async for name in client.list_blob_names()]:
        await client.delete_blob(name)
    await written_for(blobs, 1)
    assert (await proof(blobs)).faults == []
    assert any(noted in fault for fault in (await proof(blobs, noted)).faults)
