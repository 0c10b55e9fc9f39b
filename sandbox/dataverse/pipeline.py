"""The event pipeline: which registered steps an event concerns, and the jobs that it makes for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from sandbox.dataverse.context import QUEUE_LIMIT_BYTES, SIZE_LIMIT_BYTES, ContextBuilder, Image, Step
from sandbox.dataverse.events import Event
from sandbox.dataverse.faults import Faults
from sandbox.dataverse.jobs import LOST, READY, Job, Jobs
from sandbox.dataverse.registration import QUEUE, names
from sandbox.dataverse.schema import Schema
from sandbox.dataverse.store import Store
from sandbox.dataverse.values import Row, show_moment

_REGISTRY = frozenset({"serviceendpoint", "sdkmessageprocessingstep", "sdkmessageprocessingstepimage"})
_ENABLED = 0


class Pipeline:
    """Runs inside the transaction of the write, so an event exists if and only if its row was written."""

    def __init__(
        self,
        schema: Schema,
        store: Store,
        jobs: Jobs,
        contexts: ContextBuilder,
        faults: Faults,
        now: Callable[[], datetime],
    ) -> None:
        self._schema = schema
        self._store = store
        self._jobs = jobs
        self._contexts = contexts
        self._faults = faults
        self._now = now
        self._steps: list[Step] | None = None
        self.wake: Callable[[], None] = lambda: None

    def publish(self, event: Event) -> None:
        """Queue a job for every step that listens to this event."""
        if event.table.name in _REGISTRY:
            self.forget()
        for step in self._registered():
            if _listens(step, event):
                self._queue(step, event)

    def forget(self) -> None:
        """Read the registered steps again at the next event."""
        self._steps = None

    def _queue(self, step: Step, event: Event) -> None:
        fault = self._faults.webhook(event.table.name, event.message)
        effect = fault.effect if fault else None
        job_id, now = str(uuid4()), self._now()
        body, oversize = self._contexts.body(step, event, job_id, oversize=effect == "oversize")
        wait_s = fault.wait_s(2.0 if effect == "reorder" else 1.0) if fault and effect in ("reorder", "delay") else 0.0
        job = Job(
            id=job_id,
            step_id=step.id,
            endpoint_id=step.endpoint_id,
            auto_delete=step.auto_delete,
            message=event.message,
            table=event.table.name,
            row_id=event.row_id,
            correlation_id=event.operation.correlation_id,
            body=body,
            oversize=oversize,
            copies=2 if effect == "repeat" else 1,
            due=now.timestamp() + wait_s,
            held=effect == "reorder",
            state=LOST if effect == "lose" else READY,
        )
        self._jobs.add(job, step.name, show_moment(now), event.operation.caller.user_id)
        self.wake()

    def _registered(self) -> list[Step]:
        if self._steps is None:
            table = self._schema.tables["sdkmessageprocessingstep"]
            rows = self._store.find(table, {"statecode": _ENABLED})
            self._steps = [self._step(row) for row in sorted(rows, key=lambda row: (row["rank"], row["versionnumber"]))]
        return self._steps

    def _step(self, row: Row) -> Step:
        message = self._store.get(self._schema.tables["sdkmessage"], row["sdkmessageid"])
        listed = self._store.get(self._schema.tables["sdkmessagefilter"], row["sdkmessagefilterid"] or "")
        images = self._store.find(
            self._schema.tables["sdkmessageprocessingstepimage"],
            {"sdkmessageprocessingstepid": row["sdkmessageprocessingstepid"]},
        )
        endpoint = self._store.get(self._schema.tables["serviceendpoint"], row["eventhandler"]) or {}
        return Step(
            id=row["sdkmessageprocessingstepid"],
            name=row["name"] or "",
            message=message["name"] if message else "",
            table=listed["primaryobjecttypecode"] if listed else None,
            filtering=frozenset(names(row["filteringattributes"])),
            endpoint_id=row["eventhandler"],
            auto_delete=bool(row["asyncautodelete"]),
            images=tuple(Image(i["entityalias"], i["imagetype"], names(i["attributes"])) for i in images),
            limit_bytes=QUEUE_LIMIT_BYTES if endpoint.get("contract") == QUEUE else SIZE_LIMIT_BYTES,
        )


def _listens(step: Step, event: Event) -> bool:
    """Filtering looks at what was submitted, whether or not the value is a new one."""
    op = event.operation
    if step.message != event.message or step.table not in (None, event.table.name):
        return False
    if op.bypass_async or step.id in op.bypassed_steps:
        return False
    return not step.filtering or bool(step.filtering & event.submitted.keys())
