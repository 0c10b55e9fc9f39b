"""Settings of the Dataverse stand-in: address, storage, callers, identity of the organisation, limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sandbox.dataverse.schema import Table
from sandbox.tls import Tls

ADMIN_USER_ID = "2f6a9c11-3c4d-ee11-be6e-0022482f1a01"
INTEGRATION_USER_ID = "9b7e4d20-8a1c-ee11-9cbe-00224829c8d2"


@dataclass(frozen=True)
class ApplicationUser:
    """An app registration that may call, and the user (row of systemuser) whose name its writes bear.

    `administrator`: may do everything; otherwise only what the user's roles grant.
    """

    client_id: str
    secret: str = field(repr=False)
    user_id: str
    name: str
    administrator: bool = True


@dataclass(frozen=True)
class Limits:
    """Service protection per user: requests and summed execution time in a sliding window, and calls at once."""

    requests: int = 6000
    busy_s: float = 20 * 60
    at_once: int = 52
    window_s: float = 300


ADMIN = ApplicationUser("11111111-aaaa-4000-8000-000000000001", "admin-secret", ADMIN_USER_ID, "Avery Admin")
INTEGRATION = ApplicationUser(
    "11111111-aaaa-4000-8000-000000000002", "integration-secret", INTEGRATION_USER_ID, "# Campaign Integration"
)


@dataclass(frozen=True)
class DataverseConfig:
    """How to start one stand-in.

    `port` 0 takes a free one; `state` None keeps rows in memory; `limits` None means that nothing is counted;
    `tables` are described beside the built-in ones; `email_activities`: the four tables of Adobe's solution are among
    these; `token_lifetime_s` and `webhook_timeout_s` are seconds.
    """

    tls: Tls
    port: int = 0
    state: Path | None = None
    users: tuple[ApplicationUser, ...] = (ADMIN, INTEGRATION)
    tenant_id: str = "5b1c0000-1234-4000-8000-00000000abcd"
    organization_id: str = "7c0b8f52-41d5-4c0e-9a5b-3f0c6d2a9e10"
    organization_name: str = "unq7c0b8f5241d54c0e9a5b3f0c6d2a9"
    business_unit_id: str = "5d1f3a7e-0b9c-ee11-9079-000d3a3c1f20"
    currency_id: str = "f0e1d2c3-7788-ef11-840a-6045bd0e3e99"
    tables: tuple[Table, ...] = ()
    email_activities: bool = True
    limits: Limits | None = None
    token_lifetime_s: int = 3599
    webhook_timeout_s: float = 60
    webhooks_at_once: int = 8
