"""Campaign's error answers, told apart by their text: most permanent data errors come as status 500.

The gateway answers with a JSON object, the application with plain text or a JSON string. The texts quote values, so
nothing of them reaches a detail but error codes and names of fields that the request itself carried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.clients.calls import Response
from shared.clients.campaign.config import REASONS
from shared.clients.outcomes import is_unclear, unclear
from shared.errors import Halt, Outcome, Park, Reason

_ORGANISATION_NOT_PROVISIONED = "403023"
# The code alone is every general error's, also that of a resource that is not published.
_UNKNOWN_DOCUMENT = ("RST-360011", "Unable to find document")
_DUPLICATE = ("PGS-220000", "already exists")
_CODE = re.compile(r"\b(?:RST|XTK|PGS)-\d{6}\b")
_NUMBER = re.compile(r"\d{3,6}")
# Looked for before a duplicate's signs: a text about a value quotes that value, which may contain any words.
_REFUSALS = (
    (Reason.REFUSED_EMAIL, ("XTK-170049",)),
    (Reason.REFUSED_FIELD, ("property is not valid for", "property that is read-only")),
    (
        Reason.REFUSED_VALUE,
        (
            "is not valid for the",
            "is not a valid",
            "XTK-170036",
            "RST-360012",
            "too long",
            "exceeds",
            "is mandatory",
        ),
    ),
)


def is_unknown_key(response: Response) -> bool:
    """There is no document under the key in the address. Any other 404 means that the address itself is wrong."""
    text = _application_text(response)
    return response.status == 404 and all(sign in text for sign in _UNKNOWN_DOCUMENT)


def is_duplicate(response: Response) -> bool:
    """A document with this unique key exists already."""
    text = _application_text(response)
    return response.status >= 400 and _refusal(text) is None and any(sign in text for sign in _DUPLICATE)


def refused(response: Response, names: Iterable[str] = (), *, write: bool) -> Outcome:
    """What an answer other than success means. `names`: the fields that the request carried, nested ones dotted."""
    text = _application_text(response)
    detail = _detail(response, text, names)
    if response.status == 403:
        provisioned = _gateway_code(response) != _ORGANISATION_NOT_PROVISIONED
        return Halt(Reason.CAMPAIGN_CREDENTIALS if provisioned else Reason.CAMPAIGN_MISCONFIGURED, detail)
    if reason := _refusal(text):
        return Park(reason, detail)
    if is_duplicate(response):
        return Park(Reason.REFUSED_VALUE, f"{detail}: duplicate key")
    if is_unclear(response.status):
        return unclear(REASONS, detail, write=write)
    if response.status < 400 or _leads_nowhere(response.status, text):
        return Halt(Reason.CAMPAIGN_MISCONFIGURED, detail)
    return Park(Reason.CAMPAIGN_REFUSED, detail)


def _leads_nowhere(status: int, text: str) -> bool:
    """A 404 that misses no document misses the resource; a 400 with the application's code is about the content."""
    return (status == 404 and _UNKNOWN_DOCUMENT[1] not in text) or (status == 400 and not _CODE.search(text))


def _refusal(text: str) -> Reason | None:
    return next((reason for reason, signs in _REFUSALS if any(sign in text for sign in signs)), None)


def _application_text(response: Response) -> str:
    """The application's text; empty where the answer is the gateway's."""
    document = response.json()
    if isinstance(document, dict):
        return ""
    return document if isinstance(document, str) else response.body.decode(errors="replace")


def _gateway_code(response: Response) -> str:
    document = response.json()
    if not isinstance(document, dict):
        return ""
    code = str(document.get("error_code") or document.get("code") or "")
    return code if _NUMBER.fullmatch(code) else ""


def _detail(response: Response, text: str, names: Iterable[str]) -> str:
    codes = [_gateway_code(response), *_CODE.findall(text)]
    parts = [f"status {response.status}", *filter(None, dict.fromkeys(codes))]
    if field := _field(text, names):
        parts.append(f"field {field}")
    return ", ".join(parts)


def _field(text: str, names: Iterable[str]) -> str | None:
    """The field that the text names, as '@name' or 'name', if it is one of those that were sent."""
    known = sorted(names, key=len, reverse=True)
    for quoted in ("'@{}'", "'{}'"):
        for name in known:
            if quoted.format(name) in text or quoted.format(name.rpartition(".")[2]) in text:
                return name
    return None
