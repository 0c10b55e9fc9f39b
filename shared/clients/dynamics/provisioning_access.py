"""Access as parts: what the role of the application user grants, and that the user has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from shared.clients.dynamics import wire_provisioning
from shared.clients.dynamics.provisioning import MISSING, PRESENT, Desk, Part, Seen, State
from shared.clients.dynamics.wire_provisioning import ProvisioningError

DEPTHS = ("Basic", "Local", "Deep", "Global")
_USERS_ROLES = "systemuserroles_association"
_EVERYTHING = "System Administrator"


@dataclass(frozen=True)
class Grant:
    """One right on the rows of a table, at least at that depth."""

    table: str
    right: str
    depth: str = "Global"


@dataclass(frozen=True)
class GrantsPart(Part):
    """The role grants these rights and these privileges by name, and nothing else that we could take away."""

    title: str
    grants: Sequence[Grant]
    named: Sequence[str]

    @override
    async def look(self, desk: Desk) -> Seen:
        """What the platform adds to every role by itself is no difference."""
        if "role" not in desk.ids:
            return MISSING
        wanted = await self._wanted(desk)
        held = {one["PrivilegeId"].lower(): str(one["Depth"]) for one in await self._held(desk)}
        lacking = [name for name, (key, depth) in wanted.items() if _below(held.get(key), depth)]
        return Seen(State.DIFFERS, f"lacks {', '.join(sorted(lacking))}") if lacking else PRESENT

    @override
    async def put(self, desk: Desk, seen: Seen) -> None:
        """Replaces all of them, so that none is left of an earlier version."""
        wanted = await self._wanted(desk)
        unit = {"BusinessUnitId": desk.ids["unit"]}
        listed = [{"PrivilegeId": key, "Depth": depth, **unit} for key, depth in wanted.values()]
        path = f"roles({desk.ids['role']})/Microsoft.Dynamics.CRM.ReplacePrivilegesRole"
        await desk.write("POST", path, {"Privileges": listed})

    @override
    async def remove(self, desk: Desk) -> str:
        """They go with the role."""
        return "they go with the role"

    async def _held(self, desk: Desk) -> list[Mapping[str, Any]]:
        document = await desk.get(f"RetrieveRolePrivilegesRole(RoleId={desk.ids['role']})") or {}
        held: list[Mapping[str, Any]] = document.get("RolePrivileges") or []
        return held

    async def _wanted(self, desk: Desk) -> dict[str, tuple[str, str]]:
        """Id and depth by name. Tables say which privilege a right on them is: all activities share theirs."""
        wanted: dict[str, tuple[str, str]] = {}
        for table in dict.fromkeys(grant.table for grant in self.grants):
            by_right = await self._privileges(desk, table)
            for grant in self.grants:
                if grant.table == table:
                    name, key = by_right[grant.right]
                    wanted[name] = (key, _higher(wanted.get(name, ("", grant.depth))[1], grant.depth))
        where = " or ".join(f"name eq '{name}'" for name in self.named)
        rows = await desk.rows(f"privileges?$select=privilegeid,name&$filter={where}")
        return wanted | {str(row["name"]): (str(row["privilegeid"]).lower(), "Global") for row in rows}

    async def _privileges(self, desk: Desk, table: str) -> dict[str, tuple[str, str]]:
        found = await desk.get(f"EntityDefinitions(LogicalName='{table}')?$select=LogicalName,Privileges")
        if found is None:
            raise ProvisioningError(f"{self.title}: there is no table {table}")
        return {one["PrivilegeType"]: (one["Name"], one["PrivilegeId"].lower()) for one in found["Privileges"]}


@dataclass(frozen=True)
class AssignmentPart(Part):
    """The application user has the role."""

    title: str

    @override
    async def look(self, desk: Desk) -> Seen:
        """Says so where the user may do everything anyway. Raises ProvisioningError without a user."""
        if "user" not in desk.ids:
            raise ProvisioningError(f"{self.title}: there is no application user to give it to")
        roles = await desk.rows(f"systemusers({desk.ids['user']})/{_USERS_ROLES}?$select=roleid,name")
        almighty = any(row["name"] == _EVERYTHING for row in roles)
        if desk.ids.get("role") not in [row["roleid"] for row in roles]:
            return MISSING
        return Seen(State.PRESENT, f"the user also is a {_EVERYTHING}: take that away" if almighty else "")

    @override
    async def put(self, desk: Desk, seen: Seen) -> None:
        """Beside the roles that the user has."""
        role = wire_provisioning.reference("roles", desk.ids["role"])
        await desk.write("POST", f"systemusers({desk.ids['user']})/{_USERS_ROLES}/$ref", role)

    @override
    async def remove(self, desk: Desk) -> str:
        """Only the link."""
        await desk.write("DELETE", f"systemusers({desk.ids['user']})/{_USERS_ROLES}({desk.ids['role']})/$ref")
        return ""


def _higher(one: str, other: str) -> str:
    return max(one, other, key=DEPTHS.index)


def _below(held: str | None, wanted: str) -> bool:
    return held is None or DEPTHS.index(held) < DEPTHS.index(wanted)
