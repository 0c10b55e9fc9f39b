"""What the tests of the commands share: how one is typed, and how its output is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from typer.testing import Result

from shared.domain.change import Lane
from tests.unit.cli.samples import a_letter

Run = Callable[..., Result]
PARKED = a_letter(7, queue=Lane.PARKED, place="parked", lane=Lane.OPTOUT, reason="refused_email")
WIDE = {"COLUMNS": "240", "TERM": "dumb"}


def data(result: Result) -> Any:
    """All of stdout is one JSON document."""
    return json.loads(result.stdout)
