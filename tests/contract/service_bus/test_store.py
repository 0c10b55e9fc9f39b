"""What the SQLite file keeps over a restart, and what happens when it cannot keep anything."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.service_bus import QueueSettings, start
from sandbox.service_bus.amqp.performatives import Attach, Disposition
from sandbox.service_bus.queue import Queue
from sandbox.service_bus.store import SqliteStore
from tests.contract.service_bus.building import START_MS, HandClock, body_of, message, raw_message
from tests.contract.service_bus.raw_peer import RawPeer, attach

SETTINGS = QueueSettings("q1", lock_duration_s=30, duplicate_window_s=60)


def reopened(path: Path, clock: HandClock) -> tuple[Queue, SqliteStore]:
    store = SqliteStore(path)
    return Queue(SETTINGS, clock, store), store


def test_every_state_the_history_and_the_numbers_survive(tmp_path: Path) -> None:
    clock, path = HandClock(), tmp_path / "bus.db"
    queue, store = reopened(path, clock)
    queue.enqueue([message("done", message_id="1"), message("dead"), message("deferred"), message("twice")])
    queue.enqueue([message("later", scheduled_ms=START_MS + 1000), message("locked"), message("active")])
    tokens = [queue.receive().token for _ in range(4)]  # type: ignore[union-attr]
    queue.complete(tokens[0])  # type: ignore[arg-type]
    queue.dead_letter(tokens[1], {"DeadLetterReason": "Bad"})  # type: ignore[arg-type]
    queue.defer(tokens[2])  # type: ignore[arg-type]
    queue.abandon(tokens[3])  # type: ignore[arg-type]
    queue.receive()
    before = queue.counts()
    store.commit()
    store.close()

    queue, store = reopened(path, clock)
    assert queue.counts() == replace(before, active=before.active + before.locked, locked=0)
    assert [body_of(raw) for raw in queue.peek(0, 9)] == ["deferred", "twice", "later", "locked", "active"]
    again = queue.receive()
    assert again is not None
    assert (body_of(again.encoded()), again.entry.delivery_count) == ("twice", 1)
    queue.enqueue([message(message_id="1")])
    assert queue.counts().active == 2
    assert queue.enqueue([message()])[0] == 9
    store.close()


def test_numbers_are_not_given_out_again_when_the_queue_was_empty(tmp_path: Path) -> None:
    clock, path = HandClock(), tmp_path / "bus.db"
    queue, store = reopened(path, clock)
    queue.enqueue([message(), message()])
    queue.receive(delete=True)
    queue.receive(delete=True)
    store.commit()
    store.close()
    queue, store = reopened(path, clock)
    assert queue.enqueue([message()]) == [3]
    store.close()


def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    clock, path = HandClock(), tmp_path / "bus.db"
    queue, store = reopened(path, clock)
    queue.enqueue([message()])
    store.close()
    queue, store = reopened(path, clock)
    assert queue.counts().active == 0
    store.close()


def test_a_file_belongs_to_one_broker(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "bus.db")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        SqliteStore(tmp_path / "bus.db")
    store.close()


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    path.write_bytes(b"something else entirely" * 50)
    with pytest.raises(sqlite3.DatabaseError):
        SqliteStore(path)


async def test_a_send_is_not_confirmed_if_the_store_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = await start([SETTINGS], store=tmp_path / "bus.db")
    peer = await RawPeer.opened(broker.port)
    await peer.authorize("")
    peer.send(attach(1, source="me", target="q1", receiver=False))
    await peer.expect(Attach, lambda answer: answer.handle == 1)

    def full(_: SqliteStore) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(SqliteStore, "commit", full)
    peer.transfer(1, 0, raw_message())
    with pytest.raises(ConnectionError):
        await peer.expect(Disposition, lambda one: one.first == 0)
    with pytest.raises(ConnectionError):
        await RawPeer.opened(broker.port)
    monkeypatch.undo()
    await peer.close()
    await broker.stop()
