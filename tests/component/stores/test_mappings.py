"""Versions of the mapping on Azurite: applied, overtaken, rolled back, spoilt by hand, and followed by an app."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient

from sandbox.azurite import Azurite
from shared import mapping_file
from shared.domain.conversion import ColumnType, Target, TargetType, Types
from shared.domain.mapping import Mapping, Mappings
from shared.errors import Reason, Retry, Uncertain
from shared.stores.live_mapping import LiveMapping
from shared.stores.mapping_entry import Applied, Draft, UnreadableEntryError
from shared.stores.mappings import (
    POINTER,
    BlobMappings,
    OvertakenError,
    UnknownVersionError,
    blob_service,
)
from tests.component.stores.relay import Answers, Relay, relay_to

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
TYPES = Types(
    {"firstname": ColumnType.STRING}, {"firstName": Target(TargetType.STRING, 30, ("a", "b"), read_only=True)}
)
BROKEN = "version: 1\ntables: ["


def text_for(field_name: str) -> str:
    return (
        "version: 1\ntables:\n  - dynamics: contact\n    campaign: profile\n    delete_mode: ignore\n"
        f"    fields:\n      - {{dynamics: firstname, campaign: {field_name}}}\n"
    )


def draft(field_name: str = "firstName", by: str = "ann") -> Draft:
    return Draft(text_for(field_name), {"contact": TYPES}, by, f"now {field_name}")


@dataclass
class Clock:
    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Heard:
    """What telemetry was told."""

    counts: list[str] = field(default_factory=list)
    alarms: list[tuple[str, Reason, str]] = field(default_factory=list)

    def counted(self, what: str, **numbers: int | str) -> None:
        self.counts.append(what)

    def alarm(self, where: str, reason: Reason, detail: str) -> None:
        self.alarms.append((where, reason, detail))


@dataclass
class Shelf:
    """One container, the store on it, and hands to reach into it."""

    blobs: BlobServiceClient
    name: str
    clock: Clock

    @property
    def store(self) -> BlobMappings:
        return BlobMappings(self.blobs, self.clock, self.name)

    async def put(self, blob: str, content: bytes) -> None:
        await self.blobs.get_blob_client(self.name, blob).upload_blob(content, overwrite=True)

    async def point_at(self, blob: str) -> None:
        await self.put(POINTER, json.dumps({"format": 1, "number": 9, "blob": blob}).encode())

    async def applied(self, *fields: str) -> Applied:
        """One version after the other; gives the last."""
        entry = await self.store.current()
        for name in fields:
            entry = await self.store.apply(draft(name), entry)
        assert entry is not None
        return entry


@pytest.fixture
async def shelf(storage: Azurite) -> AsyncIterator[Shelf]:
    async with blob_service(storage.connection_string) as blobs:
        yield Shelf(blobs, f"m{uuid.uuid4().hex}", Clock())


async def test_nothing_is_in_force_before_the_first(shelf: Shelf) -> None:
    assert await shelf.store.current() is None
    assert [entry async for entry in shelf.store.history()] == []
    with pytest.raises(UnknownVersionError):
        await shelf.store.get(1)


async def test_what_was_applied_is_read_back_whole(shelf: Shelf) -> None:
    applied = await shelf.store.apply(draft(), None)
    assert (applied.number, applied.applied_at, applied.replaces) == (1, NOW, None)
    assert await shelf.store.current() == applied
    mapping = applied.mappings().contact
    assert (mapping.version, mapping.types) == (mapping_file.read(text_for("firstName")).version, TYPES)


async def test_history_goes_back_and_versions_are_found_by_number(shelf: Shelf) -> None:
    await shelf.applied("firstName", "lastName", "middleName")
    notes = [(entry.number, entry.draft.note) async for entry in shelf.store.history()]
    assert notes == [(3, "now middleName"), (2, "now lastName"), (1, "now firstName")]
    assert (await shelf.store.get(2)).draft.text == text_for("lastName")
    with pytest.raises(UnknownVersionError):
        await shelf.store.get(4)


async def test_a_rollback_is_a_new_version_and_the_history_is_kept(shelf: Shelf) -> None:
    second = await shelf.applied("firstName", "lastName")
    restored = await shelf.store.rollback(1, second, "bea", "too early")
    assert (restored.number, restored.draft.restores, restored.draft.text) == (3, 1, text_for("firstName"))
    assert restored.version == (await shelf.store.get(1)).version
    assert await shelf.store.current() == restored
    assert [entry.number async for entry in shelf.store.history()] == [3, 2, 1]
    with pytest.raises(UnknownVersionError):
        await shelf.store.rollback(7, restored, "bea")


async def test_of_two_operators_at_once_one_is_told(shelf: Shelf) -> None:
    first = await shelf.applied("firstName")
    both = [shelf.store.apply(draft(name, by), first) for name, by in (("lastName", "ann"), ("phone", "bea"))]
    results = await asyncio.gather(*both, return_exceptions=True)
    (won,) = [one for one in results if isinstance(one, Applied)]
    (told,) = [one for one in results if isinstance(one, OvertakenError)]
    assert f"2-{won.version}" in str(told)
    assert await shelf.store.current() == won
    assert [entry.number async for entry in shelf.store.history()] == [2, 1]


async def test_of_two_first_versions_one_is_told(shelf: Shelf) -> None:
    both = [shelf.store.apply(draft(name), None) for name in ("lastName", "phone")]
    results = await asyncio.gather(*both, return_exceptions=True)
    assert {type(one) for one in results} == {Applied, OvertakenError}


async def test_who_compared_with_an_older_version_is_told(shelf: Shelf) -> None:
    first = await shelf.applied("firstName")
    second = await shelf.applied("lastName")
    with pytest.raises(OvertakenError, match=f"2-{second.version}"):
        await shelf.store.apply(draft("phone"), first)
    with pytest.raises(OvertakenError):
        await shelf.store.apply(draft("phone"), None)
    assert await shelf.store.current() == second


async def test_a_version_that_never_came_into_force_does_not_stand_in_the_way(shelf: Shelf) -> None:
    """As a crash between the two writes leaves it: the same text is applied again, under the next number."""
    first = await shelf.applied("firstName")
    store = shelf.store
    left_behind = await store._store(draft("lastName"), first)
    shelf.clock.pass_by(1)
    again = await store.apply(draft("lastName"), first)
    assert (left_behind.number, again.number, again.version) == (2, 3, left_behind.version)
    assert [entry.number async for entry in store.history()] == [3, 1]


async def test_a_version_cannot_be_written_twice(shelf: Shelf) -> None:
    first = await shelf.applied("firstName")
    with pytest.raises(ResourceExistsError):
        await shelf.store._upload(first.blob, b"other")
    assert await shelf.store.current() == first


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "not JSON"),
        (b"[]", "not of format"),
        (b'{"format": 3}', "not of format"),
        (b'{"format": 1}', "not readable"),
        (None, "is not there"),
    ],
)
async def test_a_version_spoilt_by_hand_is_not_taken_for_one(shelf: Shelf, content: bytes | None, says: str) -> None:
    first = await shelf.applied("firstName")
    if content is None:
        await shelf.blobs.get_blob_client(shelf.name, first.blob).delete_blob()
    else:
        await shelf.put(first.blob, content)
    with pytest.raises(UnreadableEntryError, match=says):
        await shelf.store.current()


async def changed_text(shelf: Shelf, entry: Applied, text: str, **more: Any) -> None:
    blob = shelf.blobs.get_blob_client(shelf.name, entry.blob)
    document = json.loads(await (await blob.download_blob()).readall())
    await shelf.put(entry.blob, json.dumps(document | {"text": text} | more).encode())


async def test_a_text_that_is_not_the_one_applied_is_noticed(shelf: Shelf) -> None:
    first = await shelf.applied("firstName")
    await changed_text(shelf, first, text_for("lastName"))
    with pytest.raises(UnreadableEntryError, match="changed after it was written"):
        await shelf.store.current()


async def test_a_chain_that_leads_back_to_itself_ends(shelf: Shelf) -> None:
    first = await shelf.applied("firstName")
    await changed_text(shelf, first, first.draft.text, replaces=first.blob)
    with pytest.raises(UnreadableEntryError, match="does not come before"):
        _ = [entry async for entry in shelf.store.history()]


async def test_a_store_that_is_down_is_a_retry(shelf: Shelf) -> None:
    down = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;"
    async with blob_service(down) as blobs:
        for call in (BlobMappings(blobs, shelf.clock).current(), BlobMappings(blobs, shelf.clock).apply(draft(), None)):
            with pytest.raises(Retry) as raised:
                await call
            assert (type(raised.value), raised.value.reason) == (Retry, Reason.LEDGER_UNREACHABLE)


async def test_wrong_credentials_are_a_retry_that_names_the_answer(storage: Azurite, shelf: Shelf) -> None:
    wrong = storage.connection_string.replace("AccountKey=", "AccountKey=AAAA")
    async with blob_service(wrong) as blobs:
        with pytest.raises(Retry, match="HTTP 403"):
            await BlobMappings(blobs, shelf.clock).current()


def through(relay: Relay, storage: Azurite) -> BlobServiceClient:
    return blob_service(storage.connection_string.replace(f":{storage.blob_port}/", f":{relay.port}/"))


async def test_a_write_without_an_answer_may_have_been_done(
    storage: Azurite, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.stores.storage_calls.CALL_TIMEOUT_S", 1.0)
    first = await shelf.applied("firstName")
    async with relay_to(storage.blob_port) as relay, through(relay, storage) as blobs:
        store = BlobMappings(blobs, shelf.clock, shelf.name)
        pointer = await store.pointer()
        entry = await store._store(draft("lastName"), first)
        relay.answers = Answers.SWALLOW
        with pytest.raises(Uncertain):
            await store._point(entry, pointer)
    assert await shelf.store.current() == entry


async def test_an_apply_whose_pointer_was_written_twice_is_its_own(shelf: Shelf) -> None:
    """The HTTP library repeats a PUT over a broken connection, and the second meets the first one's ETag."""
    first = await shelf.applied("firstName")
    store = shelf.store
    pointer = await store.pointer()
    entry = await store._store(draft("lastName"), first)
    await store._point(entry, pointer)
    await store._point(entry, pointer)
    assert await store._create(entry) is True
    assert await store.current() == entry


