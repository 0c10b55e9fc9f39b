"""The instance's database: one SQLite file, or memory, that a single event loop writes."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS profile (
    id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, flag_change INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS profile_flag_change ON profile (flag_change);
CREATE TABLE IF NOT EXISTS privacy (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS journal (
    position INTEGER PRIMARY KEY AUTOINCREMENT, appended REAL NOT NULL, event TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS custom_resource (name TEXT PRIMARY KEY, definition TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS token (token TEXT PRIMARY KEY, client_id TEXT NOT NULL, expires REAL NOT NULL);
CREATE TABLE IF NOT EXISTS request (
    api_key TEXT NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL, calls INTEGER NOT NULL,
    PRIMARY KEY (api_key, kind, outcome));
"""
_DATA_TABLES = ("profile", "privacy", "journal", "request")


class Database:
    """Thin access to SQLite; each statement outside a `transaction` commits by itself.

    The process may be killed at any moment without losing an answered write (the operating system has it);
    only a crash of the machine may, which a stand-in need not survive.
    """

    def __init__(self, folder: Path | None, indexed_fields: Iterable[str], unique_field: str | None) -> None:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self._sqlite = sqlite3.connect(str(folder / "campaign.sqlite") if folder else ":memory:", isolation_level=None)
        self._sqlite.execute("PRAGMA journal_mode=WAL")
        self._sqlite.execute("PRAGMA synchronous=OFF")
        self._sqlite.executescript(_SCHEMA)
        self._index(set(indexed_fields), unique_field)

    def _index(self, fields: set[str], unique_field: str | None) -> None:
        for name in fields:
            self.execute(f"CREATE INDEX IF NOT EXISTS profile_{name} ON profile ({column(name)})")
        if unique_field:
            condition = f"WHERE {column(unique_field)} <> ''"
            self.execute(
                f"CREATE UNIQUE INDEX IF NOT EXISTS profile_key_{unique_field} "
                f"ON profile ({column(unique_field)}) {condition}"
            )

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401 - whatever SQLite can bind
        """Run one statement with its bound values."""
        return self._sqlite.execute(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run several statements, of which all or none take effect."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def setting(self, name: str, default: str) -> str:
        """Return a stored setting; the first reader's default is stored and stays."""
        self.execute("INSERT OR IGNORE INTO setting VALUES (?, ?)", name, default)
        return str(self.execute("SELECT value FROM setting WHERE name = ?", name).fetchone()[0])

    def set_setting(self, name: str, value: str) -> None:
        """Replace a stored setting."""
        self.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, value)

    def secret(self) -> bytes:
        """Return the instance's secret, made when the database is."""
        return bytes.fromhex(self.setting("secret", secrets.token_hex(32)))

    def empty(self) -> None:
        """Remove all data but records of custom resources, and all counters; keys stay retired, tokens stay valid."""
        for table in _DATA_TABLES:
            self.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
        self.execute("DELETE FROM setting WHERE name <> 'secret'")

    def close(self) -> None:
        """Close the file."""
        self._sqlite.close()


def column(field: str, row: str = "") -> str:
    """Return the SQL expression for a field of the JSON body; `location.city` reaches into an object.

    `row` is the alias of the table where a statement reads several.
    """
    if not all(part.isidentifier() for part in field.split(".")):
        raise ValueError(f"not a field name: {field!r}")
    return f"json_extract({row}{'.' if row else ''}body, '$.{field}')"


def packed(document: object) -> str:
    """Return a document as stored text."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
