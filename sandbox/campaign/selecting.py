"""What a list's path and query select: filters, single columns, order and the count, alike for every resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.calls import Address, Call, Reply
from sandbox.campaign.fields import Field
from sandbox.campaign.filters import Condition, Filter
from sandbox.campaign.listing import Pager, Selection
from sandbox.campaign.store import column


@dataclass(frozen=True)
class Listing:
    """The lists of one resource at one endpoint, of an SQL table or of a view that shows less than the table.

    `known_elsewhere` are filters that real Campaign has and this stand-in has not.
    """

    table: str
    fields: Mapping[str, Field]
    filters: Mapping[str, Filter]
    known_elsewhere: tuple[str, ...] = ()
    view: str = ""

    def selects_many(self, address: Address) -> bool:
        """Tell whether the path names filters or a column, or nothing behind the resource."""
        names = (*self.filters, *self.known_elsewhere, *self.fields, "_count")
        return all(part in names for part in address.rest)

    def answer(self, call: Call, pager: Pager, shown: Callable[[int, str], dict[str, Any]]) -> Reply:
        """Answer with a page or a count; `shown` turns a row's id and body into the full record. Raises Problem."""
        parts = [part for part in call.address.rest if part != "_count"]
        columns = [part for part in parts if part in self.fields]
        selection = self._selection(call, [part for part in parts if part not in columns])
        if "_count" in call.address.rest:
            return Reply(200, pager.count(selection))

        def item(number: int, body: str) -> object:
            record = shown(number, body)
            return record[columns[-1]] if columns else record

        return Reply(200, pager.page(call, selection, item))

    def _selection(self, call: Call, filters: list[str]) -> Selection:
        conditions = [one for name in filters for one in self._conditions(name, call)]
        values = tuple(value for _, more in conditions for value in more)
        return Selection(self.table, *self._order(call), tuple(sql for sql, _ in conditions), values, self.view)

    def _conditions(self, name: str, call: Call) -> list[Condition]:
        if name not in self.filters:
            raise problems.not_offered(f"the '{name}' filter")
        for parameter in self.filters[name].parameters:
            if parameter not in call.query:
                raise problems.bad_parameter(parameter, f"the '{name}' filter needs it")
        return self.filters[name].conditions(call.query)

    def _order(self, call: Call) -> tuple[str, bool]:
        text = call.query.get("_order")
        if text is None:
            return "id", False
        name, _, direction = text.partition(" ")
        field = self.fields.get(name)
        if field is None or field.kind in ("object", "link", "collection") or direction not in ("", "asc", "desc"):
            raise problems.bad_parameter("_order", f"'@{text}' is not a sortable field")
        return ("id" if name == "PKey" else f"COALESCE({column(name)}, '')"), direction == "desc"
