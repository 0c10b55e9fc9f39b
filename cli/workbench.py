"""What an administrator of Dynamics works with: a desk in the environment, and plain calls to the webhook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from shared.clients.calls import Sender
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.identity import tokens_of
from shared.clients.dynamics.provisioning import Desk
from shared.clients.http import Http
from shared.connections import dynamics_config
from shared.settings import Settings
from shared.stores.clock import SystemClock

CUSTOMIZING_S = 300.0  # the platform takes a minute or more for a table


@dataclass(frozen=True)
class Workbench:
    """`close` ends every connection."""

    desk: Desk
    http: Sender
    close: Callable[[], Awaitable[None]]


def workbench(config: Settings, client_id: str | None, client_secret: str | None) -> Workbench:
    """Works as this application user, else as the bridge's own."""
    settled = worker(dynamics_config(config), client_id, client_secret)
    http, tokens = Http(), tokens_of(settled)

    async def close() -> None:
        await tokens.close()
        await http.close()

    return Workbench(Desk(settled, http, tokens, SystemClock().now), http, close)


def worker(own: DynamicsConfig, client_id: str | None, client_secret: str | None) -> DynamicsConfig:
    """Whoever provisions proves itself by its secret alone, however the bridge's own user does."""
    patient = replace(own, timeout_s=CUSTOMIZING_S)
    if client_id is None:
        return patient
    other = replace(patient, client_id=client_id, client_secret=client_secret or "")
    return replace(other, client_certificate="", managed_identity=False)
