"""Errors that are expected: each becomes a few lines on stderr and an exit code, never a traceback."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from cli import screen
from cli.evidence import UnmappedTableError
from shared.clients.dynamics.wire_provisioning import NotAllowedError, ProvisioningError
from shared.errors import Outcome
from shared.mapping_file import MappingError
from shared.ports import BusUnavailableError
from shared.settings import SettingsError
from shared.stores.files import FilesUnavailableError

FAILED = 1
USAGE = 2


class ReportingGroup(TyperGroup):
    """The root group. What it does not know is a bug, and shows its traceback."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the library's context is its own, not typer.Context
        """Runs the command. Raises typer.Exit for an expected error that was reported."""
        try:
            return super().invoke(ctx)
        except (SettingsError, MappingError) as error:
            screen.complain(str(error), remedy="`bridge config` lists every setting; `bridge doctor` checks them.")
            raise typer.Exit(USAGE) from None
        except UnmappedTableError as error:
            screen.complain(str(error), remedy="`bridge mapping show` shows the mapping in force.")
            raise typer.Exit(USAGE) from None
        except (Outcome, ProvisioningError, BusUnavailableError, FilesUnavailableError) as error:
            screen.complain(said(error), remedy=remedy(error))
            raise typer.Exit(FAILED) from None


def said(error: Exception) -> str:
    """What happened, in words. Expected errors hold no values."""
    match error:
        case Outcome():
            detail = f" ({error.detail})" if error.detail else ""
            return f"{error.reason.slug}: {error.reason.meaning}{detail}"
        case BusUnavailableError():
            return f"Service Bus does not answer: {error}"
        case TimeoutError():
            return "no answer in time"
        case _:
            return str(error) or type(error).__name__


def remedy(error: Exception) -> str | None:
    """What to do about it, where the error itself says so."""
    match error:
        case Outcome() if not error.reason.action.startswith("None"):
            return error.reason.action
        case Outcome():
            return "Try again in a minute; `bridge doctor` shows whether the system answers."
        case NotAllowedError():
            return (
                "Work as an application user with the role System Administrator: set BRIDGE_ADMIN_CLIENT_ID and "
                "BRIDGE_ADMIN_CLIENT_SECRET."
            )
        case ProvisioningError():
            return "Correct it and run the same command again: what is done stays done."
        case BusUnavailableError():
            return "Check ServiceBus or ServiceBus__fullyQualifiedNamespace, the network, and that the queues exist."
        case _:
            return None
