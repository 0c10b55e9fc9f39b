"""Parts of an environment's customisations: each can be looked at, put right and removed, as often as one likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from typing_extensions import override

from shared.clients.calls import Sender
from shared.clients.dynamics import wire_provisioning
from shared.clients.dynamics.config import REASONS, DynamicsConfig
from shared.clients.dynamics.wire_provisioning import ProvisioningError
from shared.clients.exchange import Exchange, Tokens


class State(StrEnum):
    """How a part was found."""

    PRESENT = "present"
    MISSING = "missing"
    DIFFERS = "differs"


@dataclass(frozen=True)
class Seen:
    """`detail`: what differs, or what else is worth saying."""

    state: State
    detail: str = ""


PRESENT, MISSING = Seen(State.PRESENT), Seen(State.MISSING)


class Desk:
    """The environment, as an administrator works in it. `ids`: of the rows found so far, by their parts' keys.

    `stayed`: what a removal left because it holds data, so that what knows whose it is must stay, too.

    Methods raise ProvisioningError for a refusal, and an Outcome where there is no answer.
    """

    def __init__(self, config: DynamicsConfig, http: Sender, tokens: Tokens, now: Callable[[], datetime]) -> None:
        self._config = config
        self._exchange = Exchange(http, tokens, REASONS, config.timeout_s, now)
        self.ids: dict[str, str] = {}
        self.stayed: list[str] = []

    async def get(self, path: str) -> Mapping[str, Any] | None:
        """None: there is no such thing."""
        request = wire_provisioning.read_request(self._config, path)
        return wire_provisioning.read_document(await self._exchange.send(request), f"GET {_named(path)}")

    async def rows(self, path: str) -> list[Mapping[str, Any]]:
        """The rows of a query."""
        document = await self.get(path)
        rows = document.get("value") if document else None
        if not isinstance(rows, list):
            raise ProvisioningError(f"GET {_named(path)}: the answer holds no rows")
        return rows

    async def write(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        solution: str | None = None,
        secret: bool = False,
    ) -> str | None:
        """The id of what was created. `secret`: the body holds one."""
        request = wire_provisioning.write_request(self._config, method, path, body, solution)
        response = await self._exchange.send(request)
        return wire_provisioning.read_written(response, f"{method} {_named(path)}", secret=secret)


class Part(Protocol):
    """One thing that provisioning sees to. `title`: what a person calls it."""

    title: str

    async def look(self, desk: Desk) -> Seen:
        """As it is now. Raises ProvisioningError, Outcome."""
        ...

    async def put(self, desk: Desk, seen: Seen) -> None:
        """Create it, or correct what differs. Raises ProvisioningError, Outcome."""
        ...

    async def remove(self, desk: Desk) -> str:
        """Undo it; empty, or why it stays. Raises ProvisioningError, Outcome."""
        ...


@dataclass(frozen=True)
class RowPart(Part):
    """A row that is found by `where`, in which `{key}` stands for the id of an earlier part.

    `columns` are compared and corrected; `initial` are written with the creation and then left to people; `once` are
    secrets, written with the creation and by `refresh`, and never shown.
    `binds`: navigation property → (entity set, key of the part that it links to). `outlives`: a removal leaves the row
    while it leaves data.
    """

    key: str
    title: str
    entity_set: str
    id_column: str
    where: str
    columns: Mapping[str, Any]
    initial: Mapping[str, Any] = field(default_factory=dict)
    once: Mapping[str, Any] = field(default_factory=dict, repr=False)
    binds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    row_id: str | None = None
    solution: str | None = None
    outlives: bool = False

    @override
    async def look(self, desk: Desk) -> Seen:
        """Notes the row's id."""
        row = await self._row(desk)
        if row is None:
            return MISSING
        desk.ids[self.key] = str(row[self.id_column])
        differing = [name for name, value in self.columns.items() if not _same(row.get(name), value)]
        return Seen(State.DIFFERS, ", ".join(differing)) if differing else PRESENT

    @override
    async def put(self, desk: Desk, seen: Seen) -> None:
        """Creation by an id of ours may be repeated; a correction writes only what differs."""
        if seen.state is State.DIFFERS:
            changed = {name: self.columns[name] for name in seen.detail.split(", ")}
            await desk.write("PATCH", f"{self.entity_set}({desk.ids[self.key]})", changed)
            return
        own = {} if self.row_id is None else {self.id_column: self.row_id}
        links = {name: f"/{to}({self._id_of(desk, key)})" for name, (to, key) in self.binds.items()}
        body = {**own, **self.columns, **self.initial, **self.once, **wire_provisioning.bound(links)}
        await desk.write("POST", self.entity_set, body, solution=self.solution, secret=bool(self.once))

    @override
    async def remove(self, desk: Desk) -> str:
        """With everything that the platform deletes along."""
        if self.outlives and desk.stayed:
            return f"it stays with {', '.join(desk.stayed)}"
        await desk.write("DELETE", f"{self.entity_set}({desk.ids[self.key]})")
        del desk.ids[self.key]
        return ""

    async def refresh(self, desk: Desk) -> None:
        """Write `once` anew. Raises ProvisioningError, Outcome."""
        await desk.write("PATCH", f"{self.entity_set}({self._id_of(desk, self.key)})", self.once, secret=True)

    async def _row(self, desk: Desk) -> Mapping[str, Any] | None:
        try:
            where = self.where.format(**desk.ids)
        except KeyError:  # it hangs on a part that is missing itself
            return None
        select = ",".join((self.id_column, *self.columns))
        rows = await desk.rows(f"{self.entity_set}?$select={select}&$filter={where}")
        if len(rows) > 1:
            raise ProvisioningError(f"{self.title}: there are {len(rows)} of them; remove all but one")
        return rows[0] if rows else None

    def _id_of(self, desk: Desk, key: str) -> str:
        if key not in desk.ids:
            raise ProvisioningError(f"{self.title}: the {key} that it needs is not there")
        return desk.ids[key]


@dataclass(frozen=True)
class NeededRow(Part):
    """A row that somebody else has to see to. `notes`: columns whose ids are noted, by the keys to note them under."""

    key: str
    title: str
    entity_set: str
    id_column: str
    where: str
    remedy: str
    notes: Mapping[str, str] = field(default_factory=dict)

    @override
    async def look(self, desk: Desk) -> Seen:
        """Notes the row's id. Raises ProvisioningError, with the remedy, where it is missing."""
        select = ",".join((self.id_column, *self.notes.values()))
        rows = await desk.rows(f"{self.entity_set}?$select={select}&$filter={self.where}")
        if len(rows) != 1:
            raise ProvisioningError(f"{self.title}: {len(rows)} of them are there. {self.remedy}")
        desk.ids[self.key] = str(rows[0][self.id_column])
        desk.ids |= {key: str(rows[0][column]) for key, column in self.notes.items()}
        return PRESENT

    @override
    async def put(self, desk: Desk, seen: Seen) -> None:
        """Looking has raised already."""

    @override
    async def remove(self, desk: Desk) -> str:
        """Nothing of it is ours."""
        return "it stays: it is not ours"


def _same(there: object, wanted: object) -> bool:
    """Lists of columns are the same in any order."""
    if isinstance(there, str) and isinstance(wanted, str):
        return sorted(there.split(",")) == sorted(wanted.split(","))
    return there == wanted


def _named(path: str) -> str:
    return path.partition("?")[0]
