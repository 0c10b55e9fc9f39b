"""The order of a queue's numbers stays right while they come and go, and holds few that have gone."""

from __future__ import annotations

from random import Random

import pytest

from sandbox.service_bus.sequence_order import SequenceOrder


@pytest.mark.parametrize("seed", range(5))
def test_it_shows_what_sorting_would(seed: int) -> None:
    random, present = Random(seed), set[int]()
    order = SequenceOrder(present)
    for _ in range(2000):
        number = random.randrange(500)
        if number in present and random.random() < 0.7:
            present.discard(number)
        elif number not in present:
            order.add(number)
            present.add(number)
        if random.random() < 0.1:
            first = random.randrange(500)
            assert list(order.since(first)) == sorted(one for one in present if one >= first)


def test_what_has_gone_is_forgotten() -> None:
    present = set(range(10_000))
    order = SequenceOrder(present)
    for number in sorted(present):
        order.add(number)
    present -= set(range(9_990))
    assert list(order.since(1)) == list(range(9_990, 10_000))
    assert len(order._numbers) <= 100
