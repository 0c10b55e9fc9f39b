"""Puts the parts of an environment right one after the other, looks at each again, or takes them away again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.app import App
from shared.clients.dynamics.provisioning import Desk, Part, Seen, State
from shared.clients.dynamics.wire_blueprint import Blueprint
from shared.clients.dynamics.wire_provisioning import NotAllowedError, ProvisioningError


class Deed(StrEnum):
    """What was done to a part, or would be."""

    NOTHING = "nothing"
    CREATED = "created"
    CORRECTED = "corrected"
    WOULD_CREATE = "would create"
    WOULD_CORRECT = "would correct"
    REMOVED = "removed"
    WOULD_REMOVE = "would remove"
    STAYS = "stays"
    OPEN = "open"


@dataclass(frozen=True)
class Step:
    """One part: how it was found, what was done, and what else is to be said."""

    part: str
    found: str
    deed: Deed
    detail: str = ""


Tell = Callable[[Step], None]
_DONE = {State.PRESENT: Deed.NOTHING, State.MISSING: Deed.CREATED, State.DIFFERS: Deed.CORRECTED}
_WOULD = {State.PRESENT: Deed.NOTHING, State.MISSING: Deed.WOULD_CREATE, State.DIFFERS: Deed.WOULD_CORRECT}


def blueprint(app: App, *, delete_activities: bool = False) -> Blueprint:
    """From the settings, the mapping in force and the timeline file. Raises ProvisioningError without WEBHOOK_URL."""
    settings, mappings = app.settings, app.ports.mappings()
    if settings.webhook_url is None:
        raise ProvisioningError("WEBHOOK_URL is not set, so Dataverse cannot be told where to call")
    return Blueprint(
        tables=app.tables,
        mapped={mapping.table: mapping.columns for mapping in mappings.tables},
        written=(mappings.contact.table,) if mappings.contact.opt_outs else (),
        client_id=settings.dynamics_client_id,
        webhook_url=settings.webhook_url,
        webhook_secret=settings.webhook_keys()[0],
        delete_activities=delete_activities,
    )


async def preview(desk: Desk, parts: Sequence[Part], tell: Tell) -> list[Step]:
    """What `provision` would do. A part that cannot be judged before others are there stays open. Writes nothing.

    Raises NotAllowedError, Outcome.
    """
    steps: list[Step] = []
    for part in parts:
        try:
            seen = await part.look(desk)
            step = Step(part.title, seen.state, _WOULD[seen.state], seen.detail)
        except NotAllowedError:
            raise
        except ProvisioningError as error:
            step = Step(part.title, "unknown", Deed.OPEN, str(error))
        steps.append(step)
        tell(step)
    return steps


async def provision(desk: Desk, parts: Sequence[Part], tell: Tell) -> list[Step]:
    """Each part is looked at, put right, and looked at again. Raises ProvisioningError, Outcome: run it again then."""
    steps: list[Step] = []
    for part in parts:
        seen = await part.look(desk)
        if seen.state is not State.PRESENT:
            await part.put(desk, seen)
            _require_present(part, await part.look(desk))
        step = Step(part.title, seen.state, _DONE[seen.state], seen.detail)
        steps.append(step)
        tell(step)
    return steps


async def remove(desk: Desk, parts: Sequence[Part], tell: Tell, *, dry_run: bool) -> list[Step]:
    """In the opposite order, and only what is there. Raises ProvisioningError, Outcome: run it again then."""
    desk.stayed.clear()
    there = [part for part in parts if await _is_there(desk, part)]
    steps: list[Step] = []
    for part in reversed(there):
        kept = "" if dry_run else await part.remove(desk)
        deed = Deed.WOULD_REMOVE if dry_run else Deed.STAYS if kept else Deed.REMOVED
        step = Step(part.title, State.PRESENT, deed, kept)
        steps.append(step)
        tell(step)
    return steps


def _require_present(part: Part, seen: Seen) -> None:
    if seen.state is not State.PRESENT:
        raise ProvisioningError(f"{part.title}: it was written, but is {seen.state} {seen.detail}".rstrip())


async def _is_there(desk: Desk, part: Part) -> bool:
    try:
        return (await part.look(desk)).state is not State.MISSING
    except NotAllowedError:
        raise
    except ProvisioningError:  # what it builds on is gone, so there is nothing of it to be taken away
        return False
