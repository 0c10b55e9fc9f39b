"""The sequence numbers of a queue in order, so that a page of a long queue is found without looking at all of it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container, Iterator, Sized
from typing import Protocol


class Present(Container[int], Sized, Protocol):
    """The numbers that are in the queue now."""


class SequenceOrder:
    """Numbers that left the queue stay here as stale items until they outnumber the present ones."""

    def __init__(self, present: Present) -> None:
        self._present = present
        self._numbers: list[int] = []

    def add(self, number: int) -> None:
        """A number that is not present yet; most are higher than all before."""
        self._compact()
        position = bisect_left(self._numbers, number)
        if position == len(self._numbers) or self._numbers[position] != number:
            insort(self._numbers, number)

    def since(self, first: int) -> Iterator[int]:
        """The numbers that are present, from this one on."""
        self._compact()
        for position in range(bisect_left(self._numbers, first), len(self._numbers)):
            if self._numbers[position] in self._present:
                yield self._numbers[position]

    def _compact(self) -> None:
        if len(self._numbers) > 2 * len(self._present) + 64:
            self._numbers = [one for one in self._numbers if one in self._present]
