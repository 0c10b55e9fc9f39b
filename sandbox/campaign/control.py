"""The control side, `/_sandbox/…`: no authentication, JSON in and out, for tests and for playing a person in Campaign.

Every path is in `add_routes`. Bad input is 400 `{"error": …}`, an unknown profile or resource 404, an impossible
export 409.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.campaign.definitions import as_json, from_document
from sandbox.campaign.faults import CATALOGUE, Order, order_from
from sandbox.campaign.fields import FLAGS
from sandbox.campaign.instance import Instance
from sandbox.campaign.problems import Problem
from sandbox.campaign.rows import Record
from sandbox.campaign.upload import ExportImpossible

_PREFIX = "/_sandbox"
_NAMES = {kind: name for name, kind in CATALOGUE.items()}
_Handler = Callable[[web.Request], Awaitable[object]]


def add_routes(application: web.Application, instance: Instance, late_writes: Callable[[], int]) -> None:
    """Add every control path; `late_writes` tells how many requests wait to be applied."""
    control = Control(instance, late_writes)
    routes: tuple[tuple[str, str, _Handler], ...] = (
        ("GET", "/health", control.health),
        ("GET", "/counters", control.counters),
        ("POST", "/counters/reset", control.reset_counters),
        ("GET", "/faults", control.faults),
        ("POST", "/faults", control.add_fault),
        ("DELETE", "/faults", control.clear_faults),
        ("DELETE", "/faults/{number}", control.clear_faults),
        ("POST", "/tokens/revoke", control.revoke_tokens),
        ("POST", "/person/optout", control.person_optout),
        ("POST", "/person/profile", control.person_profile),
        ("POST", "/person/delete", control.person_delete),
        ("GET", "/profiles", control.profiles),
        ("GET", "/resources", control.resources),
        ("POST", "/resources", control.define_resources),
        ("GET", "/resources/{name}", control.records),
        ("POST", "/events", control.events),
        ("POST", "/logs", control.logs),
        ("POST", "/export", control.export),
        ("POST", "/export/finish", control.finish_export),
        ("POST", "/privacy/run", control.run_privacy),
        ("POST", "/privacy/confirm", control.confirm_privacy),
        ("POST", "/reset", control.reset),
    )
    for method, path, handler in routes:
        application.router.add_route(method, _PREFIX + path, _as_json(handler))
    application.router.add_route("*", _PREFIX + "/{rest:.*}", _as_json(control.unknown))


def _as_json(handler: _Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await handler(request))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        except LookupError as error:
            return web.json_response({"error": str(error.args[0])}, status=404)
        except ExportImpossible as error:
            return web.json_response({"error": str(error)}, status=409)
        except Problem as problem:
            return web.json_response({"error": problem.text}, status=problem.status)

    return answer


class Control:
    """The handlers; each returns what becomes the JSON answer."""

    def __init__(self, instance: Instance, late_writes: Callable[[], int]) -> None:
        self._instance, self._late_writes = instance, late_writes

    async def health(self, _request: web.Request) -> object:
        """Say that the server is up."""
        return {"status": "up"}

    async def unknown(self, request: web.Request) -> object:
        """Refuse a path that is not offered."""
        raise LookupError(f"no control path {request.method} {request.path}")

    async def counters(self, _request: web.Request) -> object:
        """Return the engine calls, see `Counters.report`."""
        return self._instance.counters.report()

    async def reset_counters(self, _request: web.Request) -> object:
        """Set the counters to zero."""
        self._instance.counters.reset()
        return self._instance.counters.report()

    async def faults(self, _request: web.Request) -> object:
        """Return the active faults, the catalogue with its defaults, and how many writes still wait to be applied."""
        return {
            "active": {str(number): _shown(order) for number, order in self._instance.faults.active().items()},
            "catalogue": {name: dataclasses.asdict(kind()) for name, kind in CATALOGUE.items()},
            "late_writes": self._late_writes(),
        }

    async def add_fault(self, request: web.Request) -> object:
        """Switch a fault on; the body is described in `faults`."""
        order = order_from(await _document(request))
        return {"number": self._instance.faults.add(order), **_shown(order)}

    async def clear_faults(self, request: web.Request) -> object:
        """Switch one fault off, or all of them."""
        number = request.match_info.get("number")
        self._instance.faults.clear(int(number) if number else None)
        return {"active": len(self._instance.faults.active())}

    async def revoke_tokens(self, _request: web.Request) -> object:
        """Make every access token invalid."""
        return {"revoked": self._instance.gateway.revoke_tokens()}

    async def person_optout(self, request: web.Request) -> object:
        """A person sets `flag` to `value` on the profile with `externalId`; a change stamps the flag's time."""
        document = await _document(request)
        flag, value = document.get("flag"), document.get("value", True)
        if flag not in FLAGS or not isinstance(value, bool):
            raise ValueError(f"'flag' is one of {', '.join(FLAGS)}, 'value' true or false")
        return self._raw(self._instance.profiles.change(self._found(document), {flag: value}))

    async def person_profile(self, request: web.Request) -> object:
        """A person creates a profile; the body is a profile as at the Ext endpoint."""
        values = self._instance.profiles.read_document(await _document(request), extended=True)
        return self._raw(self._instance.profiles.insert(values, "a person"))

    async def person_delete(self, request: web.Request) -> object:
        """A person deletes the profile with `externalId`."""
        profile = self._found(await _document(request))
        self._instance.profiles.remove(profile)
        return self._raw(profile)

    async def profiles(self, request: web.Request) -> object:
        """Return the stored profiles with an `externalId`, or all of them; no engine call is counted."""
        table = self._instance.profiles
        wanted = request.query.get("externalId")
        found = table.where("externalId", wanted) if wanted is not None else table.all()
        return [self._raw(profile) for profile in found]

    async def resources(self, _request: web.Request) -> object:
        """Return the definitions of the custom resources, targets of links first."""
        return [json.loads(as_json(one)) for one in self._instance.resources.definitions()]

    async def define_resources(self, request: web.Request) -> object:
        """Define custom resources, one object or a list, in the form that `resources` returns; see `CustomResource`.

        A definition replaces the one of the same name (another cardinality, unpublished …); its records stay.
        """
        body = await _json(request)
        self._instance.resources.define([from_document(one) for one in (body if isinstance(body, list) else [body])])
        return await self.resources(request)

    async def records(self, request: web.Request) -> object:
        """Return every stored record of a resource with its `hidden` mark; a query `field=value` selects."""
        records = self._instance.resources.records(request.match_info["name"])
        found = (self._raw(one) | {"hidden": records.is_hidden(one)} for one in records.all())
        return [one for one in found if all(str(one.get(name)) == value for name, value in request.query.items())]

    async def events(self, request: web.Request) -> object:
        """Append events: one object or a list, `{"kind", "externalId", …details}`; see the journal for the details."""
        return [self._append(order) for order in await _list(request)]

    async def logs(self, request: web.Request) -> object:
        """Export log files of events that the journal never hears of; the body is as for `events`."""
        orders = await _list(request)
        if not all(isinstance(order, dict) for order in orders):
            raise ValueError("an event is an object")
        return {"files": await self._instance.logs.run(orders)}

    async def export(self, _request: web.Request) -> object:
        """Run the opt-out export now."""
        return await self._instance.export.run()

    async def finish_export(self, _request: web.Request) -> object:
        """Complete a half-written export."""
        return await self._instance.export.finish()

    async def run_privacy(self, request: web.Request) -> object:
        """Run the technical workflow: `{"stages": n}`, or as far as every request goes; returns name → status."""
        stages = (await _document(request)).get("stages")
        if stages is not None and (isinstance(stages, bool) or not isinstance(stages, int)):
            raise ValueError("'stages' is a number")
        return self._instance.workflow.run(stages)

    async def confirm_privacy(self, request: web.Request) -> object:
        """A person confirms the pending deletion `{"name"}`, or all of them; returns name → status."""
        return self._instance.workflow.confirm((await _document(request)).get("name"))

    async def reset(self, _request: web.Request) -> object:
        """Remove all data, counters and faults."""
        self._instance.reset()
        return {"status": "empty"}

    def _append(self, order: object) -> dict[str, Any]:
        if not isinstance(order, dict):
            raise ValueError("an event is an object")  # noqa: TRY004 - becomes a 400
        details = {name: value for name, value in order.items() if name not in ("kind", "externalId")}
        return self._instance.journal.append(str(order.get("kind")), str(order.get("externalId", "")), details)

    def _found(self, document: dict[str, Any]) -> Record:
        external_id = document.get("externalId")
        if not external_id:
            raise ValueError("'externalId' is missing")
        found = self._instance.profiles.where("externalId", str(external_id))
        if not found:
            raise LookupError("no profile has this externalId")
        return found[0]

    def _raw(self, record: Record) -> dict[str, Any]:
        return {"PKey": record.pkey, **record.body}


async def _json(request: web.Request) -> Any:  # noqa: ANN401 - whatever the JSON holds
    text = await request.text()
    try:
        return json.loads(text or "{}")
    except ValueError:
        raise ValueError("the body is not JSON") from None


async def _list(request: web.Request) -> list[Any]:
    body = await _json(request)
    return body if isinstance(body, list) else [body]


async def _document(request: web.Request) -> dict[str, Any]:
    body = await _json(request)
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - becomes a 400
    return body


def _shown(order: Order) -> dict[str, Any]:
    where = {"times": order.times, "method": order.method, "kind": order.kind}
    return {"fault": _NAMES[type(order.fault)], **where, **dataclasses.asdict(order.fault)}
