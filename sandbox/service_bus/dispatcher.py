"""Who gets which message, and when bytes may leave: changes are made durable before anyone hears of them."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Protocol

from sandbox.service_bus.entry import Delivery
from sandbox.service_bus.indexed_heap import IndexedHeap
from sandbox.service_bus.queue import Queue
from sandbox.service_bus.store import Store

logger = logging.getLogger(__name__)

#: Longest sleep before a due time is looked at again, so that a clock which jumps is noticed.
MAX_SLEEP_S = 0.25


class Consumer(Protocol):
    """A receiver's end of a link."""

    @property
    def deletes(self) -> bool:
        """Whether messages are deleted as they are handed out."""

    @property
    def has_credit(self) -> bool:
        """Whether a message may be delivered now."""

    def deliver(self, delivery: Delivery) -> None:
        """Writes the message to the peer."""


class Output(Protocol):
    """Something with bytes waiting to be written."""

    def flush(self) -> None:
        """Writes them."""


class Dispatcher:
    """One turn an event-loop iteration: deliver what is ready, commit, then write.

    All that arrives in one iteration shares a commit. If the commit fails, nothing is written: `on_failure` must drop
    the connections, whose peers then know as little as the store.
    """

    def __init__(self, store: Store, clock: Callable[[], int], on_failure: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._consumers: dict[Queue, deque[Consumer]] = {}
        self._touched: set[Queue] = set()
        self._outputs: set[Output] = set()
        self._due: IndexedHeap[Queue] = IndexedHeap()
        self._turn_planned = False
        self._timer: asyncio.TimerHandle | None = None

    def touch(self, queue: Queue) -> None:
        """The queue has changed: see to it in the next turn."""
        self._touched.add(queue)
        self._plan_turn()

    def written(self, output: Output) -> None:
        """The output has bytes: flush it at the end of the next turn."""
        self._outputs.add(output)
        self._plan_turn()

    def add(self, queue: Queue, consumer: Consumer) -> None:
        """The consumer takes part in the round-robin of the queue."""
        self._consumers.setdefault(queue, deque()).append(consumer)

    def remove(self, queue: Queue, consumer: Consumer) -> None:
        """The consumer gets nothing more."""
        if consumer in self._consumers.get(queue, ()):
            self._consumers[queue].remove(consumer)

    def serve(self, queue: Queue) -> None:
        """Hands out what is ready, one message each in turn, to those with credit."""
        queue.advance()
        while queue.has_ready and (consumer := self._next_consumer(queue)) is not None:
            delivery = queue.receive(delete=consumer.deletes)
            if delivery is None:
                return
            consumer.deliver(delivery)

    def close(self) -> None:
        """Ends the timer and makes durable what is left. Raises sqlite3.Error."""
        if self._timer is not None:
            self._timer.cancel()
        self._turn_planned = True
        self._store.commit()

    def _plan_turn(self) -> None:
        if not self._turn_planned:
            self._turn_planned = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_planned = True
        while self._touched:
            queue = self._touched.pop()
            self.serve(queue)
            self._touched.discard(queue)
            self._note_due(queue)
        outputs, self._outputs = self._outputs, set()
        try:
            self._store.commit()
        except sqlite3.Error:
            logger.exception("the message store failed; the broker closes its connections")
            self._on_failure()
            return
        for output in outputs:
            output.flush()
        self._turn_planned = False
        self._arm_timer()

    def _next_consumer(self, queue: Queue) -> Consumer | None:
        consumers = self._consumers.get(queue, deque())
        for _ in range(len(consumers)):
            consumer = consumers[0]
            consumers.rotate(-1)
            if consumer.has_credit:
                return consumer
        return None

    def _note_due(self, queue: Queue) -> None:
        due_ms = queue.next_due_ms()
        if due_ms is None:
            self._due.discard(queue)
        else:
            self._due.put(queue, due_ms)

    def _arm_timer(self) -> None:
        due_ms = self._due.first()
        if due_ms is None:
            return
        sleep_s = min(max(due_ms - self._clock(), 0) / 1000, MAX_SLEEP_S)
        if self._timer is not None:
            if self._timer.when() <= self._loop.time() + sleep_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_later(sleep_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        now_ms = self._clock()
        while (queue := self._due.pop(now_ms)) is not None:
            self.touch(queue)
        if not self._touched:
            self._arm_timer()
