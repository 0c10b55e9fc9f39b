"""Writes activities and their tasks: in bulk, and event by event where the bulk was refused."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

from shared.clients.calls import Response
from shared.clients.dynamics import wire, wire_activities, wire_tables, wire_tasks
from shared.clients.dynamics.batch import OPERATIONS_MAX, Part
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.wire_activities import Destination
from shared.clients.exchange import Exchange
from shared.domain.effects import RecordActivity
from shared.domain.fact import EmailEvent
from shared.domain.timeline import ActivityTables
from shared.ports import Recorded

SINGLES = OPERATIONS_MAX // wire_activities.OPERATIONS_PER_ORDER
AT_ONCE = OPERATIONS_MAX // 2  # leaves room for a task each, and two parts for each kind


class ActivityWriter:
    """`tables`: the configured names. What Dataverse says of a table is asked once and remembered."""

    def __init__(
        self, config: DynamicsConfig, exchange: Exchange, tables: ActivityTables, now: Callable[[], datetime]
    ) -> None:
        self._config, self._exchange, self._tables, self._now = config, exchange, tables, now
        self._found: dict[EmailEvent, wire_tables.Found] = {}
        self._looking = asyncio.Lock()

    async def find(self, event: EmailEvent) -> wire_tables.Found:
        """The event's table. Raises Halt, which names what is missing, and Retry."""
        async with self._looking:
            if event not in self._found:
                table = self._tables.tables[event]
                response = await self._exchange.send(wire_tables.table_request(self._config, table.name))
                self._found[event] = wire_tables.read_table(response, table, self._tables.columns(event))
        return self._found[event]

    async def record(self, orders: Sequence[RecordActivity]) -> list[Recorded]:
        """In the order given; one that exists already is done. Raises Retry, Halt.

        One request for up to 500 orders, tasks included; one more for those of a kind that was refused as a whole; one
        for 100 contacts whose owners get tasks.
        """
        recorded: list[Recorded] = []
        for start in range(0, len(orders), AT_ONCE):
            recorded += await self._record(orders[start : start + AT_ONCE])
        return recorded

    async def _record(self, orders: Sequence[RecordActivity]) -> list[Recorded]:
        found = {event: await self.find(event) for event in sorted({order.fact.event for order in orders})}
        to = Destination(self._tables, found)
        groups = wire_activities.by_table(list({order.activity_id: order for order in orders}.values()))
        tasks = wire_tasks.task_parts(orders, await self._owners(orders))
        many = [part for group in groups for part in wire_activities.many_parts(to, group)]
        answers = await self._send([*many, *tasks.values()])
        left: list[RecordActivity] = []
        for place, group in enumerate(groups):
            pair = answers[2 * place : 2 * place + 2]
            left += [] if wire_activities.were_all_recorded(pair, self._now()) else group
        verdicts = await self._one_by_one(to, left)
        of_tasks = {
            task_id: wire_tasks.read_task(answer, self._now())
            for task_id, answer in zip(tasks, answers[len(many) :], strict=True)
        }
        return [
            _whole(
                verdicts.get(order.activity_id, Recorded.DONE),
                of_tasks[order.task.id] if order.task else Recorded.DONE,
            )
            for order in orders
        ]

    async def _one_by_one(self, to: Destination, orders: Sequence[RecordActivity]) -> dict[str, Recorded]:
        """By activity. So a bad event fails alone, and one that was there before is known as such."""
        verdicts: dict[str, Recorded] = {}
        for start in range(0, len(orders), SINGLES):
            some = orders[start : start + SINGLES]
            answers = await self._send(wire_activities.single_parts(to, some))
            results = wire_activities.read_singles(answers, self._now())
            verdicts |= {order.activity_id: result for order, result in zip(some, results, strict=True)}
        return verdicts

    async def _owners(self, orders: Sequence[RecordActivity]) -> dict[str, str]:
        owners: dict[str, str] = {}
        contacts = wire_tasks.contacts_with_owners(orders)
        for start in range(0, len(contacts), wire.IDS_PER_READ):
            some = contacts[start : start + wire.IDS_PER_READ]
            owners |= wire_tasks.read_owners(await self._exchange.send(wire_tasks.owners_request(self._config, some)))
        return owners

    async def _send(self, parts: Sequence[Part]) -> list[Response]:
        request = wire_activities.batch_request(self._config, parts, f"batch_{uuid.uuid4()}")
        return wire_activities.read_batch(await self._exchange.send(request), len(parts))


def _whole(activity: Recorded, task: Recorded) -> Recorded:
    """What became of the event. Where the activity found its contact, a task that lacks something lacks its owner."""
    return Recorded.REFUSED if activity is Recorded.DONE and task is not Recorded.DONE else activity
