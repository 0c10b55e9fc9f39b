"""The poll of changed opt-outs: what Campaign says otherwise than Dynamics becomes hints, within minutes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.change import Hint, RecordKey, Source, Why
from shared.domain.contact import Contact
from shared.engine.lanes import send_hints
from shared.engine.reading import read_rows
from shared.flows import optout
from shared.ports import Ports
from shared.ports.optouts import ChangedProfile

WATERMARK = "optout-poll"
# Campaign's clock stamps a change before it is stored: a change may become visible a little after a later one.
OVERLAP = timedelta(minutes=5)
FIRST_LOOK = timedelta(days=1)  # what is older was, or will be, in the daily file
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Polled:
    """What one run did."""

    profiles: int = 0
    hints: int = 0


async def run(ports: Ports) -> Polled:
    """From the newest change back to where the last whole run began. Raises an Outcome, BusUnavailableError.

    The watermark moves only after a whole run: the list comes newest first, so a run that breaks off leaves a gap.
    """
    polled = Polled()
    if not optout.hears_campaign(ports.mappings().contact):
        return polled
    since, newest = await _since(ports), None
    async for page in ports.changed_profiles.changed_since(since):
        newest = newest or (page[0].changed_at if page else None)
        polled.profiles += len(page)
        polled.hints += await _compare(ports, page)
    if newest is not None:
        await ports.watermarks.write(WATERMARK, (newest - OVERLAP).isoformat())
    return polled


async def _since(ports: Ports) -> datetime:
    text = await ports.watermarks.read(WATERMARK)
    return ports.clock.now() - FIRST_LOOK if text is None else datetime.fromisoformat(text)


async def _compare(ports: Ports, page: Sequence[ChangedProfile]) -> int:
    ours = [one for one in page if GUID.fullmatch(one.contact_id.lower())]
    contacts = await read_rows(ports, ports.mappings().contact, [one.contact_id.lower() for one in ours])
    differing = [one for one in ours if _differs(ports, one, contacts)]
    await send_hints(ports, *(_hint(ports, one) for one in differing))
    return len(differing)


def _differs(ports: Ports, one: ChangedProfile, contacts: Mapping[str, Contact]) -> bool:
    contact = contacts.get(one.contact_id.lower())
    said = {name: flag.value for name, flag in one.opted_out.items()}
    return contact is not None and optout.disagrees(ports.mappings().contact, contact, said)


def _hint(ports: Ports, one: ChangedProfile) -> Hint:
    """Named by contact and change, so that the overlap of two runs makes duplicates."""
    key = RecordKey(ports.mappings().contact.table, one.contact_id.lower())
    said = sorted((name, flag.value, flag.changed_at.isoformat()) for name, flag in one.opted_out.items())
    name = hashlib.sha256(repr(said).encode()).hexdigest()[:16]
    return Hint(f"poll/{key.id}/{name}", key, Why.OPTOUT, Source.POLL, ports.clock.now())