@pytest.fixture
def heard() -> Heard:
    return Heard()


SHIPPED = Mappings(Mapping("shipped", "contact", ()))


def live(shelf: Shelf, heard: Heard, store: BlobMappings | None = None) -> LiveMapping:
    return LiveMapping(store or shelf.store, SHIPPED, shelf.clock, heard)


async def test_the_shipped_mapping_is_in_force_until_one_is_applied(shelf: Shelf, heard: Heard) -> None:
    mapping = live(shelf, heard)
    await mapping.refresh()
    assert mapping() is SHIPPED
    applied = await shelf.applied("firstName")
    await mapping.refresh()
    assert mapping() is SHIPPED
    shelf.clock.pass_by(15)
    await mapping.refresh()
    assert mapping().version == applied.version
    assert mapping().contact.types == TYPES
    assert heard == Heard()


async def test_a_new_version_and_a_rollback_are_followed(shelf: Shelf, heard: Heard) -> None:
    first = await shelf.applied("firstName")
    mapping = live(shelf, heard)
    await mapping.refresh()
    second = await shelf.applied("lastName")
    shelf.clock.pass_by(15)
    await mapping.refresh()
    assert mapping().version == second.version
    await shelf.store.rollback(1, second, "ann")
    shelf.clock.pass_by(15)
    await mapping.refresh()
    assert mapping().version == first.version


