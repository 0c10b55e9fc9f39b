"""What the host knows of one indexed function: its trigger and how to call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.host.ncrontab import Schedule
from sandbox.host.routes import Route
from sandbox.host.settings import Connection


@dataclass(frozen=True)
class HttpTrigger:
    """`keyed` is true unless the auth level is anonymous."""

    route: Route
    keyed: bool


@dataclass(frozen=True)
class QueueTrigger:
    """`queue` may end in /$DeadLetterQueue, in any case."""

    queue: str
    connection: Connection


@dataclass(frozen=True)
class TimerTrigger:
    """`use_monitor` false means that missed runs are not made up for."""

    expression: str
    schedule: Schedule
    run_on_startup: bool
    use_monitor: bool


Trigger = HttpTrigger | QueueTrigger | TimerTrigger


@dataclass(frozen=True)
class Function:
    """A function of the app. `call` takes the trigger's value under the name `parameter`, and `context` if wanted."""

    name: str
    trigger: Trigger
    call: Callable[..., Any]
    parameter: str
    wants_context: bool
    is_async: bool
    bindings: tuple[dict[str, Any], ...]
