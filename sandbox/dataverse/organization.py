"""One organisation: its schema, rows, rules and events wired together, and the rows that it begins with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sandbox.dataverse import privileges
from sandbox.dataverse.catalog import Catalog
from sandbox.dataverse.config import DataverseConfig
from sandbox.dataverse.context import ContextBuilder
from sandbox.dataverse.counters import Counters
from sandbox.dataverse.faults import Faults
from sandbox.dataverse.jobs import Jobs
from sandbox.dataverse.pipeline import Pipeline
from sandbox.dataverse.rows import RowView
from sandbox.dataverse.rules import reference
from sandbox.dataverse.schema import Table
from sandbox.dataverse.schema_events import default_schema
from sandbox.dataverse.security import Security
from sandbox.dataverse.solutions import Solutions
from sandbox.dataverse.store import Store
from sandbox.dataverse.table_document import TableDocument
from sandbox.dataverse.values import show_moment
from sandbox.dataverse.writes import Writer

API_ROOT = "/api/data/v9.2/"
# Create and Update have the same id in every organisation.
_WELL_KNOWN = {
    "Create": "9ebdbb1b-ea3e-db11-86a7-000a3a5473e8",
    "Update": "20bebb1b-ea3e-db11-86a7-000a3a5473e8",
}
_MESSAGES = ("Create", "Update", "Delete", "CreateMultiple", "UpdateMultiple", "UpsertMultiple")


class Organization:
    """Everything behind the API. `origin` is the scheme and host of its URLs."""

    def __init__(self, config: DataverseConfig, origin: str, now: Callable[[], datetime]) -> None:
        self.config = config
        self.origin = origin
        self.now = now
        self.schema = default_schema(config.tables, email_activities=config.email_activities)
        self.store = Store(self.schema, config.state)
        self.catalog = Catalog(self.schema, self.store)
        self.security = Security(self.schema, self.store, config)
        self.solutions = Solutions(self.schema, self.store)
        self.counters = Counters()
        self.faults = Faults()
        self.jobs = Jobs(self.store, self.schema.tables["asyncoperation"])
        contexts = ContextBuilder(self.schema, self.store, config)
        self.pipeline = Pipeline(self.schema, self.store, self.jobs, contexts, self.faults, now)
        self.writer = Writer(self.schema, self.store, config, self.pipeline.publish, self.counters)
        self.view = RowView(self.schema, self.store)
        self.seed()

    @property
    def api_url(self) -> str:
        return f"{self.origin}{API_ROOT}"

    def describe(self, document: TableDocument) -> Table:
        """Add a table, to which webhooks can be registered at once. Raises ValueError."""
        with self.store.transaction():
            table = self.catalog.describe(document)
            self.seed()
        return table

    def reset(self) -> None:
        """Forget all rows, jobs, faults and counts; registered webhooks go with the rows, tables stay."""
        with self.store.transaction():
            self.store.clear()
            self.jobs.clear()
            self.security.clear()
            self.seed()
        self.faults.active.clear()
        self.counters.clear()
        self.pipeline.forget()

    def seed(self) -> None:
        """Add what is missing of the rows that every organisation has."""
        config = self.config
        with self.store.transaction():
            self._add("organization", config.organization_id, name=config.organization_name)
            self._add("businessunit", config.business_unit_id, name="Sandbox")
            self._add("transactioncurrency", config.currency_id, **_DOLLAR)
            for user in config.users:
                unit = reference("businessunitid", "businessunit", config.business_unit_id)
                self._add("systemuser", user.user_id, fullname=user.name, applicationid=user.client_id, **unit)
            for message in _MESSAGES:
                self._seed_message(message)
            for privilege in privileges.all_of(self.schema):
                self._add("privilege", privilege.id, name=privilege.name)

    def _seed_message(self, message: str) -> None:
        message_id = _WELL_KNOWN.get(message) or self._own_id(f"message/{message}")
        self._add("sdkmessage", message_id, name=message)
        link = reference("sdkmessageid", "sdkmessage", message_id)
        for table in self.schema:
            if not table.view:
                filter_id = self._own_id(f"filter/{message}/{table.name}")
                self._add("sdkmessagefilter", filter_id, primaryobjecttypecode=table.name, **link)

    def _own_id(self, name: str) -> str:
        return str(uuid5(UUID(self.config.organization_id), name))

    def _add(self, table_name: str, row_id: str, /, **values: Any) -> None:  # noqa: ANN401 - columns of any type
        table = self.schema.tables[table_name]
        if self.store.get(table, row_id) is not None:
            return
        stamp = show_moment(self.now())
        defaults = {column.name: int(column.default) for column in table.attributes if column.default is not None}
        row = defaults | {table.primary_id: row_id, "createdon": stamp, "modifiedon": stamp} | values
        self.store.insert(table, {**row, "versionnumber": self.store.next_version()})


_DOLLAR = {"currencyname": "US Dollar", "isocurrencycode": "USD", "currencysymbol": "$", "exchangerate": 1.0}
