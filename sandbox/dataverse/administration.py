"""What administrators do beside writing rows: activity tables, privileges of roles, roles of users, publishing."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.dataverse import activity_tables
from sandbox.dataverse.activity_tables import ActivityTables
from sandbox.dataverse.errors import ApiError, bad_payload, method_not_allowed
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.links import require
from sandbox.dataverse.organization import Organization
from sandbox.dataverse.payload import read_json
from sandbox.dataverse.resource import Segment, key_values, link
from sandbox.dataverse.schema import Table
from sandbox.dataverse.values import Row, guid, is_guid

_USERS_ROLES = "systemuserroles_association"
_REPLACE = "Microsoft.Dynamics.CRM.ReplacePrivilegesRole"
_PUBLISH = ("PublishXml", "PublishAllXml")
_GRANTED = "RetrieveRolePrivilegesRole"
Answer = Callable[[list[Segment], ApiRequest], ApiResponse]


class Administration:
    """`answers` finds what answers a request; every write here is for administrators alone."""

    def __init__(self, org: Organization) -> None:
        self._org = org
        self._tables = ActivityTables(org.schema, org.store)
        org.seed()

    def answers(self, segments: list[Segment], method: str) -> Answer | None:
        """None: the request is not for here."""
        first, *rest = segments
        names = [segment.name for segment in rest]
        if first.name == "EntityDefinitions" and method in ("POST", "DELETE"):
            return self._define
        if first.name in _PUBLISH:
            return self._publish
        if first.name == _GRANTED:
            return self._granted
        if first.name == "roles" and names == [_REPLACE]:
            return self._replace_privileges
        if first.name == "systemusers" and names[:1] == [_USERS_ROLES]:
            return self._users_roles
        return None

    def _define(self, segments: list[Segment], request: ApiRequest) -> ApiResponse:
        """POST a table, POST a column to one, DELETE a table."""
        self._org.security.require_administrator(request.operation.caller.user_id)
        first, *rest = segments
        if first.key is None and not rest and request.method == "POST":
            table = self._tables.create(read_json(request.body))
            self._org.seed()
            return self._created(f"EntityDefinitions({activity_tables.metadata_id(table)})")
        table = self._table(first.key or "")
        if request.method == "POST" and [segment.name for segment in rest] == ["Attributes"]:
            column = self._tables.extend(table, read_json(request.body))
            table = self._org.schema.tables[table.name]
            path = f"EntityDefinitions({activity_tables.metadata_id(table)})"
            return self._created(f"{path}/Attributes({activity_tables.metadata_id(table, column)})")
        if request.method == "DELETE" and not rest:
            self._tables.delete(table)
            return ApiResponse(204)
        raise method_not_allowed(request.method)

    def _table(self, key: str) -> Table:
        for table in self._org.schema:
            if key.replace('"', "'") == f"LogicalName='{table.name}'" or key == activity_tables.metadata_id(table):
                return table
        raise ApiError(404, "0x80060888", f"Could not find an entity with specified key: {key}.")

    def _created(self, path: str) -> ApiResponse:
        return ApiResponse(204, headers={"OData-EntityId": f"{self._org.api_url}{path}"})

    def _publish(self, segments: list[Segment], request: ApiRequest) -> ApiResponse:
        self._org.security.require_administrator(request.operation.caller.user_id)
        if request.method != "POST":
            raise method_not_allowed(request.method)
        if segments[0].name == "PublishXml" and "<entity>" not in str(read_json(request.body).get("ParameterXml")):
            raise bad_payload("PublishXml", "ParameterXml must name what is published.")
        return ApiResponse(204)

    def _granted(self, segments: list[Segment], request: ApiRequest) -> ApiResponse:
        """`RetrieveRolePrivilegesRole(RoleId=…)`."""
        if request.method != "GET":
            raise method_not_allowed(request.method)
        key = (segments[0].key or "").removeprefix("RoleId=")
        if not is_guid(key):
            raise ApiError(400, "0x80060888", "RoleId is not a GUID.")
        role = require(self._org, self._org.schema.tables["role"], {"roleid": guid(key)})
        shown = [
            {**one, "BusinessUnitId": role["businessunitid"]} for one in self._org.security.granted(role["roleid"])
        ]
        context = f"{self._org.api_url}$metadata#Microsoft.Dynamics.CRM.RetrieveRolePrivilegesRoleResponse"
        return ApiResponse(200, {"@odata.context": context, "RolePrivileges": shown})

    def _replace_privileges(self, segments: list[Segment], request: ApiRequest) -> ApiResponse:
        self._org.security.require_administrator(request.operation.caller.user_id)
        role = self._row("role", segments[0])
        listed = read_json(request.body).get("Privileges")
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise bad_payload("roles", "Privileges must be a list.")
        self._org.security.replace(role["roleid"], listed)
        return ApiResponse(204)

    def _users_roles(self, segments: list[Segment], request: ApiRequest) -> ApiResponse:
        """GET them, POST `/$ref` to add one, DELETE `(<role>)/$ref` to take one away."""
        user_id = self._row("systemuser", segments[0])["systemuserid"]
        security, roles = self._org.security, self._org.schema.tables["role"]
        rest = [segment.name for segment in segments[2:]]
        if request.method == "GET" and not rest:
            rows = [self._org.store.get(roles, role_id) for role_id in security.roles(user_id)]
            shown = [{"roleid": row["roleid"], "name": row["name"]} for row in rows if row]
            return ApiResponse(200, {"@odata.context": f"{self._org.api_url}$metadata#roles", "value": shown})
        security.require_administrator(request.operation.caller.user_id)
        if request.method == "POST" and rest == ["$ref"]:
            table, key = link(self._org.schema, str(read_json(request.body).get("@odata.id")))
            security.assign(user_id, require(self._org, table, key)["roleid"])
        elif request.method == "DELETE" and rest == ["$ref"]:
            security.unassign(user_id, key_values(roles, segments[1].key or "")["roleid"])
        else:
            raise method_not_allowed(request.method)
        return ApiResponse(204)

    def _row(self, table_name: str, segment: Segment) -> Row:
        table = self._org.schema.tables[table_name]
        return require(self._org, table, key_values(table, segment.key or ""))
