"""Replacing a table's definition: the one change that is offered is to switch its change tracking on."""

from __future__ import annotations

from typing import Any

from sandbox.dataverse import metadata
from sandbox.dataverse.catalog import Catalog
from sandbox.dataverse.errors import ApiError, invalid_value, method_not_allowed, not_offered
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.payload import read_json
from sandbox.dataverse.schema import Table

_SWITCH = "ChangeTrackingEnabled"


class DefinitionWrites:
    """`PUT EntityDefinitions(…)`: as documented, the body is the whole definition, read and sent back changed.

    Labels are compared by their text, because a client may leave out or keep the ids inside them.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def replace(self, table: Table, request: ApiRequest) -> ApiResponse:
        """Raises ApiError: 405 for PATCH, which the platform does not know here; 400 for a definition that is not
        whole, or would switch tracking off; 501 for any other change.
        """
        if request.method != "PUT":
            raise method_not_allowed(request.method)
        body = {name: value for name, value in read_json(request.body).items() if "@" not in name}
        _require_same(metadata.entity(table), body)
        if body[_SWITCH] is True and not table.change_tracking:
            self._switch_on(table)
        elif body[_SWITCH] is not table.change_tracking:
            raise invalid_value(f"{_SWITCH} of {table.name} cannot be switched off once it is on.")
        return ApiResponse(204)

    def _switch_on(self, table: Table) -> None:
        if not metadata.entity(table)["CanChangeTrackingBeEnabled"]["Value"]:
            raise invalid_value(f"Change tracking cannot be enabled for {table.name}.")
        self._catalog.track(table)


def _require_same(shown: dict[str, Any], body: dict[str, Any]) -> None:
    missing = sorted(shown.keys() - body.keys())
    if missing:
        text = f"A definition is replaced as a whole, and this one lacks '{missing[0]}': send back what GET answers."
        raise ApiError(400, "0x80048d19", text)
    for name, value in body.items():
        if name != _SWITCH and (name not in shown or _plain(value) != _plain(shown[name])):
            raise not_offered(f"changing '{name}' of a table")


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A label as its texts by language; anything else as it is."""
    if isinstance(value, dict) and "LocalizedLabels" in value:
        return {label.get("LanguageCode"): label.get("Label") for label in value["LocalizedLabels"] or []}
    return value
