"""Every fault that can be switched on, and the board that hands them out.

`POST /_sandbox/faults` takes `{"fault": <name>, "times": n | null, "method": …, "kind": …, …fields of the fault}`;
null times lasts until cleared. `kind` is a counter's name (`profile PATCH`) or its first word (`profile`); without one
a fault meets API requests only, never the token endpoint (`ims`) or the journal (`journal`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

WRITES = ("POST", "PATCH", "DELETE")
_OUTSIDE_API = ("ims", "journal")


@dataclass(frozen=True)
class Refuse:
    """Answer at the door with an error status (503, 429, 401, 403, 500, 502 …); nothing is applied."""

    status: int = 503
    retry_after_s: int | None = None


@dataclass(frozen=True)
class Slow:
    """Apply and answer only after some seconds, also if the client hangs up meanwhile."""

    seconds: float = 1.0


@dataclass(frozen=True)
class TimeOut:
    """A write gets no answer: held until the client gives up or `hold_s`; applied `apply_after_s` later, or never."""

    hold_s: float = 60.0
    apply_after_s: float | None = 0.0


@dataclass(frozen=True)
class BreakConnection:
    """A write's connection breaks without an answer, after it was applied, or before (`applied` false)."""

    applied: bool = True


@dataclass(frozen=True)
class JournalRepeat:
    """The journal's next page starts some events too early: they are delivered again."""

    events: int = 1


@dataclass(frozen=True)
class JournalUnordered:
    """The events of the journal's next page come in the wrong order."""


@dataclass(frozen=True)
class ExportHalf:
    """The next export writes half of the file under its final name and stops until it is told to finish."""


RequestFault = Refuse | Slow | TimeOut | BreakConnection
Fault = RequestFault | JournalRepeat | JournalUnordered | ExportHalf
CATALOGUE: Mapping[str, type[Fault]] = {
    "refuse": Refuse,
    "slow": Slow,
    "time-out": TimeOut,
    "break-connection": BreakConnection,
    "journal-repeat": JournalRepeat,
    "journal-unordered": JournalUnordered,
    "export-half": ExportHalf,
}
_F = TypeVar("_F", JournalRepeat, JournalUnordered, ExportHalf)


@dataclass(frozen=True)
class Order:
    """A fault with where it applies and how often."""

    fault: Fault
    times: int | None = 1
    method: str | None = None
    kind: str | None = None

    def meets(self, kind: str, method: str) -> bool:
        """Tell whether a request of this kind runs into the fault."""
        if not isinstance(self.fault, Refuse | Slow | TimeOut | BreakConnection):
            return False
        if isinstance(self.fault, TimeOut | BreakConnection) and self.method is None and method not in WRITES:
            return False
        if self.kind is None and kind.split()[0] in _OUTSIDE_API:
            return False
        return self.method in (None, method) and (self.kind is None or f"{kind} ".startswith(f"{self.kind} "))


def order_from(document: Mapping[str, Any]) -> Order:
    """Read an order from JSON; raises ValueError that says what is wrong."""
    name = str(document.get("fault"))
    if name not in CATALOGUE:
        raise ValueError(f"'fault' is one of {', '.join(CATALOGUE)}")
    kind = CATALOGUE[name]
    known = {field.name for field in dataclasses.fields(kind)}
    values = {key: value for key, value in document.items() if key not in ("fault", "times", "method", "kind")}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"{name} has no {', '.join(unknown)}; it has {', '.join(sorted(known)) or 'no fields'}")
    times = document.get("times", 1)
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise ValueError("'times' is a positive number, or null for until cleared")
    return Order(kind(**values), times, document.get("method"), document.get("kind"))


class FaultBoard:
    """The faults that are switched on; the first that fits a request is taken, and counted down."""

    def __init__(self) -> None:
        self._orders: dict[int, Order] = {}
        self._last = 0

    def add(self, order: Order) -> int:
        """Switch a fault on; return its number."""
        self._last += 1
        self._orders[self._last] = order
        return self._last

    def clear(self, number: int | None = None) -> None:
        """Switch one fault off, or all."""
        if number is None:
            self._orders.clear()
        else:
            self._orders.pop(number, None)

    def active(self) -> Mapping[int, Order]:
        """Return what is switched on, by number."""
        return dict(self._orders)

    def take(self, kind: str, method: str) -> RequestFault | None:
        """Return the fault that a request runs into, if any."""
        for number, order in self._orders.items():
            if order.meets(kind, method):
                fault = self._use(number)
                assert isinstance(fault, Refuse | Slow | TimeOut | BreakConnection)
                return fault
        return None

    def take_of(self, wanted: type[_F]) -> _F | None:
        """Return a waiting fault of the journal or the export."""
        for number, order in self._orders.items():
            if isinstance(order.fault, wanted):
                self._use(number)
                return order.fault
        return None

    def _use(self, number: int) -> Fault:
        order = self._orders[number]
        if order.times == 1:
            del self._orders[number]
        elif order.times is not None:
            self._orders[number] = dataclasses.replace(order, times=order.times - 1)
        return order.fault
