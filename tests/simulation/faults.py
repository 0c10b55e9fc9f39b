"""What can go wrong at a step: plans that the world asks before and after everything that a worker does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random


class Crashed(BaseException):
    """The worker's process died here."""


@dataclass(frozen=True)
class Fault:
    """At one step: `stall_s` of nothing happening, then, if `crash`, the end. `lose_lock`: the broker redelivers."""

    stall_s: float = 0
    crash: bool = False
    lose_lock: bool = False


@dataclass(frozen=True)
class Late:
    """A write whose answer never comes: the client gives up after its time-out, the write lands `lands_after_s`.

    None: it never lands. `crash`: the worker dies while it waits.
    """

    lands_after_s: float | None
    crash: bool = False


@dataclass
class Plan:
    """No fault at all; subclasses say otherwise. Latencies are seconds."""

    random: Random = field(default_factory=lambda: Random(1))

    def latency_s(self, where: str) -> float:
        return self.random.uniform(0.05, 0.5)

    def at(self, worker: str, step: int, where: str) -> Fault | None:
        return None

    def write(self, worker: str, where: str) -> Late | None:
        return None

    def lies(self, where: str) -> bool:
        """A ledger write is applied, but the answer says that it was not."""
        return False

    def webhook(self) -> list[float]:
        """When the copies of an announcement arrive, in seconds; empty: it is lost."""
        return [self.random.uniform(0.1, 3)]


@dataclass
class AtStep(Plan):
    """One fault, at the n-th step of all workers together."""

    step: int = -1
    fault: Fault = field(default_factory=Fault)
    seen: int = 0

    def at(self, worker: str, step: int, where: str) -> Fault | None:
        self.seen += 1
        return self.fault if self.seen - 1 == self.step else None


@dataclass
class Scripted(Plan):
    """Faults chosen by a function of (worker, where); latencies and webhooks likewise, where given."""

    fault: Callable[[str, str], Fault | None] = lambda worker, where: None
    late: Callable[[str, str], Late | None] = lambda worker, where: None
    webhooks: Callable[[], list[float]] | None = None

    def at(self, worker: str, step: int, where: str) -> Fault | None:
        return self.fault(worker, where)

    def write(self, worker: str, where: str) -> Late | None:
        return self.late(worker, where)

    def webhook(self) -> list[float]:
        return self.webhooks() if self.webhooks else super().webhook()


@dataclass
class Storm(Plan):
    """Everything at random, from one seed, within the protocol's bounds.

    A worker that stalled does not crash as well: a stall just before a write and a crash just after it is beyond what
    any protocol survives without conditional writes (docs/guarantees.md).
    """

    stalls: float = 0.01
    crashes: float = 0.01
    lates: float = 0.05
    lying: float = 0.01
    lost: float = 0.1
    longest_stall_s: float = 240
    stalled: set[str] = field(default_factory=set)

    def at(self, worker: str, step: int, where: str) -> Fault | None:
        roll = self.random.random()
        if roll < self.crashes and worker not in self.stalled:
            return Fault(crash=True)
        if self.crashes <= roll < self.crashes + self.stalls:
            self.stalled.add(worker)
            return Fault(stall_s=self.random.uniform(1, self.longest_stall_s), lose_lock=self.random.random() < 0.5)
        return None

    def write(self, worker: str, where: str) -> Late | None:
        if self.random.random() >= self.lates:
            return None
        crash = worker not in self.stalled and self.random.random() < 0.2
        return Late(self.random.uniform(0, 89) if self.random.random() < 0.8 else None, crash)

    def lies(self, where: str) -> bool:
        return self.random.random() < self.lying

    def webhook(self) -> list[float]:
        if self.random.random() < self.lost:
            return []
        copies = 2 if self.random.random() < 0.1 else 1
        return [self.random.expovariate(1 / 3) for _ in range(copies)]
