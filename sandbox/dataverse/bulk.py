"""Actions on many rows in one request: CreateMultiple, UpdateMultiple, UpsertMultiple and BulkDelete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from sandbox.dataverse.errors import ApiError, bad_payload, invalid_value, not_offered
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.links import locate, require
from sandbox.dataverse.organization import Organization
from sandbox.dataverse.payload import read_json
from sandbox.dataverse.records import Records
from sandbox.dataverse.resource import key_values, link
from sandbox.dataverse.rules import reference
from sandbox.dataverse.schema import Table
from sandbox.dataverse.values import Row, parse

_BULK_DELETE_JOB = 13


class Bulk:
    """All rows of a request are written, or none; each row raises its own Create or Update event."""

    def __init__(self, org: Organization, records: Records) -> None:
        self._org = org
        self._records = records

    def action(self, table: Table, name: str, request: ApiRequest) -> ApiResponse:
        """Run an action bound to an entity set. Raises ApiError 501 for one that is not offered."""
        actions: dict[str, Callable[[Table, list[Row], ApiRequest], ApiResponse]] = {
            "CreateMultiple": self._create,
            "UpdateMultiple": self._update,
            "UpsertMultiple": self._upsert,
        }
        short = name.removeprefix("Microsoft.Dynamics.CRM.")
        if short not in actions or request.method != "POST":
            raise not_offered(f"{request.method} {table.entity_set}/{name}")
        return actions[short](table, _targets(table, read_json(request.body)), request)

    def _create(self, table: Table, targets: list[Row], request: ApiRequest) -> ApiResponse:
        ids = [
            self._org.writer.create(table, self._records.values(table, target, request), request.operation)
            for target in targets
        ]
        return ApiResponse(200, {"@odata.context": f"{self._org.api_url}$metadata#CreateMultipleResponse", "Ids": ids})

    def _update(self, table: Table, targets: list[Row], request: ApiRequest) -> ApiResponse:
        for target in targets:
            key = self._key(table, target)
            values = self._records.values(table, target, request)
            row_id = require(self._org, table, key)[table.primary_id]
            self._org.writer.update(table, row_id, values, request.operation)
        return ApiResponse(204)

    def _upsert(self, table: Table, targets: list[Row], request: ApiRequest) -> ApiResponse:
        for target in targets:
            key = self._key(table, target)
            values = self._records.values(table, target, request)
            row = locate(self._org, table, key)
            if row is None:
                self._org.writer.create(table, {**values, **key}, request.operation)
            else:
                self._org.writer.update(table, row[table.primary_id], values, request.operation)
        return ApiResponse(204)

    def _key(self, table: Table, target: Row) -> Row:
        """A target names its row by `@odata.id` or by the primary id among its properties."""
        if "@odata.id" in target:
            other, key = link(self._org.schema, str(target["@odata.id"]))
            if other is not table:
                raise bad_payload(table.entity_set, f"'{target['@odata.id']}' is no row of {table.entity_set}.")
            return key
        if table.primary_id not in target:
            raise bad_payload(table.entity_set, "A target needs its primary key or @odata.id.")
        return key_values(table, str(target[table.primary_id]))

    def delete_job(self, request: ApiRequest) -> ApiResponse:
        """`BulkDelete`: the rows that the queries name, gone by the time the job's id is answered."""
        body = read_json(request.body)
        if body.get("Options") or body.get("RecurrencePattern"):
            raise not_offered("Options and RecurrencePattern of BulkDelete")
        for query in body.get("QuerySet") or []:
            table = self._queried(query)
            for row_id in self._named(table, query):
                if self._org.store.get(table, row_id) is not None:
                    self._org.writer.delete(table, row_id, request.operation)
        job_id = self._record(str(body.get("JobName") or "Bulk delete"), request)
        return ApiResponse(200, {"JobId": job_id})

    def _queried(self, query: dict[str, Any]) -> Table:
        table = self._org.schema.tables.get(str(query.get("EntityName")))
        if table is None:
            raise ApiError(404, "0x80041102", f"The entity '{query.get('EntityName')}' was not found.")
        return table

    def _named(self, table: Table, query: dict[str, Any]) -> list[str]:
        """Only a list of primary ids is understood as a condition."""
        criteria = query.get("Criteria") or {}
        conditions = criteria.get("Conditions") or []
        first = conditions[0] if len(conditions) == 1 and not criteria.get("Filters") else {}
        if first.get("AttributeName") != table.primary_id or first.get("Operator") not in ("In", "Equal"):
            raise not_offered("BulkDelete by anything but one condition In or Equal on the primary id")
        column = table.columns[table.primary_id]
        values = [value.get("Value") if isinstance(value, dict) else value for value in first.get("Values") or []]
        return [str(parse(table, column, value)) for value in values]

    def _record(self, name: str, request: ApiRequest) -> str:
        job_id, stamp = str(uuid4()), request.operation.stamp
        row = {
            "asyncoperationid": job_id,
            "name": name[:256],
            "operationtype": _BULK_DELETE_JOB,
            "statecode": 3,
            "statuscode": 30,
            "createdon": stamp,
            "modifiedon": stamp,
            "completedon": stamp,
            "versionnumber": self._org.store.next_version(),
            **reference("createdby", "systemuser", request.operation.caller.user_id),
        }
        self._org.store.insert(self._org.schema.tables["asyncoperation"], row)
        return job_id


def _targets(table: Table, body: Row) -> list[Row]:
    targets = body.get("Targets")
    if not isinstance(targets, list) or not targets or not all(isinstance(target, dict) for target in targets):
        raise invalid_value("The parameter 'Targets' must be a list of rows that is not empty.")
    expected = f"Microsoft.Dynamics.CRM.{table.name}"
    for target in targets:
        if str(target.get("@odata.type")).lstrip("#") != expected:
            raise bad_payload(table.entity_set, f"Each target needs '@odata.type': '{expected}'.")
    return targets
