"""The chapter about log export files, which a company without the events journal uses instead."""

from __future__ import annotations

import asyncio

from sandbox.campaign.log_export import FOLDER
from sandbox.story.book import Book

KINDS = ("send", "open", "click", "bounce")
SETTLE_S = 1


async def logged(book: Book) -> None:
    """The function app is given the logs' folder instead of the journal; a file read again shows nothing twice."""
    book.open("Without the journal: e-mail events come as Campaign's log files")
    person, settings = book.contacts[11], book.world.settings
    folder = settings["OPTOUT_FILES_URL"].replace("d365_loads/exports", FOLDER)
    given = {"EVENT_FILES_URL": folder, "EVENT_FILES_SETTLE_SECONDS": str(SETTLE_S), "CAMPAIGN_EVENTS_URL": ""}
    await book.expect("everything is at rest", book.at_rest)
    await book.world.host.restart(**given)
    events = [{"kind": kind, "externalId": person, "campaign": "2026Spring", "delivery": "DM191"} for kind in KINDS]
    for _ in range(2):
        await book.people.marketing("logs", [event | {"id": f"log-{event['kind']}"} for event in events])
        await _read(book)
    await book.expect("4 activities in the timeline, and the files came twice", lambda: _shown(book, person, 4))
    await book.expect("and 2 tasks", lambda: _shown(book, person, 2, tasks=True))
    await book.world.host.restart(**{name: settings.get(name, "") for name in given})


async def _read(book: Book) -> None:
    """A file is read when it has looked the same for a while."""
    await book.world.host.fire("event_egress")
    await asyncio.sleep(SETTLE_S + 0.1)
    await book.world.host.fire("event_egress")
    await book.expect("everything is at rest", book.at_rest)


async def _shown(book: Book, contact: str, count: int, *, tasks: bool = False) -> bool:
    rows = await book.people.timeline(contact)
    return len([row for row in rows if (row["activitytypecode"] == "task") is tasks]) == count
