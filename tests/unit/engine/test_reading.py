"""Rows read for a mapping: one that lacks a column was read under another, and must not look empty."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.engine.reading import read_row, read_rows
from shared.errors import Reason, Retry
from tests.unit.engine.fakes import Known
from tests.unit.examples import ID, MAPPING, contact


async def test_a_row_with_every_column_is_given(world: Known) -> None:
    assert await read_row(world.ports, MAPPING, ID) == contact()
    assert await read_rows(world.ports, MAPPING, [ID]) == {ID: contact()}


async def test_a_row_that_lacks_a_column_comes_back_later(world: Known) -> None:
    columns = dict(contact().columns)
    del columns[MAPPING.columns[0]]
    world.dynamics.row = replace(contact(), columns=columns)
    for reading in (read_row(world.ports, MAPPING, ID), read_rows(world.ports, MAPPING, [ID])):
        with pytest.raises(Retry) as raised:
            await reading
        assert raised.value.reason is Reason.ROW_CHANGED


async def test_no_row_is_none(world: Known) -> None:
    world.dynamics.row = None
    assert await read_row(world.ports, MAPPING, ID) is None
