"""Ledger rows ↔ table entities: flat columns, and keys as text."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_never
from uuid import UUID

from shared.domain.change import RecordKey
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, PrivacyRequest, State, Unknown

Entity = dict[str, Any]
PARTITIONS = tuple("0123456789abcdef")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NO_GUID = "~"


def partition_of(key: RecordKey) -> str:
    """One of 16, by a checksum: Dataverse's sequential ids would fill one partition at a time."""
    return f"{zlib.crc32(key.id.encode()) & 0xF:x}"


def address(key: RecordKey) -> tuple[str, str]:
    """PartitionKey and RowKey of a record's row."""
    return partition_of(key), f"{key.table}|{_sortable(key.id)}"


def key_at(row_key: str) -> RecordKey:
    """The record whose row is stored under that RowKey."""
    table, _, text = row_key.partition("|")
    return RecordKey(table, _id(text))


def _sortable(record_id: str) -> str:
    """The bytes of a GUID from the most to the least significant one: sorted as text it is sorted as Dataverse sorts.

    SQL Server's order of unique identifiers: the last group counts first, then the fourth, both as they are written;
    then the third, the second and the first, each from its last byte on.
    """
    if GUID.fullmatch(record_id) is None:
        return f"{NO_GUID}{record_id}"
    written = bytes.fromhex(record_id.replace("-", ""))
    return (written[10:] + written[8:10] + written[7::-1]).hex()


def _id(text: str) -> str:
    """The inverse of `_sortable`."""
    if text.startswith(NO_GUID):
        return text.removeprefix(NO_GUID)
    weighed = bytes.fromhex(text)
    return str(UUID(bytes=weighed[:7:-1] + weighed[6:8] + weighed[:6]))


def key_text(key: RecordKey) -> str:
    """Table and id, as other entities name a record."""
    return f"{key.table}|{key.id}"


def key_of(text: str) -> RecordKey:
    """The inverse of `key_text`."""
    table, _, record_id = text.partition("|")
    return RecordKey(table, record_id)


def to_entity(row: LedgerRow) -> Entity:
    """Without the columns that have nothing to say. Raises ValueError for a time without zone."""
    partition, row_key = address(row.key)
    columns = {
        "PartitionKey": partition,
        "RowKey": row_key,
        "state": _state_name(row.state),
        "digest": row.state.digest if isinstance(row.state, Present) else None,
        "witness": row.witness,
        "generation": row.generation,
        "flags": json.dumps(sorted(row.flags)),
        "pending_name": row.pending.name if row.pending else None,
        "pending_sent_at": time_text(row.pending.sent_at) if row.pending else None,
        "claim_token": row.claim.token if row.claim else None,
        "claim_until": time_text(row.claim.until) if row.claim else None,
        "check_at": time_text(row.check_at) if row.check_at else None,
        "parents": json.dumps(sorted(map(key_text, row.parents))) if row.parents else None,
        "found_by": row.found_by,
        "once": row.once,
    }
    return {name: value for name, value in columns.items() if value is not None}


def from_entity(key: RecordKey, entity: Mapping[str, Any], etag: str) -> LedgerRow:
    """The inverse of `to_entity`."""
    pending_name, claim_token, check_at = (entity.get(name) for name in ("pending_name", "claim_token", "check_at"))
    return LedgerRow(
        key,
        state=_state(entity),
        witness=entity["witness"],
        generation=entity["generation"],
        flags=frozenset(json.loads(entity["flags"])),
        pending=PrivacyRequest(pending_name, _time(entity["pending_sent_at"])) if pending_name is not None else None,
        claim=Claim(claim_token, _time(entity["claim_until"])) if claim_token is not None else None,
        check_at=_time(check_at) if check_at else None,
        parents=frozenset(key_of(text) for text in json.loads(entity.get("parents", "[]"))),
        found_by=entity.get("found_by"),
        once=entity.get("once"),
        etag=etag,
    )


def time_text(moment: datetime) -> str:
    """UTC with microseconds, of fixed width: exact, and sorted as text it is sorted by time."""
    if moment.tzinfo is None:
        raise ValueError("a time without zone cannot be stored")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _state_name(state: State) -> str:
    match state:
        case Present():
            return "present"
        case Absent():
            return "absent"
        case Unknown():
            return "unknown"
        case _:
            assert_never(state)


def _state(entity: Mapping[str, Any]) -> State:
    match entity["state"]:
        case "present":
            return Present(entity["digest"])
        case "absent":
            return Absent()
        case "unknown":
            return Unknown()
        case name:
            raise ValueError(f"ledger row {entity['RowKey']}: unknown state {name!r}")
