"""Who calls, when, and with which wishes: what every write and every event of one request share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sandbox.dataverse.values import show_moment


@dataclass(frozen=True)
class Caller:
    """`initiating_user_id` sent the request; `user_id` is whom it acts as (another one when impersonating)."""

    initiating_user_id: str
    user_id: str


@dataclass(frozen=True)
class Operation:
    """One request of a caller. `tag` is its `?tag=`; `bypassed_steps` are the steps that must not fire."""

    caller: Caller
    at: datetime
    request_id: str
    correlation_id: str
    user_agent: str = ""
    tag: str | None = None
    bypassed_steps: frozenset[str] = field(default_factory=frozenset)
    bypass_async: bool = False

    @property
    def stamp(self) -> str:
        """The moment as columns hold it: whole seconds."""
        return show_moment(self.at)
