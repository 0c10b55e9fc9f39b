"""Counts of what was asked and done, for tests that prove how many calls a piece of work costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counters:
    """`http`: requests on the wire by method and table; `operations`: with batches unpacked; `rows`: by effect."""

    http: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    tokens: int = 0

    def row(self, effect: str, table: str, number: int = 1) -> None:
        """Count rows read, created, updated or deleted."""
        self.rows[f"{effect} {table}"] += number

    def clear(self) -> None:
        for counter in (self.http, self.operations, self.rows, self.answers):
            counter.clear()
        self.tokens = 0

    def snapshot(self) -> dict[str, object]:
        """All counts as JSON; `batches` and `batched` are the batch requests and the operations inside them."""
        batches = self.http["POST $batch"]
        return {
            "http": dict(self.http),
            "operations": dict(self.operations),
            "rows": dict(self.rows),
            "answers": dict(self.answers),
            "batches": batches,
            "batched": self.operations.total() - (self.http.total() - batches),
            "tokens": self.tokens,
        }
