"""The solution header: what a request creates becomes a component of the solution that it names."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from sandbox.dataverse.errors import ApiError
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.rules import reference
from sandbox.dataverse.schema import Schema
from sandbox.dataverse.store import Store
from sandbox.dataverse.values import Row

HEADER = "mscrm.solutionuniquename"
# The platform's numbers for the kinds of component.
COMPONENTS = {
    "EntityDefinitions": 1,
    "Attributes": 2,
    "roles": 20,
    "systemforms": 60,
    "sdkmessageprocessingsteps": 92,
    "sdkmessageprocessingstepimages": 93,
    "serviceendpoints": 95,
}


class Solutions:
    """Notes components; that a component is deleted is noted by its id being found nowhere else."""

    def __init__(self, schema: Schema, store: Store) -> None:
        self._schema = schema
        self._store = store

    def check(self, request: ApiRequest) -> None:
        """Raises ApiError 400 for a solution that does not exist."""
        name = request.headers.get(HEADER)
        if name is not None and self._solution(name) is None:
            raise ApiError(400, "0x80048403", f"The solution with unique name {name} does not exist.")

    def note(self, request: ApiRequest, response: ApiResponse) -> None:
        """Add what the request created, if it is of a kind that solutions hold."""
        solution = self._solution(request.headers.get(HEADER, ""))
        url = response.headers.get("OData-EntityId", "")
        path, _, key = url.removesuffix(")").rpartition("(")
        kind = COMPONENTS.get(path.rpartition("/")[2])
        if solution is None or kind is None or request.method != "POST":
            return
        component_id = str(uuid5(NAMESPACE_URL, f"{solution['solutionid']}/{key}"))
        table = self._schema.tables["solutioncomponent"]
        if self._store.get(table, component_id) is None:
            row = {"solutioncomponentid": component_id, "componenttype": kind, "objectid": key}
            link = reference("solutionid", "solution", solution["solutionid"])
            self._store.insert(table, {**row, **link, "versionnumber": self._store.next_version()})

    def _solution(self, name: str) -> Row | None:
        found = self._store.find(self._schema.tables["solution"], {"uniquename": name}) if name else []
        return found[0] if found else None
