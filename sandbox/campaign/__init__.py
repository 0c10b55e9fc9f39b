"""A stand-in for Adobe Campaign Standard: REST API, token endpoint, I/O Events journal and opt-out export."""

from __future__ import annotations

from sandbox.campaign.config import (
    ApiClient,
    CampaignConfig,
    CustomField,
    ExportFormat,
    JournalAddress,
    SftpTarget,
)
from sandbox.campaign.definitions import CustomResource, Link, ResourceField
from sandbox.campaign.example_resources import EXAMPLE_RESOURCES
from sandbox.campaign.filters import CustomFilter
from sandbox.campaign.server import Campaign, start

__all__ = [
    "EXAMPLE_RESOURCES",
    "ApiClient",
    "Campaign",
    "CampaignConfig",
    "CustomField",
    "CustomFilter",
    "CustomResource",
    "ExportFormat",
    "JournalAddress",
    "Link",
    "ResourceField",
    "SftpTarget",
    "start",
]
