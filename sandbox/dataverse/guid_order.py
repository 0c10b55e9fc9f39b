"""The order of unique identifiers is SQL Server's: the last group counts first, the first one's first byte last."""

from __future__ import annotations

# Where each piece of the written form begins (from 1) and how long it is, from the most to the least significant one.
_PIECES = ((25, 12), (20, 4), (17, 2), (15, 2), (12, 2), (10, 2), (7, 2), (5, 2), (3, 2), (1, 2))


def weight(guid: str) -> str:
    """Sorted as text, weights are in the order of their identifiers."""
    return "".join(guid[start - 1 : start - 1 + length] for start, length in _PIECES)


def weight_sql(column: str) -> str:
    """The same of a column, for SQLite. An index over it is used where the words are the same."""
    return " || ".join(f"substr({column}, {start}, {length})" for start, length in _PIECES)
