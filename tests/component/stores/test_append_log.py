"""Append logs on Azurite: in order, together with others, and with an answer that was lost."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from azure.storage.blob.aio import BlobServiceClient

from sandbox.azurite import Azurite
from shared.errors import Retry
from shared.stores.append_log import AppendLog
from shared.stores.letter_desk import LetterDesk
from shared.stores.mappings import blob_service
from tests.component.stores.relay import Answers, relay_to
from tests.unit.cli.fakes import FakeClock
from tests.unit.cli.samples import a_letter


@pytest.fixture
async def blobs(storage: Azurite):
    async with blob_service(storage.connection_string) as client:
        yield client


@pytest.fixture
def container() -> str:
    return f"c{uuid.uuid4().hex}"


async def texts(log: AppendLog, name: str) -> list[str]:
    return [entry["text"] for entry in await log.entries(name)]


async def test_entries_stay_in_the_order_in_which_they_came(blobs: BlobServiceClient, container: str) -> None:
    log = AppendLog(blobs, container)
    assert (await log.entries("a/one.jsonl"), await log.names("")) == ((), ())
    for text in ("first", "second\nof two lines", "dritte ü"):
        await log.append("a/one.jsonl", {"text": text})
    await AppendLog(blobs, container).append("b/two.jsonl", {"text": "other"})
    assert await texts(log, "a/one.jsonl") == ["first", "second\nof two lines", "dritte ü"]
    assert await log.names("a/") == ["a/one.jsonl"]


async def test_many_writers_lose_nothing_not_even_at_the_beginning(blobs: BlobServiceClient, container: str) -> None:
    logs = [AppendLog(blobs, container) for _ in range(4)]
    await asyncio.gather(*(log.append("x", {"text": f"{n}.{m}"}) for n, log in enumerate(logs) for m in range(5)))
    assert sorted(await texts(logs[0], "x")) == sorted(f"{n}.{m}" for n in range(4) for m in range(5))


async def test_an_answer_that_was_lost_makes_no_second_entry(storage: Azurite, container: str) -> None:
    async with relay_to(storage.blob_port) as relay:
        through = storage.connection_string.replace(f":{storage.blob_port}/", f":{relay.port}/")
        assert through != storage.connection_string
        async with blob_service(through) as client:
            log = AppendLog(client, container)
            await log.append("x", {"text": "before"})
            relay.answers = Answers.CUT
            with pytest.raises(Retry):
                await log.append("x", {"text": "lost answers"})
            relay.answers = Answers.PASS
            await log.append("x", {"text": "after"})
            assert relay.requests.count("PUT") > 5, "it was tried again, and storage took each try"
            assert await texts(log, "x") == ["before", "lost answers", "after"]


async def test_the_desk_keeps_actions_notes_and_edits(blobs: BlobServiceClient, container: str) -> None:
    desk, letter = LetterDesk(AppendLog(blobs, container), FakeClock()), a_letter(17)
    await desk.record("ann", "replay", "fixed", run="r1", detail={"chosen": 3})
    await desk.note("optout/parked/refused_value/contact", "ann", "see ticket 5")
    await desk.edit(letter, b"one", "ann", "first try")
    await desk.edit(letter, b"two", "bob", "second try")
    (action,) = [one async for one in desk.actions(days=2)]
    assert (action.who, action.what, action.why, action.run, action.detail) == (
        "ann",
        "replay",
        "fixed",
        "r1",
        {"chosen": 3},
    )
    assert [note.text for note in await desk.notes("optout/parked/refused_value/contact", await desk.noted())] == [
        "see ticket 5"
    ]
    edit = await desk.edit_of(letter, await desk.edited())
    assert edit is not None
    assert (edit.who, edit.original, edit.edited) == ("bob", letter.body, b"two")
    assert await desk.edit_of(a_letter(18), await desk.edited()) is None
    other = a_letter(17, body=b"of a queue that was made anew")
    assert await desk.edit_of(other, await desk.edited()) is None
