"""Who may do what: roles with privileges, users with roles, and the check of every request against them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sandbox.dataverse import privileges
from sandbox.dataverse.config import DataverseConfig
from sandbox.dataverse.errors import ApiError, invalid_value
from sandbox.dataverse.exchange import ApiRequest
from sandbox.dataverse.privileges import Privilege, Right
from sandbox.dataverse.schema import Schema, Table
from sandbox.dataverse.store import Store
from sandbox.dataverse.values import Row

DEPTHS = ("Basic", "Local", "Deep", "Global")
_TABLES = """
CREATE TABLE IF NOT EXISTS _granted (
  role_id TEXT NOT NULL, privilege_id TEXT NOT NULL, depth TEXT NOT NULL, PRIMARY KEY (role_id, privilege_id));
CREATE TABLE IF NOT EXISTS _assigned (user_id TEXT NOT NULL, role_id TEXT NOT NULL, PRIMARY KEY (user_id, role_id));
"""
_ACTIONS = {"CreateMultiple": Right.CREATE, "UpdateMultiple": Right.WRITE}
_METHODS = {"GET": Right.READ, "POST": Right.CREATE, "PATCH": Right.WRITE, "DELETE": Right.DELETE}


class Security:
    """An administrator may do everything; others what their roles grant, at whatever depth: owners are not compared."""

    def __init__(self, schema: Schema, store: Store, config: DataverseConfig) -> None:
        self._schema = schema
        self._store = store
        self._administrators = frozenset(user.user_id for user in config.users if user.administrator)
        store.db.executescript(_TABLES)

    def clear(self) -> None:
        """Forget every grant and every assignment."""
        self._store.db.execute("DELETE FROM _granted")
        self._store.db.execute("DELETE FROM _assigned")

    def replace(self, role_id: str, granted: list[Row]) -> None:
        """Exactly these privileges. Raises ApiError 400 for an unknown privilege or depth."""
        table = self._schema.tables["privilege"]
        rows = [(role_id, str(one.get("PrivilegeId", "")).lower(), str(one.get("Depth"))) for one in granted]
        for _, privilege_id, depth in rows:
            if self._store.get(table, privilege_id) is None or depth not in DEPTHS:
                raise invalid_value(f"'{privilege_id}' at depth '{depth}' is no privilege that can be granted.")
        self._store.db.execute("DELETE FROM _granted WHERE role_id = ?", (role_id,))
        self._store.db.executemany("INSERT INTO _granted VALUES (?, ?, ?)", rows)

    def granted(self, role_id: str) -> list[Row]:
        """The role's privileges as `RetrieveRolePrivilegesRole` shows them."""
        sql = """SELECT p.name AS PrivilegeName, g.privilege_id AS PrivilegeId, g.depth AS Depth
                 FROM _granted g JOIN privilege p ON p.privilegeid = g.privilege_id WHERE g.role_id = ?"""
        return [dict(row) for row in self._store.db.execute(sql, (role_id,))]

    def assign(self, user_id: str, role_id: str) -> None:
        self._store.db.execute("INSERT OR IGNORE INTO _assigned VALUES (?, ?)", (user_id, role_id))

    def unassign(self, user_id: str, role_id: str) -> None:
        self._store.db.execute("DELETE FROM _assigned WHERE user_id = ? AND role_id = ?", (user_id, role_id))

    def roles(self, user_id: str) -> list[str]:
        found = self._store.db.execute("SELECT role_id FROM _assigned WHERE user_id = ?", (user_id,))
        return [str(row["role_id"]) for row in found]

    def check_metadata(self, request: ApiRequest) -> None:
        """Raises ApiError 403 for who may not read definitions, or is no administrator and wants to change them."""
        user_id = request.operation.caller.user_id
        if request.method != "GET":
            self.require_administrator(user_id)
        for privilege in privileges.METADATA:
            self._require(user_id, privilege)

    def require_administrator(self, user_id: str) -> None:
        """Raises ApiError 403."""
        if user_id not in self._administrators:
            raise _lacks(user_id, "prvCustomizeSystem")

    def check(self, table: Table, action: str | None, request: ApiRequest) -> None:
        """A request on a table's rows, `action` being the bound action's name. Raises ApiError 403."""
        user_id = request.operation.caller.user_id
        if user_id in self._administrators:
            return
        right = _ACTIONS.get(action or "") or _METHODS.get(request.method, Right.WRITE)
        self._require(user_id, privileges.of(table, right))
        for target in self._bound(table, request.body):
            if target.name == "systemuser":
                self._require(user_id, privileges.of(table, Right.ASSIGN))
            else:
                self._require(user_id, privileges.of(table, Right.APPEND))
                self._require(user_id, privileges.of(target, Right.APPEND_TO))

    def _bound(self, table: Table, body: bytes) -> Iterator[Table]:
        """The tables whose rows the body links to."""
        try:
            document = json.loads(body or b"{}")
        except ValueError:
            return
        rows = [document, *(document.get("Targets") or [])] if isinstance(document, dict) else []
        for name in {name.removesuffix("@odata.bind") for row in rows for name in row if name.endswith("@odata.bind")}:
            if name in table.navigations:
                yield self._schema.tables[table.navigations[name][1].table]

    def _require(self, user_id: str, privilege: Privilege) -> None:
        if user_id in self._administrators:
            return
        sql = """SELECT 1 FROM _granted g JOIN _assigned a ON a.role_id = g.role_id
                 WHERE a.user_id = ? AND g.privilege_id = ?"""
        if self._store.db.execute(sql, (user_id, privilege.id)).fetchone() is None:
            raise _lacks(user_id, privilege.name)


def _lacks(user_id: str, privilege: str) -> ApiError:
    return ApiError(403, "0x80040220", f"Principal user (Id={user_id}) is missing {privilege} privilege.")