async def test_a_look_costs_one_call_without_content_at_most_every_15_s(storage: Azurite, shelf: Shelf) -> None:
    await shelf.applied("firstName")
    async with relay_to(storage.blob_port) as relay, through(relay, storage) as blobs:
        mapping = live(shelf, Heard(), BlobMappings(blobs, shelf.clock, shelf.name))
        await mapping.refresh()
        relay.requests.clear()
        for seconds, requests in ((14.9, []), (0.1, ["GET"]), (1, ["GET"]), (15, ["GET", "GET"])):
            shelf.clock.pass_by(seconds)
            await asyncio.gather(*(mapping.refresh() for _ in range(5)))
            assert relay.requests == requests


async def test_at_the_start_every_piece_of_work_waits_for_the_first_look(shelf: Shelf, heard: Heard) -> None:
    applied = await shelf.applied("firstName")
    mapping = live(shelf, heard)

    async def work() -> str:
        await mapping.refresh()
        return mapping().version

    assert await asyncio.gather(*(work() for _ in range(5))) == [applied.version] * 5


async def spoil_pointer(shelf: Shelf) -> None:
    await shelf.put(POINTER, b"{}")


async def spoil_by_naming_nothing(shelf: Shelf) -> None:
    await shelf.point_at("versions/9-000000000000.json")


