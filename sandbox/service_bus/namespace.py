"""The queues by address, and the switches with which a test makes them fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sandbox.service_bus.amqp.messages import Message
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.queue import Queue
from sandbox.service_bus.settings import QueueSettings
from sandbox.service_bus.store import Store


class Namespace:
    """All queues of one broker. Raises ValueError if two have the same name."""

    def __init__(
        self,
        settings: Sequence[QueueSettings],
        clock: Callable[[], int],
        store: Store,
        on_change: Callable[[Queue], None],
    ) -> None:
        self._queues: dict[str, Queue] = {}
        self._refused: dict[str | None, Condition] = {}
        for one in settings:
            queue = Queue(one, clock, store, on_change)
            assert queue.dead_letters is not None
            if queue.address in self._queues:
                raise ValueError(f"two queues have the name {one.name}")
            self._queues |= {queue.address: queue, queue.dead_letters.address: queue.dead_letters}

    def __iter__(self) -> Iterator[Queue]:
        """The queues themselves, without their dead-letter sub-queues."""
        return (queue for queue in self._queues.values() if queue.dead_letters is not None)

    def queue(self, path: str) -> Queue:
        """The queue or sub-queue at a lower-case path. Raises BrokerError if there is none."""
        try:
            return self._queues[path]
        except KeyError:
            raise BrokerError(Condition.NOT_FOUND, f"the messaging entity {path!r} could not be found") from None

    def enqueue(self, queue: Queue, messages: Sequence[Message]) -> list[int]:
        """Sequence numbers. Raises BrokerError if the queue takes no messages, now or ever."""
        if queue.dead_letters is None:
            raise BrokerError(Condition.NOT_ALLOWED, "nothing can be sent to a dead-letter queue")
        condition = self._refused.get(queue.address) or self._refused.get(None)
        if condition is not None:
            raise BrokerError(condition, f"sends to {queue.address} are refused for a test")
        return queue.enqueue(messages)

    def refuse(self, name: str | None, condition: Condition) -> None:
        """From now on sends to this queue, or to all, fail. Raises BrokerError for an unknown queue."""
        self._refused[None if name is None else self.queue(name.lower()).address] = condition

    def accept(self) -> None:
        """Ends every refusal."""
        self._refused.clear()
