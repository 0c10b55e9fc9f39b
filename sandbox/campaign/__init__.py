"""A stand-in for Adobe Campaign Standard: REST API, token endpoint, I/O Events journal and opt-out export."""

from __future__ import annotations

from sandbox.campaign.config import (
    ApiClient,
    CampaignConfig,
    CustomField,
    CustomFilter,
    ExportFormat,
    JournalAddress,
    SftpTarget,
)
from sandbox.campaign.server import Campaign, start

__all__ = [
    "ApiClient",
    "Campaign",
    "CampaignConfig",
    "CustomField",
    "CustomFilter",
    "ExportFormat",
    "JournalAddress",
    "SftpTarget",
    "start",
]