async def spoil_with_a_broken_text(shelf: Shelf) -> None:
    broken = await shelf.store._store(Draft(BROKEN, {"contact": TYPES}, "hand"), await shelf.store.current())
    await shelf.point_at(broken.blob)


async def spoil_by_removing(shelf: Shelf) -> None:
    await shelf.blobs.get_blob_client(shelf.name, POINTER).delete_blob()


SPOILT = [spoil_pointer, spoil_by_naming_nothing, spoil_with_a_broken_text, spoil_by_removing]


@pytest.mark.parametrize("spoil", SPOILT)
async def test_the_running_version_stays_in_force_when_a_broken_one_is_put_there_by_hand(
    shelf: Shelf, heard: Heard, spoil: Any
) -> None:
    first = await shelf.applied("firstName")
    mapping = live(shelf, heard)
    await mapping.refresh()
    await spoil(shelf)
    for _ in range(3):
        shelf.clock.pass_by(15)
        await mapping.refresh()
        assert mapping().version == first.version
    assert heard.counts == ["mapping_not_read"] * 3
    assert [where for where, _, _ in heard.alarms] == ["mapping"]
    await shelf.point_at(first.blob)
    second = await shelf.applied("lastName")
    shelf.clock.pass_by(15)
    await mapping.refresh()
    assert mapping().version == second.version
    await spoil(shelf)
    shelf.clock.pass_by(15)
    await mapping.refresh()
    assert len(heard.alarms) == 2


async def test_a_start_finds_a_broken_version_and_takes_the_one_before_it(shelf: Shelf, heard: Heard) -> None:
    await shelf.applied("firstName")
    second = await shelf.applied("lastName")
    await spoil_with_a_broken_text(shelf)
    mapping = live(shelf, heard)
    await mapping.refresh()
    assert mapping().version == second.version
    assert len(heard.alarms) == 1


async def test_a_start_that_cannot_know_the_version_in_force_does_no_work(shelf: Shelf, heard: Heard) -> None:
    first = await shelf.applied("firstName")
    await spoil_pointer(shelf)
    mapping = live(shelf, heard)
    for _ in range(2):
        with pytest.raises(Retry, match="not known"):
            await mapping.refresh()
    assert len(heard.alarms) == 1
    await shelf.point_at(first.blob)
    await mapping.refresh()
    assert mapping().version == first.version


async def test_storage_that_goes_away_later_changes_nothing(storage: Azurite, shelf: Shelf, heard: Heard) -> None:
    first = await shelf.applied("firstName")
    async with relay_to(storage.blob_port) as relay, through(relay, storage) as blobs:
        mapping = live(shelf, heard, BlobMappings(blobs, shelf.clock, shelf.name))
        await mapping.refresh()
        relay.answers = Answers.CUT
        shelf.clock.pass_by(15)
        await mapping.refresh()
        assert mapping().version == first.version
        assert [reason for _, reason, _ in heard.alarms] == [Reason.LEDGER_UNREACHABLE]
        relay.answers = Answers.PASS
        second = await shelf.applied("lastName")
        shelf.clock.pass_by(15)
        await mapping.refresh()
        assert mapping().version == second.version


@pytest.mark.parametrize("url", [None, "https://a.blob.core.windows.net"])
def test_half_an_address_is_refused(url: str | None) -> None:
    with pytest.raises(ValueError, match="blob storage"):
        blob_service(url=url)
