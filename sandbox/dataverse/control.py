"""The tester's side door, under `/_sandbox/`: faults, counts, jobs, limits, reset. JSON, without authentication."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Any

from pydantic import ValidationError

from sandbox.dataverse.config import Limits
from sandbox.dataverse.dispatcher import Dispatcher
from sandbox.dataverse.errors import ApiError, invalid_value
from sandbox.dataverse.faults import API_EFFECTS, WEBHOOK_EFFECTS, parse_fault
from sandbox.dataverse.organization import Organization
from sandbox.dataverse.payload import read_json
from sandbox.dataverse.protection import Protection
from sandbox.dataverse.table_document import TableDocument
from sandbox.dataverse.values import Json

PREFIX = "/_sandbox/"
_HELP = {
    "GET /_sandbox/": "this list",
    "GET /_sandbox/faults": "the faults in force and how often each has fired",
    "POST /_sandbox/faults": 'add one: {"target": "api" or "webhook", "effect": …, "count": n, "probability": p, …}',
    "DELETE /_sandbox/faults": "clear all",
    "GET /_sandbox/counters": "requests by method and table, batches, rows by effect, answers by status, tokens",
    "DELETE /_sandbox/counters": "set all counts to zero",
    "GET /_sandbox/jobs": "webhook jobs in order: ready, succeeded, failed, lost",
    "PUT /_sandbox/limits": 'count for service protection: {"requests": n, "busy_s": s, "at_once": n, "window_s": s}',
    "DELETE /_sandbox/limits": "stop counting",
    "GET /_sandbox/tables": "every table: its name, entity set, and whether its changes are tracked",
    "POST /_sandbox/tables": 'add a custom table: {"name": "new_boat", "columns": [{"name": "new_length", "kind": '
    '"Integer"}, {"name": "new_contactid", "kind": "Lookup", "target": "contact", "schema_name": "new_ContactId", '
    '"on_delete": "Cascade"}], "keys": [{"name": …, "columns": […]}], "change_tracking": true}',
    "POST /_sandbox/reset": "back to an empty organisation: rows, registered webhooks, jobs, faults and counts; "
    "tables stay",
}
Answer = dict[str, Any]
_Handler = Callable[[bytes], Awaitable[Answer]]


class Control:
    """Answers the tester's requests."""

    def __init__(self, org: Organization, dispatcher: Dispatcher, protection: Protection) -> None:
        self._org = org
        self._dispatcher = dispatcher
        self._protection = protection
        self._handlers: dict[str, _Handler] = {
            "GET ": self._help,
            "GET faults": self._faults,
            "POST faults": self._add_fault,
            "DELETE faults": self._clear_faults,
            "GET counters": self._counters,
            "DELETE counters": self._clear_counters,
            "GET jobs": self._jobs,
            "PUT limits": self._limit,
            "DELETE limits": self._unlimit,
            "GET tables": self._tables,
            "POST tables": self._add_table,
            "POST reset": self._reset,
        }

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Run one control request. Raises ApiError 400 or 404."""
        handler = self._handlers.get(f"{method} {path.removeprefix(PREFIX).strip('/')}")
        if handler is None:
            raise ApiError(404, "0x80060888", f"No control endpoint {method} {path}; GET {PREFIX} lists them.")
        return await handler(body)

    async def _help(self, _body: bytes) -> Answer:
        return {"endpoints": _HELP, "faults": {"api": API_EFFECTS, "webhook": WEBHOOK_EFFECTS}}

    async def _faults(self, _body: bytes) -> Answer:
        return {"faults": [fault.shown() for fault in self._org.faults.active]}

    async def _add_fault(self, body: bytes) -> Answer:
        fault = parse_fault(read_json(body))
        self._org.faults.active.append(fault)
        return fault.shown()

    async def _clear_faults(self, _body: bytes) -> Answer:
        self._org.faults.active.clear()
        return {}

    async def _counters(self, _body: bytes) -> Answer:
        return self._org.counters.snapshot()

    async def _clear_counters(self, _body: bytes) -> Answer:
        self._org.counters.clear()
        return {}

    async def _jobs(self, _body: bytes) -> Answer:
        return {"jobs": self._org.jobs.listing()}

    async def _limit(self, body: bytes) -> Answer:
        self._protection.limits = _limits(read_json(body))
        self._protection.clear()
        return vars(self._protection.limits)

    async def _unlimit(self, _body: bytes) -> Answer:
        self._protection.limits = None
        self._protection.clear()
        return {}

    async def _tables(self, _body: bytes) -> Answer:
        tables = [
            {"name": table.name, "entity_set": table.entity_set, "change_tracking": table.change_tracking}
            for table in self._org.schema
        ]
        return {"tables": tables}

    async def _add_table(self, body: bytes) -> Answer:
        try:
            table = self._org.describe(TableDocument.model_validate(read_json(body)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "table"
            raise invalid_value(f"{place}: {first['msg']}") from None
        except ValueError as error:
            raise invalid_value(f"{error}.") from None
        return {"name": table.name, "entity_set": table.entity_set, "change_tracking": table.change_tracking}

    async def _reset(self, _body: bytes) -> Answer:
        self._org.reset()
        await self._dispatcher.drop_all()
        self._protection.clear()
        return {}


def _limits(given: dict[str, Json]) -> Limits:
    known = {item.name for item in fields(Limits)}
    if given.keys() - known or not all(type(value) in (int, float) and value > 0 for value in given.values()):
        raise invalid_value(f"Limits are positive numbers named {', '.join(sorted(known))}.")
    return Limits(**given)
