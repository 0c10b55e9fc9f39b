"""The protocol's bounds on time."""

from __future__ import annotations

import pytest

from shared.domain.ledger import Claim, LedgerRow, Timings, Unknown
from tests.unit.examples import KEY, after


def test_a_row_that_no_worker_wrote_is_never_seen_and_trusts_nothing() -> None:
    row = LedgerRow(KEY)
    assert row.never_seen
    assert row.state == Unknown()
    assert not LedgerRow(KEY, etag="1").never_seen


@pytest.mark.parametrize(
    ("bounds", "fault"),
    [
        ({"http_timeout_s": 91}, "landing bound is shorter"),
        ({"claim_s": 149.9}, "at least 150 s"),
        ({"landing_bound_s": 100}, "at least 160 s"),
        ({"strict": True}, "at least 390 s"),
        ({"work_budget_s": 61}, "at least 151 s"),
    ],
)
def test_bounds_that_would_not_hold_are_refused(bounds: dict[str, float], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Timings(**bounds)  # type: ignore[arg-type]


def test_a_write_must_leave_time_to_land_before_its_claim_ends() -> None:
    claim = Claim("token", after(150))
    assert Timings().last_send(claim) == after(60)


def test_strict_bounds_also_leave_time_for_a_stall_before_the_send() -> None:
    timings = Timings(strict=True, claim_s=390)
    assert timings.reserve_s == 330
    assert timings.last_send(Claim("token", after(390))) == after(60)


def test_a_claimed_record_is_looked_at_soon_then_less_often_and_at_the_claims_end_at_last() -> None:
    claim = Claim("token", after(100))
    looks = [claim.look_again_s(after(0), attempt) for attempt in (0, 1, 2, 5, 6, 500)]
    assert looks == [2, 4, 8, 64, 100, 100]
    assert claim.look_again_s(after(99), 0) == 1
