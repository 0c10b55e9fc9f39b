"""What people do in both systems, through the systems' own doors: a seller in Dynamics, a marketer in Campaign."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

from sandbox.dataverse import ADMIN
from sandbox.world import World

Row = dict[str, Any]


class Refused(RuntimeError):
    """A stand-in said no."""


class People:
    """Use as `async with People(world) as people`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._api = f"{world.dataverse.url}/api/data/v9.2"
        self._control = f"{world.campaign.url}/_sandbox"
        self._session: aiohttp.ClientSession | None = None
        self._token = ""

    async def __aenter__(self) -> Self:
        context: ssl.SSLContext = self._world.tls.client_context()
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        tenant = self._world.settings["DYNAMICS_AUTHORITY"]
        form = {
            "grant_type": "client_credentials",
            "client_id": ADMIN.client_id,
            "client_secret": ADMIN.secret,
            "scope": f"{self._world.dataverse.url}/.default",
        }
        answer = await self._call("POST", f"{tenant}/oauth2/v2.0/token", data=form)
        self._token = answer["access_token"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    # -- Dynamics ----------------------------------------------------------------------------------------------------

    async def create(self, entity_set: str, row: Mapping[str, Any]) -> str:
        """A new row's id."""
        assert self._session is not None
        async with self._session.post(f"{self._api}/{entity_set}", json=row, headers=self._headers()) as answer:
            await _check(answer)
            return answer.headers["OData-EntityId"].rsplit("(", 1)[1].rstrip(")")

    async def update(self, entity_set: str, row_id: str, columns: Mapping[str, Any]) -> None:
        """Change columns of a row that exists."""
        await self._call("PATCH", f"{self._api}/{entity_set}({row_id})", json=columns, headers={"If-Match": "*"})

    async def remove(self, entity_set: str, row_id: str) -> None:
        """Delete a row, and what its relationships delete with it."""
        await self._call("DELETE", f"{self._api}/{entity_set}({row_id})")

    async def change(self, contact_id: str, **columns: object) -> None:
        """Change columns of a contact."""
        await self.update("contacts", contact_id, columns)

    async def change_row(self, entity_set: str, row_id: str, columns: Mapping[str, object]) -> None:
        """Change columns of any row."""
        await self._call("PATCH", f"{self._api}/{entity_set}({row_id})", json=columns, headers={"If-Match": "*"})

    async def correct(self, row: str, **columns: object) -> None:
        """Change columns of any row, named as `contacts(ID)`."""
        await self._call("PATCH", f"{self._api}/{row}", json=columns, headers={"If-Match": "*"})

    async def delete(self, contact_id: str) -> None:
        """Delete a contact."""
        await self.remove("contacts", contact_id)

    async def contact(self, contact_id: str) -> Row:
        """A contact's row."""
        row: Row = await self._call("GET", f"{self._api}/contacts({contact_id})")
        return row

    async def rows(self, entity_set: str, **query: str) -> list[Row]:
        """All rows of a query; the names are OData's without the dollar sign."""
        url = f"{self._api}/{entity_set}"
        params: dict[str, str] | None = {f"${name}": value for name, value in query.items()}
        found: list[Row] = []
        while url:
            page = await self._call("GET", url, params=params)
            found += page["value"]
            url, params = page.get("@odata.nextLink", ""), None
        return found

    async def timeline(self, contact_id: str) -> list[Row]:
        """The contact's activities, as the timeline shows them."""
        return await self.rows("activitypointers", filter=f"_regardingobjectid_value eq {contact_id}")

    async def dynamics_fault(self, fault: Mapping[str, Any]) -> None:
        """Something goes wrong in Dynamics; see sandbox/dataverse/faults.py."""
        await self._call("POST", f"{self._world.dataverse.url}/_sandbox/faults", json=fault)

    async def webhooks_waiting(self) -> int:
        """How many announcements Dynamics has still to send."""
        jobs = await self._call("GET", f"{self._world.dataverse.url}/_sandbox/jobs")
        return sum(job["state"] == "ready" for job in jobs["jobs"])

    # -- Campaign ----------------------------------------------------------------------------------------------------

    async def profiles(self) -> dict[str, Row]:
        """Every profile as stored, by externalId ("" for those without)."""
        return {row.get("externalId") or "": row for row in await self._call("GET", f"{self._control}/profiles")}

    async def records(self, resource: str) -> dict[str, Row]:
        """Every record of a custom resource as stored, by externalId; `hidden` says whether Campaign shows it."""
        return {row["externalId"]: row for row in await self._call("GET", f"{self._control}/resources/{resource}")}

    async def marketing(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever the stand-in answers
        """Something that happens in Campaign; see sandbox/campaign/control.py."""
        return await self._call("POST", f"{self._control}/{path}", json={} if body is None else body)

    async def end_faults(self) -> None:
        """Both systems are well again."""
        await self._call("DELETE", f"{self._control}/faults")
        await self._call("DELETE", f"{self._world.dataverse.url}/_sandbox/faults")

    async def opt_out_in_campaign(self, contact_id: str, flag: str, *, value: bool = True) -> None:
        """The person uses the unsubscribe link."""
        await self.marketing("person/optout", {"externalId": contact_id, "flag": flag, "value": value})

    async def events(self, events: Iterable[Mapping[str, Any]]) -> None:
        """E-mail events that happen now."""
        await self.marketing("events", list(events))

    async def engine_calls(self) -> Mapping[str, int]:
        """Of the bridge only, by kind."""
        report = await self._call("GET", f"{self._control}/counters")
        kinds: Mapping[str, int] = report["keys"].get(self._world.settings["CAMPAIGN_CLIENT_ID"], {})
        return kinds

    async def hidden(self) -> Mapping[str, Mapping[str, int]]:
        """`writes` to records that Campaign hides and writes that `made` one, by kind and by whomever."""
        report = await self._call("GET", f"{self._control}/counters")
        found: Mapping[str, Mapping[str, int]] = report["hidden"]
        return found

    # ----------------------------------------------------------------------------------------------------------------

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def _call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - JSON
        assert self._session is not None
        both = {**(self._headers() if url.startswith(self._api) else {}), **(headers or {})}
        async with self._session.request(method, url, headers=both, **options) as answer:
            await _check(answer)
            return None if answer.status == 204 else await answer.json()


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status >= 400:
        raise Refused(f"{answer.method} {answer.url.path}: {answer.status} {await answer.text()}")
