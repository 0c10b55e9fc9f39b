"""Everything that the bridge needs in an environment: parts, in the order in which they build on each other."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from shared.clients.dynamics.provisioning import NeededRow, Part, RowPart
from shared.clients.dynamics.provisioning_access import AssignmentPart, Grant, GrantsPart
from shared.clients.dynamics.provisioning_tables import FormPart, TablePart, TrackingPart
from shared.clients.dynamics.wire_provisioning import ProvisioningError
from shared.clients.dynamics.wire_table_documents import shapes
from shared.domain.timeline import ActivityTables

SOLUTION = "DynamicsCampaignBridge"
ENDPOINT = "Dynamics-Campaign bridge"
ROLE = "Dynamics-Campaign bridge"
KEY_HEADER = "x-bridge-key"
MESSAGES = ("Create", "Update", "Delete")
_WEBHOOK, _HTTP_HEADER = 8, 5  # contract and authtype of an endpoint
_POST_OPERATION, _ASYNCHRONOUS = 40, 1
_PRE_IMAGE, _POST_IMAGE = 0, 1
_OPTION_PREFIX = 72700
_IDS = uuid.UUID("d0a1b9a4-3f0e-5b7c-8e57-2f6b0b7f0d3a")
_METADATA = ("prvReadEntity", "prvReadAttribute", "prvReadRelationship", "prvReadOptionSet")
_WATCHED = ("asyncoperation", "sdkmessageprocessingstep")  # which announcements failed, and whether they were ours
_ACTIVITY_RIGHTS = ("Create", "Read", "Write", "Append", "Assign")


@dataclass(frozen=True)
class Blueprint:
    """`mapped`: the columns that are read, by table. `webhook_url` and `webhook_secret`: what the endpoint calls with.

    `delete_activities`: a removal may delete tables that hold some.
    """

    tables: ActivityTables
    mapped: Mapping[str, Sequence[str]]
    written: Sequence[str]
    client_id: str
    webhook_url: str
    webhook_secret: str = field(repr=False)
    delete_activities: bool = False

    def parts(self) -> list[Part]:
        """Raises ProvisioningError for names without one common prefix."""
        return [*self._solution(), *self._tables(), *self._access(), *self._webhook()]

    def endpoint(self) -> RowPart:
        """Where Dataverse calls, and with which key."""
        setting = f'<setting name="{KEY_HEADER}" value={quoteattr(self.webhook_secret)}/>'
        return RowPart(
            "endpoint",
            f"service endpoint {ENDPOINT}",
            "serviceendpoints",
            "serviceendpointid",
            f"name eq '{ENDPOINT}'",
            {"name": ENDPOINT, "url": self.webhook_url, "contract": _WEBHOOK, "authtype": _HTTP_HEADER},
            once={"authvalue": f"<settings>{setting}</settings>"},
            row_id=_own_id("endpoint"),
            solution=SOLUTION,
        )

    def _solution(self) -> Iterator[Part]:
        name = SOLUTION.lower()
        yield RowPart(
            "publisher",
            f"publisher {name}",
            "publishers",
            "publisherid",
            f"uniquename eq '{name}'",
            {"uniquename": name, "customizationprefix": self._prefix()},
            initial={"friendlyname": ENDPOINT, "customizationoptionvalueprefix": _OPTION_PREFIX},
            row_id=_own_id("publisher"),
            outlives=True,
        )
        yield RowPart(
            "solution",
            f"solution {SOLUTION}",
            "solutions",
            "solutionid",
            f"uniquename eq '{SOLUTION}'",
            {"uniquename": SOLUTION},
            initial={"friendlyname": ENDPOINT, "version": "1.0.0.0"},
            binds={"publisherid": ("publishers", "publisher")},
            row_id=_own_id("solution"),
            outlives=True,
        )

    def _tables(self) -> Iterator[Part]:
        for shape in shapes(self.tables):
            yield TablePart(f"table {shape.name}", shape, SOLUTION, self.delete_activities)
            yield FormPart(f"main form of {shape.name}", shape)
        for table in self.mapped:
            yield TrackingPart(f"change tracking of {table}", table)

    def _access(self) -> Iterator[Part]:
        yield NeededRow(
            "user",
            "application user",
            "systemusers",
            "systemuserid",
            f"applicationid eq {self.client_id}",
            "Add the app registration of DYNAMICS_CLIENT_ID in the Power Platform admin center.",
            notes={"unit": "_businessunitid_value"},
        )
        where = f"name eq '{ROLE}' and _businessunitid_value eq {{unit}}"
        binds = {"businessunitid": ("businessunits", "unit")}
        yield RowPart(
            "role",
            f"security role {ROLE}",
            "roles",
            "roleid",
            where,
            {"name": ROLE},
            binds=binds,
            row_id=_own_id("role"),
            solution=SOLUTION,
        )
        yield GrantsPart("privileges of the role", self._grants(), _METADATA)
        yield AssignmentPart(f"role {ROLE} of the application user")

    def _grants(self) -> list[Grant]:
        """Least privilege: what is mapped is read, what is written back is written, activities and tasks are made."""
        read = [Grant(table, "Read") for table in self.mapped]
        written = [Grant(table, "Write") for table in self.written]
        activities = [Grant(table.name, right) for table in self.tables.tables.values() for right in _ACTIVITY_RIGHTS]
        tasks = [Grant("task", right) for right in _ACTIVITY_RIGHTS]
        read += [Grant(table, "Read") for table in _WATCHED]
        return [*read, *written, Grant("contact", "Read"), Grant("contact", "AppendTo"), *activities, *tasks]

    def _webhook(self) -> Iterator[Part]:
        yield self.endpoint()
        for message in MESSAGES:
            yield NeededRow(
                f"message_{message}",
                f"message {message}",
                "sdkmessages",
                "sdkmessageid",
                f"name eq '{message}'",
                "It belongs to every environment.",
            )
        for table, columns in self.mapped.items():
            for message in MESSAGES:
                yield _filter(table, message)
                yield _step(table, columns, message)
                yield _image(table, message)

    def _prefix(self) -> str:
        named = {table.name for table in self.tables.tables.values()}
        prefixes = {name.partition("_")[0] for name in named}
        if len(prefixes) != 1:
            raise ProvisioningError(f"the activity tables have several prefixes: {', '.join(sorted(prefixes))}")
        return prefixes.pop()


def _step(table: str, columns: Sequence[str], message: str) -> RowPart:
    """Asynchronous, after the operation; an Update only of columns that are mapped."""
    title = f"{message} of {table}"
    return RowPart(
        f"step_{message}_{table}",
        f"step for {title}",
        "sdkmessageprocessingsteps",
        "sdkmessageprocessingstepid",
        f"name eq '{ENDPOINT}: {title}'",
        {
            "name": f"{ENDPOINT}: {title}",
            "rank": 1,
            "stage": _POST_OPERATION,
            "mode": _ASYNCHRONOUS,
            "supporteddeployment": 0,
            "asyncautodelete": True,
            **({"filteringattributes": ",".join(sorted(columns))} if message == "Update" else {}),
        },
        binds={
            "eventhandler_serviceendpoint": ("serviceendpoints", "endpoint"),
            "sdkmessageid": ("sdkmessages", f"message_{message}"),
            "sdkmessagefilterid": ("sdkmessagefilters", f"filter_{message}_{table}"),
        },
        row_id=_own_id(f"step/{message}_{table}"),
        solution=SOLUTION,
    )


def _filter(table: str, message: str) -> NeededRow:
    """What joins a message and a table; the environment has it."""
    return NeededRow(
        f"filter_{message}_{table}",
        f"message filter for {message} of {table}",
        "sdkmessagefilters",
        "sdkmessagefilterid",
        f"primaryobjecttypecode eq '{table}' and sdkmessageid/name eq '{message}'",
        "The table offers no events.",
    )


def _image(table: str, message: str) -> RowPart:
    """Holds the key alone: the bridge reads the row itself, so nothing personal needs to travel."""
    step = f"step_{message}_{table}"
    return RowPart(
        f"image_{message}_{table}",
        f"image of the step for {message} of {table}",
        "sdkmessageprocessingstepimages",
        "sdkmessageprocessingstepimageid",
        f"name eq 'row' and _sdkmessageprocessingstepid_value eq {{{step}}}",
        {
            "name": "row",
            "entityalias": "row",
            "imagetype": _PRE_IMAGE if message == "Delete" else _POST_IMAGE,
            "messagepropertyname": "Id" if message == "Create" else "Target",
            "attributes": f"{table}id",
        },
        binds={"sdkmessageprocessingstepid": ("sdkmessageprocessingsteps", step)},
        row_id=_own_id(f"image/{message}_{table}"),
        solution=SOLUTION,
    )


def _own_id(name: str) -> str:
    return str(uuid.uuid5(_IDS, name))
