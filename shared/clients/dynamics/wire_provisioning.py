"""Requests that change an environment's customisations, and what their answers mean. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from shared.clients.calls import Request, Response
from shared.clients.dynamics.config import API_PATH, SYSTEM, DynamicsConfig
from shared.clients.dynamics.wire import HEADERS
from shared.clients.dynamics.wire_errors import detail

_KIND = "provision"
_LONGEST_TEXT = 300
_SAFE = "/()$=,'&?:;*@"


class ProvisioningError(Exception):
    """Dataverse refused a step, or lacks what the step builds on. The text holds no secret."""


class NotAllowedError(ProvisioningError):
    """Whoever provisions lacks a privilege, so that nothing can be said of what they asked for."""


def read_request(config: DynamicsConfig, path: str) -> Request:
    """`path` below the API's root. Definitions are asked for as they are now, past the metadata cache."""
    url = f"{config.base}/{quote(path, safe=_SAFE)}"
    return Request(SYSTEM, _KIND, "GET", url, {**HEADERS, "Consistency": "Strong"}, repeatable=True)


def write_request(
    config: DynamicsConfig, method: str, path: str, body: Mapping[str, Any] | None, solution: str | None
) -> Request:
    """`solution`: the unique name of the one that what is created belongs to. Labels are merged, never wiped."""
    headers = {**HEADERS, "Content-Type": "application/json"}
    if solution is not None:
        headers["MSCRM.SolutionUniqueName"] = solution
    if method == "PUT":
        headers["MSCRM.MergeLabels"] = "true"
    if method == "PATCH":
        headers["If-Match"] = "*"
    content = None if body is None else json.dumps(body).encode()
    return Request(SYSTEM, _KIND, method, f"{config.base}/{quote(path, safe=_SAFE)}", headers, content)


def read_document(response: Response, what: str) -> Mapping[str, Any] | None:
    """None: there is no such thing. Raises ProvisioningError."""
    if response.status == 404:
        return None
    document = response.json()
    if response.status != 200 or not isinstance(document, dict):
        raise _refused(response, what)
    return document


def read_written(response: Response, what: str, *, secret: bool) -> str | None:
    """The id of what was created, if something was. `secret`: what was sent holds one, so no text is repeated.

    Raises ProvisioningError.
    """
    if response.status >= 300:
        raise _refused(response, what, secret=secret)
    address = response.headers.get("odata-entityid", "")
    return address.rpartition("(")[2].rstrip(")") or None


def bound(links: Mapping[str, str]) -> dict[str, str]:
    """Links to rows, by navigation property, as a body holds them."""
    return {f"{name}@odata.bind": link for name, link in links.items()}


def reference(entity_set: str, row_id: str) -> dict[str, str]:
    """A row as an association names it."""
    return {"@odata.id": f"{API_PATH}/{entity_set}({row_id})"}


def _refused(response: Response, what: str, *, secret: bool = False) -> ProvisioningError:
    document = response.json()
    error = document.get("error") if isinstance(document, dict) else None
    text = str(error.get("message", ""))[:_LONGEST_TEXT] if isinstance(error, dict) and not secret else ""
    kind = NotAllowedError if response.status == 403 else ProvisioningError
    return kind(f"{what}: {detail(response)} {text}".rstrip())
