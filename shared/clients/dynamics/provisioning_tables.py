"""Tables as parts: activity tables with their columns and forms, publishing, change tracking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from shared.clients.dynamics import wire_table_documents
from shared.clients.dynamics.provisioning import MISSING, PRESENT, Desk, Part, Seen, State
from shared.clients.dynamics.wire_provisioning import ProvisioningError
from shared.clients.dynamics.wire_table_documents import TableShape

_ENTITY = 1  # the kind of component that a table is
_MAIN_FORM = 2


def _definition(table: str) -> str:
    return f"EntityDefinitions(LogicalName='{table}')"


@dataclass(frozen=True)
class TablePart(Part):
    """An activity table and its columns. One that is there already, such as Adobe's, only gets what it lacks."""

    title: str
    shape: TableShape
    solution: str
    delete_activities: bool = False

    @override
    async def look(self, desk: Desk) -> Seen:
        """Raises ProvisioningError for a table of that name that is no activity."""
        columns = await self._columns(desk)
        if columns is None:
            return MISSING
        lacking = [column.name for column in self.shape.columns if column.name not in columns]
        return Seen(State.DIFFERS, f"no column {', '.join(lacking)}") if lacking else PRESENT

    @override
    async def put(self, desk: Desk, seen: Seen) -> None:
        """The table first, then column by column, so that a run that broke off goes on where it was."""
        if seen.state is State.MISSING:
            await desk.write("POST", "EntityDefinitions", self.shape.document, solution=self.solution)
        present = await self._columns(desk) or frozenset()
        for column in self.shape.columns:
            if column.name not in present:
                path = f"{_definition(self.shape.name)}/Attributes"
                await desk.write("POST", path, column.document, solution=self.solution)

    @override
    async def remove(self, desk: Desk) -> str:
        """Only a table that this solution holds, and one with activities only if that is wanted."""
        query = "?$select=MetadataId,EntitySetName,IsManaged"
        found = await desk.get(f"{_definition(self.shape.name)}{query}") or {}
        if found.get("IsManaged") is True or not await self._is_ours(desk, str(found["MetadataId"])):
            return "it stays: it was there before"
        if not self.delete_activities and await desk.rows(f"{found['EntitySetName']}?$select=activityid&$top=1"):
            desk.stayed.append(self.shape.name)
            return "it stays, because it holds activities; --delete-activities removes them, too"
        await desk.write("DELETE", _definition(self.shape.name))
        return ""

    async def _is_ours(self, desk: Desk, metadata_id: str) -> bool:
        solution = desk.ids.get("solution")
        if solution is None:
            return False
        where = f"_solutionid_value eq {solution} and componenttype eq {_ENTITY} and objectid eq {metadata_id}"
        return bool(await desk.rows(f"solutioncomponents?$select=objectid&$filter={where}"))

    async def _columns(self, desk: Desk) -> frozenset[str] | None:
        query = "?$select=LogicalName,IsActivity&$expand=Attributes($select=LogicalName)"
        found = await desk.get(f"{_definition(self.shape.name)}{query}")
        if found is None:
            return None
        if found.get("IsActivity") is not True:
            raise ProvisioningError(f"{self.shape.name} is there, but is no activity table: choose another name")
        return frozenset(str(one["LogicalName"]) for one in found["Attributes"])


@dataclass(frozen=True)
class FormPart(Part):
    """The main form of an activity table shows the columns."""

    title: str
    shape: TableShape

    @override
    async def look(self, desk: Desk) -> Seen:
        """A table without a main form has nothing to be put right."""
        form = await self._form(desk)
        if form is None:
            return MISSING
        lacking = [column.name for column in self._lacking(form)]
        return Seen(State.DIFFERS, f"does not show {', '.join(lacking)}") if lacking else PRESENT

    @override
    async def put(self, desk: Desk, seen: Seen) -> None:
        """Add what is not shown; what people have changed in the form stays."""
        form = await self._form(desk)
        if form is None:
            raise ProvisioningError(f"{self.title}: there is none; look at the table in the maker portal")
        xml = wire_table_documents.with_columns(str(form["formxml"]), self.shape.name, self._lacking(form))
        await desk.write("PATCH", f"systemforms({form['formid']})", {"formxml": xml})
        await desk.write("POST", "PublishXml", wire_table_documents.publish_document([self.shape.name]))

    @override
    async def remove(self, desk: Desk) -> str:
        """It goes with its table."""
        return "it goes with its table, or stays with it"

    def _lacking(self, form: Mapping[str, Any]) -> list[wire_table_documents.ColumnShape]:
        try:
            return wire_table_documents.missing_on_form(str(form["formxml"]), self.shape.columns)
        except ValueError as error:
            raise ProvisioningError(f"{self.title}: {error}") from None

    async def _form(self, desk: Desk) -> Mapping[str, Any] | None:
        where = f"objecttypecode eq '{self.shape.name}' and type eq {_MAIN_FORM}"
        rows = await desk.rows(f"systemforms?$select=formid,formxml&$filter={where}")
        return rows[0] if rows else None


@dataclass(frozen=True)
class TrackingPart(Part):
    """Change tracking of a table whose rows are mapped. Dataverse never lets it be switched off."""

    title: str
    table: str

    @override
    async def look(self, desk: Desk) -> Seen:
        """Raises ProvisioningError where there is no such table."""
        found = await self._found(desk, "?$select=ChangeTrackingEnabled,CanChangeTrackingBeEnabled")
        if found.get("ChangeTrackingEnabled") is True:
            return PRESENT
        if not (found.get("CanChangeTrackingBeEnabled") or {}).get("Value"):
            raise ProvisioningError(f"{self.title}: this table does not offer it")
        return Seen(State.DIFFERS, "off")

    @override
    async def put(self, desk: Desk, seen: Seen) -> None:
        """A definition is replaced as a whole."""
        definition = wire_table_documents.tracked(await self._found(desk, ""))
        await desk.write("PUT", _definition(self.table), definition)
        await desk.write("POST", "PublishXml", wire_table_documents.publish_document([self.table]))

    @override
    async def remove(self, desk: Desk) -> str:
        """The platform does not offer it."""
        return "it stays on: Dataverse does not switch it off"

    async def _found(self, desk: Desk, query: str) -> Mapping[str, Any]:
        found = await desk.get(f"{_definition(self.table)}{query}")
        if found is None:
            raise ProvisioningError(f"{self.title}: there is no such table")
        return found
