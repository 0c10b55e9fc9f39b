"""A local Azure Functions host for Python: real triggers, Azure's own request types, no Azure."""

from __future__ import annotations

from sandbox.host.errors import (
    ConfigurationRefusedError,
    FunctionRefusedError,
    HostFileError,
    SettingsMissingError,
)
from sandbox.host.host import Host
from sandbox.host.startup import start

__all__ = [
    "ConfigurationRefusedError",
    "FunctionRefusedError",
    "Host",
    "HostFileError",
    "SettingsMissingError",
    "start",
]
