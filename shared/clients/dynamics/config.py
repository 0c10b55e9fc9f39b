"""Where one Dataverse environment is, who calls it, and the names of its failures."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.clients.outcomes import Reasons
from shared.errors import Reason

SYSTEM = "dynamics"
API_PATH = "/api/data/v9.2"
REASONS = Reasons(
    busy=Reason.DYNAMICS_BUSY,
    unreachable=Reason.DYNAMICS_UNREACHABLE,
    credentials=Reason.DYNAMICS_CREDENTIALS,
)


@dataclass(frozen=True)
class DynamicsConfig:
    """`url`: the environment's origin, without a slash. `authority`: the tenant's token authority.

    The caller proves itself by one of: its secret, its certificate with the private key (PEM), or the managed identity
    whose client id is `client_id`. `timeout_s` bounds one call as a whole.
    """

    url: str
    authority: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    client_certificate: str = field(default="", repr=False)
    managed_identity: bool = False
    timeout_s: float = 30

    @property
    def base(self) -> str:
        """The root of the Web API."""
        return f"{self.url}{API_PATH}"

    @property
    def scope(self) -> str:
        """What the token is asked for."""
        return f"{self.url}/.default"
