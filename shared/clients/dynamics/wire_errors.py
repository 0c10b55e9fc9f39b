"""Dataverse's error answers: told apart by status and code, never by text, which quotes values."""

from __future__ import annotations

import re

from shared.clients.calls import Response
from shared.clients.dynamics.config import REASONS
from shared.clients.outcomes import is_unclear, unclear
from shared.errors import Halt, Outcome, Park, Reason

DOES_NOT_EXIST = "0x80040217"
DUPLICATE_KEY = "0x80040237"
UNKNOWN_RESOURCE = "0x80060888"
_CODE = re.compile(r"0x[0-9a-f]{8}")


def code(response: Response) -> str:
    """The platform's error code in lower case; empty if the body does not hold one."""
    document = response.json()
    error = document.get("error") if isinstance(document, dict) else None
    text = str(error.get("code", "")).lower() if isinstance(error, dict) else ""
    return text if _CODE.fullmatch(text) else ""


def detail(response: Response) -> str:
    """Status and code."""
    return f"status {response.status} {code(response)}".rstrip()


def refused(response: Response, *, write: bool) -> Outcome:
    """What an answer other than success means.

    A read names only the address and the mapping's columns, so what is wrong with it is wrong for every message.
    """
    if response.status == 403:
        return Halt(REASONS.credentials, detail(response))
    if is_unclear(response.status):
        return unclear(REASONS, detail(response), write=write)
    if write and response.status >= 400:
        return Park(Reason.DYNAMICS_REFUSED, detail(response))
    return Halt(Reason.DYNAMICS_MISCONFIGURED, detail(response))
