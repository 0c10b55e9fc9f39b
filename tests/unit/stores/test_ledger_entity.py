"""Ledger rows as table entities: exact both ways, for every row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.change import RecordKey
from shared.domain.ledger import Absent, Claim, LedgerRow, Present, PrivacyRequest, Unknown
from shared.stores.ledger_entity import (
    PARTITIONS,
    address,
    from_entity,
    key_at,
    key_of,
    key_text,
    partition_of,
    time_text,
    to_entity,
)

OLDEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(OLDEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=zones)
keys = st.builds(RecordKey, st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), st.uuids().map(str))
rows = st.builds(
    LedgerRow,
    keys,
    state=st.one_of(st.builds(Present, st.text()), st.just(Absent()), st.just(Unknown())),
    witness=st.booleans(),
    generation=st.integers(0, 2**31 - 1),
    flags=st.frozensets(st.text()),
    pending=st.none() | st.builds(PrivacyRequest, st.text(), moments),
    claim=st.none() | st.builds(Claim, st.text(), moments),
    check_at=st.none() | moments,
    once=st.none() | st.text(min_size=1),
    etag=st.just("e"),
)


@given(rows)
def test_every_row_comes_back_exactly(row: LedgerRow) -> None:
    assert from_entity(row.key, to_entity(row), "e") == row


@given(rows)
def test_an_entity_holds_flat_values_and_keys_that_storage_allows(row: LedgerRow) -> None:
    entity = to_entity(row)
    assert all(isinstance(value, str | bool | int) for value in entity.values())
    assert not set("/\\#?") & set(entity["PartitionKey"] + entity["RowKey"])


@given(keys)
def test_a_record_is_found_again_by_its_text(key: RecordKey) -> None:
    assert key_of(key_text(key)) == key


@given(keys | st.builds(RecordKey, st.just("contact"), st.text()))
def test_a_record_is_found_again_by_its_address(key: RecordKey) -> None:
    """Also one whose id is no GUID."""
    assert key_at(address(key)[1]) == key


@given(st.lists(st.uuids(), min_size=2))
def test_rows_are_sorted_as_sql_server_sorts_unique_identifiers(ids: list[UUID]) -> None:
    """Of the 16 bytes as .NET holds them, 10 to 15 count first, then 8 and 9, 6 and 7, 4 and 5, and 0 to 3."""

    def weight(guid: UUID) -> bytes:
        held = guid.bytes_le
        return held[10:] + held[8:10] + held[6:8] + held[4:6] + held[0:4]

    by_row_key = sorted(ids, key=lambda guid: address(RecordKey("contact", str(guid)))[1])
    assert by_row_key == sorted(ids, key=weight)


def test_dataverse_s_sequential_ids_are_neighbours() -> None:
    """Of rows made one after the other the first byte counts up, then the second."""
    ids = [f"{0x49 + n:02x}b0be2e-d01c-ed11-b83e-000d3a572421" for n in range(3)]
    row_keys = [address(RecordKey("contact", one))[1] for one in ids]
    assert row_keys == sorted(row_keys)
    assert {text[:-2] for text in row_keys} == {"contact|000d3a572421b83e11ed1cd02ebeb0"}


@given(moments, moments)
def test_times_sort_as_text(one: datetime, other: datetime) -> None:
    assert (time_text(one) < time_text(other)) == (one < other)
    assert datetime.fromisoformat(time_text(one)) == one


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without zone"):
        to_entity(LedgerRow(RecordKey("contact", "1"), check_at=OLDEST.replace(tzinfo=None)))


def test_a_state_of_a_later_version_is_told() -> None:
    entity = to_entity(LedgerRow(RecordKey("contact", "1"))) | {"state": "archived"}
    with pytest.raises(ValueError, match=r"contact\|~1: unknown state 'archived'"):
        from_entity(RecordKey("contact", "1"), entity, "e")


def test_sequential_ids_spread_over_all_partitions_evenly() -> None:
    ids = [f"{0xA1B2C3D4 + n:08x}-5e6f-f011-bec1-000d3a2b3c4d" for n in range(1600)]
    counts = dict.fromkeys(PARTITIONS, 0)
    for record in ids:
        counts[partition_of(RecordKey("contact", record))] += 1
    assert min(counts.values()) > 50
    assert max(counts.values()) < 200


def test_a_row_stays_where_it_is_stored() -> None:
    """The partition is part of the stored address: another checksum would lose every row."""
    key = RecordKey("contact", "5a1c1c1e-0000-4000-8000-000000000001")
    assert address(key) == (partition_of(key), "contact|0000000000018000004000001e1c1c5a")
    assert partition_of(key) == "2"
    assert time_text(datetime(2026, 11, 21, 12, tzinfo=UTC)) == "2026-11-21T12:00:00.000000+00:00"
