"""Where messages outlive the process: a SQLite file, or nowhere."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sandbox.service_bus.amqp.messages import parse
from sandbox.service_bus.entry import Entry, State


@dataclass(frozen=True, slots=True)
class Stored:
    """What a queue finds when it starts: its messages, its duplicate history and the last number it gave out."""

    entries: tuple[Entry, ...] = ()
    history: dict[bytes, int] = field(default_factory=dict)
    last_sequence: int = 0


class Store(Protocol):
    """Changes are collected and become durable together with `commit`. `queue` is the address in lower case."""

    def load(self, queue: str) -> Stored: ...
    def put(self, queue: str, entry: Entry) -> None: ...
    def delete(self, queue: str, sequence: int) -> None: ...
    def remember(self, queue: str, message_id: bytes, until_ms: int) -> None: ...
    def forget(self, queue: str, message_id: bytes) -> None: ...
    def set_last_sequence(self, queue: str, sequence: int) -> None: ...
    def commit(self) -> None: ...
    def close(self) -> None: ...


class MemoryStore:
    """Keeps nothing: the queues hold every message themselves."""

    def load(self, queue: str) -> Stored:
        del queue
        return Stored()

    def put(self, queue: str, entry: Entry) -> None:
        pass

    def delete(self, queue: str, sequence: int) -> None:
        pass

    def remember(self, queue: str, message_id: bytes, until_ms: int) -> None:
        pass

    def forget(self, queue: str, message_id: bytes) -> None:
        pass

    def set_last_sequence(self, queue: str, sequence: int) -> None:
        pass

    def commit(self) -> None:
        pass

    def close(self) -> None:
        pass


_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  queue TEXT, sequence INTEGER, enqueue_sequence INTEGER, enqueued_ms INTEGER, expires_ms INTEGER, due_ms INTEGER,
  state INTEGER, delivery_count INTEGER, raw BLOB, PRIMARY KEY (queue, sequence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
  queue TEXT, message_id BLOB, until_ms INTEGER, PRIMARY KEY (queue, message_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sequences (queue TEXT PRIMARY KEY, last INTEGER) WITHOUT ROWID;
"""


class SqliteStore:
    """One file in WAL mode with `synchronous=NORMAL`.

    What was committed survives a killed process; a power cut may cost the last commits. The file belongs to one broker
    at a time: a second one gets sqlite3.OperationalError.
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
        self._sequences: dict[str, int] = {}
        self._changes: list[tuple[str, tuple[object, ...]]] = []
        try:
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_SCHEMA)
            # Taking the write lock at once makes a second broker on the file fail at its start, not in its first send.
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("COMMIT")
        except sqlite3.Error:
            self._database.close()
            raise

    def load(self, queue: str) -> Stored:
        """Raises sqlite3.Error, and DecodeError if a stored message was damaged."""
        query = self._database.execute
        rows = query(
            "SELECT sequence, enqueue_sequence, raw, enqueued_ms, expires_ms, due_ms, state, delivery_count"
            " FROM messages WHERE queue = ? ORDER BY sequence",
            (queue,),
        )
        entries = tuple(_entry(row) for row in rows)
        history = dict(query("SELECT message_id, until_ms FROM history WHERE queue = ?", (queue,)).fetchall())
        last = query("SELECT last FROM sequences WHERE queue = ?", (queue,)).fetchone()
        return Stored(entries, history, last[0] if last else 0)

    def put(self, queue: str, entry: Entry) -> None:
        values = (
            queue,
            entry.sequence,
            entry.enqueue_sequence,
            entry.enqueued_ms,
            entry.expires_ms,
            entry.due_ms,
            int(entry.state),
            entry.delivery_count,
            entry.message.raw,
        )
        self._collect("INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def delete(self, queue: str, sequence: int) -> None:
        self._collect("DELETE FROM messages WHERE queue = ? AND sequence = ?", (queue, sequence))

    def remember(self, queue: str, message_id: bytes, until_ms: int) -> None:
        self._collect("INSERT OR REPLACE INTO history VALUES (?, ?, ?)", (queue, message_id, until_ms))

    def forget(self, queue: str, message_id: bytes) -> None:
        self._collect("DELETE FROM history WHERE queue = ? AND message_id = ?", (queue, message_id))

    def set_last_sequence(self, queue: str, sequence: int) -> None:
        self._sequences[queue] = sequence

    def commit(self) -> None:
        """One transaction for all that was collected. Raises sqlite3.Error, after which nothing of it is durable."""
        for queue, last in self._sequences.items():
            self._collect("INSERT OR REPLACE INTO sequences VALUES (?, ?)", (queue, last))
        self._sequences.clear()
        if not self._changes:
            return
        changes, self._changes = self._changes, []
        execute = self._database.execute
        execute("BEGIN")
        try:
            for statement, values in changes:
                execute(statement, values)
            execute("COMMIT")
        except sqlite3.Error:
            if self._database.in_transaction:
                execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._database.close()

    def _collect(self, statement: str, values: tuple[object, ...]) -> None:
        self._changes.append((statement, values))


def _entry(row: tuple[int, int, bytes, int, int, int, int, int]) -> Entry:
    sequence, enqueue_sequence, raw, enqueued_ms, expires_ms, due_ms, state, delivery_count = row
    return Entry(sequence, enqueue_sequence, parse(raw), enqueued_ms, expires_ms, due_ms, State(state), delivery_count)
