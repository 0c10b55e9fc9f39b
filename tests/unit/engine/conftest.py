"""A fresh world, and the lines that the bridge logs about it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.engine.fakes import Known

Lines = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def world() -> Known:
    return Known()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """The structured lines of one kind (`decision`, `counted`, `alarm`), in order."""
    caplog.set_level(logging.DEBUG)

    def of(kind: str) -> list[dict[str, Any]]:
        begin = f"{kind} "
        return [
            json.loads(record.getMessage().removeprefix(begin))
            for record in caplog.records
            if record.name == "bridge" and record.getMessage().startswith(begin)
        ]

    return of
