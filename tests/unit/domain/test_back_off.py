"""Waiting doubles, and never exceeds what was waited already."""

from __future__ import annotations

import pytest

from shared.domain.back_off import back_off_s


@pytest.mark.parametrize(
    ("attempt", "waited_s", "expected"),
    [
        pytest.param(0, 0, 5, id="first"),
        pytest.param(0, 7_200, 5, id="first, after an hour behind others"),
        pytest.param(3, 60, 40, id="doubled"),
        pytest.param(12, 30, 30, id="many short waits for a claim say nothing"),
        pytest.param(12, 0, 5, id="a clock that went back"),
        pytest.param(40, 86_400, 900, id="longest"),
    ],
)
def test_how_long(attempt: int, waited_s: float, expected: float) -> None:
    assert back_off_s(5, 900, attempt, waited_s) == expected
