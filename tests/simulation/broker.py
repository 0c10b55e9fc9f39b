"""A broker in virtual time: lanes with duplicate detection, locks that can be lost, redelivery, dead letters."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.domain.change import Lane
from shared.engine.deliver import Delivery
from shared.ports import Outgoing
from tests.simulation.faults import Crashed, Plan
from tests.simulation.virtual import VirtualClock

LOCK_S = 60.0
MOST_WORKERS = 2000
worker: contextvars.ContextVar[str] = contextvars.ContextVar("worker", default="person")


@dataclass
class Message:
    """In a lane. `locked_by`: the worker that has it."""

    lane: Lane
    body: bytes
    message_id: str
    deliveries: int = 0
    settled: bool = False
    locked_by: str | None = None


@dataclass
class Broker:
    """Implements the `Bus` port; `work` is what a delivery is given to. `log` is for reading a history that failed."""

    plan: Plan
    work: Callable[[Delivery], Awaitable[None]]
    clock: VirtualClock = field(default_factory=VirtualClock)
    messages: list[Message] = field(default_factory=list)
    parked: list[Outgoing] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    workers: int = 0
    most_workers: int = MOST_WORKERS
    steps: int = 0
    _ids: dict[str, float] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """One line of the history."""
        self.log.append(f"{asyncio.get_running_loop().time():9.2f} {worker.get():8} {text}")

    async def step(self, where: str) -> None:
        """A point where the process can stall or die."""
        await asyncio.sleep(self.plan.latency_s(where))
        name = worker.get()
        if name == "person":
            return
        self.steps += 1
        fault = self.plan.at(name, self.steps, where)
        if fault is None:
            return
        self.note(f"FAULT at {where}: {fault}")
        if fault.lose_lock:
            self._lose_lock(name)
        if fault.stall_s:
            await asyncio.sleep(fault.stall_s)
        if fault.crash:
            raise Crashed

    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        """The port: durable when it returns."""
        await self.step("bus send")
        for message in messages:
            self._enqueue(lane, message)
        await self.step("bus sent")

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that goes on by itself."""
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _enqueue(self, lane: Lane, outgoing: Outgoing) -> None:
        if lane is Lane.PARKED:
            self.parked.append(outgoing)
            return
        now = asyncio.get_running_loop().time()
        seen = self._ids.get(outgoing.message_id)
        if seen is not None and now - seen < 3600:
            return
        self._ids[outgoing.message_id] = now
        message = Message(lane, outgoing.body, outgoing.message_id)
        self.messages.append(message)
        wait_s = (outgoing.enqueue_at - self.clock.now()).total_seconds() if outgoing.enqueue_at else 0
        self._redeliver(message, max(0.0, wait_s))

    def _lose_lock(self, name: str) -> None:
        for message in self.messages:
            if message.locked_by == name and not message.settled:
                self._redeliver(message, LOCK_S)

    def _redeliver(self, message: Message, after_s: float) -> None:
        message.locked_by = None
        self.spawn(self._deliver(message, after_s))

    async def _deliver(self, message: Message, after_s: float) -> None:
        await asyncio.sleep(after_s + self.plan.latency_s("broker"))
        if message.settled:
            return
        assert self.workers < self.most_workers, "messages multiply"
        if message.deliveries >= 10:
            self.dead.append(message)
            message.settled = True
            return
        message.deliveries += 1
        self.workers += 1
        name = message.locked_by = f"w{self.workers}"
        worker.set(name)
        self.note(f"delivery {message.deliveries} of {message.message_id}")
        try:
            await self.work(Delivery(message.lane, message.body, message.message_id, message.deliveries))
            await self.step("complete")
        except Crashed:
            if message.locked_by == name:
                self._redeliver(message, LOCK_S)
            return
        if message.locked_by == name:
            message.settled = True

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.log.append(f"!! {error!r}")
            self.errors.append(error)
