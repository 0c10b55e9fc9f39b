"""Checks run side by side, each within its own time: what works, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cli.failures import remedy, said
from cli.screen import count
from cli.wiring import Wiring, within
from shared.app import App
from shared.domain.mapping import Mappings
from shared.errors import Outcome
from shared.mapping_file import MappingError
from shared.ports import BusUnavailableError
from shared.settings import SettingsError
from shared.stores.files import FilesUnavailableError


class UnhealthyError(Exception):
    """A check looked and does not like what it saw. The text holds no value. `remedy`: if it is not the check's own."""

    def __init__(self, found: str, remedy: str | None = None) -> None:
        super().__init__(found)
        self.remedy = remedy


class UnprovenError(Exception):
    """A check cannot see what matters: a person must look. The text holds no value."""


class NotHereError(Exception):
    """A check cannot be made from here; the text says why, or how else."""


EXPECTED = (Outcome, BusUnavailableError, FilesUnavailableError, UnhealthyError)


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Title:
    """What a check is called. `remedy` is for failures that do not say theirs."""

    name: str
    about: str
    remedy: str


@dataclass(frozen=True)
class Check:
    """`probe` gives what it found, or raises.

    `needs`: names of earlier checks without which this one would only repeat their failure.
    """

    title: Title
    probe: Callable[[App], Awaitable[str]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """`remedy` is there if the check failed, or could not prove anything."""

    check: str
    about: str
    status: Status
    found: str
    remedy: str | None = None


async def _mapping(app: App) -> str:
    await app.ports.refresh_mapping()
    mappings = app.ports.mappings()
    contact = mappings.contact
    more = f"; {count(len(mappings.entities), 'custom table')}" if mappings.entities else ""
    return f"version {contact.version}: {len(contact.field_rows)} fields, {len(contact.opt_outs)} opt-outs{more}"


SETTINGS = Title("settings", "complete and of the right form", "`bridge config` lists every setting.")
MAPPING = Title("mapping", "the mapping file is valid", "Correct the file at the places named.")


def no_more(_mappings: Mappings) -> Sequence[Check]:
    """The same checks, whatever is mapped."""
    return ()


async def diagnose(
    wiring: Wiring,
    file: Path | None,
    checks: Sequence[Check],
    timeout_s: float,
    more: Callable[[Mappings], Sequence[Check]] = no_more,
) -> list[Finding]:
    """Settings and mapping first, then the checks in their order. Nothing that one of them meets stops another.

    `more`: what else to check with the mapping in force.
    """
    rest = [check.title for check in checks]
    try:
        settings = wiring.settings(file)
        return await within(lambda: wiring.build(settings), lambda app: _examine(app, checks, more, timeout_s))
    except SettingsError as error:
        return [_failed(SETTINGS, error), *(_skipped(title, SETTINGS.name) for title in (MAPPING, *rest))]
    except MappingError as error:
        return [_complete(), _failed(MAPPING, error), *(_skipped(title, MAPPING.name) for title in rest)]


async def _examine(
    app: App, checks: Sequence[Check], more: Callable[[Mappings], Sequence[Check]], timeout_s: float
) -> list[Finding]:
    mapping = await _after({}, Check(MAPPING, _mapping), app, timeout_s)
    running: dict[str, asyncio.Task[Finding]] = {}
    for check in (*checks, *more(app.ports.mappings())):  # what a check needs stands before it
        needed = {name: running[name] for name in check.needs}
        running[check.title.name] = asyncio.create_task(_after(needed, check, app, timeout_s))
    return [_complete(), mapping, *await asyncio.gather(*running.values())]


async def _after(needed: Mapping[str, asyncio.Task[Finding]], check: Check, app: App, timeout_s: float) -> Finding:
    for name, task in needed.items():
        if (await task).status is not Status.OK:
            return _skipped(check.title, name)
    try:
        async with asyncio.timeout(timeout_s):
            return _ok(check.title, await check.probe(app))
    except NotHereError as error:
        return Finding(check.title.name, check.title.about, Status.SKIPPED, str(error))
    except UnprovenError as error:
        return Finding(check.title.name, check.title.about, Status.WARNING, str(error), check.title.remedy)
    except TimeoutError:
        return _failed(check.title, UnhealthyError(f"no answer within {timeout_s:g} s"))
    except EXPECTED as error:
        return _failed(check.title, error)
    except Exception as error:  # noqa: BLE001 - whatever one system does, the others are still to be looked at
        return _failed(check.title, UnhealthyError(f"unexpected {type(error).__name__}"))


def _complete() -> Finding:
    return _ok(SETTINGS, "nothing is missing")


def _ok(title: Title, found: str) -> Finding:
    return Finding(title.name, title.about, Status.OK, found)


def _failed(title: Title, error: Exception) -> Finding:
    own = error.remedy if isinstance(error, UnhealthyError) else remedy(error)
    return Finding(title.name, title.about, Status.FAILED, said(error), own or title.remedy)


def _skipped(title: Title, needed: str) -> Finding:
    return Finding(title.name, title.about, Status.SKIPPED, f"needs {needed}")
