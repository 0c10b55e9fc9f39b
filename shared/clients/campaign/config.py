"""Where one Campaign instance is, who calls it, and the names of its failures."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.clients.outcomes import Reasons
from shared.errors import Reason

SYSTEM = "campaign"
REASONS = Reasons(
    busy=Reason.CAMPAIGN_BUSY,
    unreachable=Reason.CAMPAIGN_UNREACHABLE,
    credentials=Reason.CAMPAIGN_CREDENTIALS,
)


@dataclass(frozen=True)
class CampaignConfig:
    """`url` ends in `/campaign`, without a slash. `client_id` is the API key, too. `scopes`: separated by commas.

    `events_url` is empty where the events come from log files. `timeout_s` bounds one call as a whole.
    """

    url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    organization_id: str
    events_url: str
    timeout_s: float = 30
