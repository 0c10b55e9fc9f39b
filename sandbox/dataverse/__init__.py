"""A stand-in for Microsoft Dataverse: Web API, token endpoint and webhooks, over HTTPS, with rows in SQLite."""

from __future__ import annotations

from sandbox.dataverse.config import ADMIN, INTEGRATION, ApplicationUser, DataverseConfig, Limits
from sandbox.dataverse.server import Dataverse, start

__all__ = ["ADMIN", "INTEGRATION", "ApplicationUser", "Dataverse", "DataverseConfig", "Limits", "start"]
