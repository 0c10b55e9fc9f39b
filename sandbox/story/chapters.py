"""The chapters, in order. Each leaves the world at rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from sandbox.agreement import disagreements
from sandbox.provisioning import provision
from sandbox.story import garage
from sandbox.story.book import Book
from sandbox.story.logs import logged

Chapter = Callable[[Book], Awaitable[None]]
FIRST_NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Dennis", "Frances", "Niklaus")
LAST_NAMES = ("Byron", "Hopper", "Mathison", "Wybe")


async def provisioned(book: Book) -> None:
    """The administrator of Dynamics lets the bridge's command make what it needs; once more finds nothing to do."""
    book.open("Dynamics gets tables, webhook and role")
    first = await provision(book.world)
    await book.expect("bridge provision dynamics made them", lambda: "created" in first)
    again = await provision(book.world, "--json")
    await book.expect("a second run found nothing to do", lambda: {s["deed"] for s in json.loads(again)} == {"nothing"})


async def mapped(book: Book) -> None:
    """The operator puts the mapping in force, checked against both systems."""
    book.open("The mapping is checked against both systems and put in force")
    applied = await book.bridge("mapping", "apply", book.world.settings["MAPPING_FILE"], "--yes")
    await book.expect("bridge mapping apply took it", lambda: applied)


async def created(book: Book) -> None:
    """Twenty people, one of them opted out, one inactive; and one in Campaign whom the sync did not create."""
    book.open("Contacts are created in Dynamics")
    book.stranger = await book.people.marketing("person/profile", {"lastName": "Walker", "email": "w@example.net"})
    rows = [_row(n) for n in range(20)]
    rows[0]["donotbulkemail"] = True
    for row in rows:
        book.contacts.append(await book.people.create("contacts", row))
    await book.people.change(book.contacts[1], statecode=1, statuscode=2)
    await book.expect("20 contacts have 20 profiles, the inactive one too", lambda: _profiles(book, 20))
    await book.expect("the opt-out of the first came with the profile", lambda: _flag(book, 0, "blackListEmail"))
    await book.expect("the profile that the sync did not create is untouched", lambda: _untouched(book))


async def changed(book: Book) -> None:
    """Ten are changed; a column that nobody mapped costs nothing."""
    book.open("Contacts change")
    await book.expect("everything is at rest", book.at_rest)
    before = sum((await book.people.engine_calls()).values())
    for number in range(10):
        await book.people.change(book.contacts[number], address1_city=f"City {number}", jobtitle="Engineer")
    await book.people.change(book.contacts[12], jobtitle="Nobody mapped this")
    await book.expect("10 profiles show their new city", lambda: _cities(book))
    await book.expect("everything is at rest", book.at_rest)
    calls = sum((await book.people.engine_calls()).values()) - before
    await book.expect(f"that took 10 engine calls (counted: {calls})", lambda: calls == 10)


async def outage(book: Book) -> None:
    """Campaign refuses for a while: messages come back by schedule, none is dead-lettered."""
    book.open("Campaign is down for a while, and Dynamics loses nothing")
    await book.people.marketing("faults", {"fault": "refuse", "status": 503, "retry_after_s": 2, "times": None})
    for number in (2, 3):
        await book.people.change(book.contacts[number], lastname=f"Changed in the outage {number}")
    await book.expect(
        "the changes wait for their time", lambda: book.world.broker.counts()["contact-upsert"]["scheduled"] >= 2
    )
    await book.people.end_faults()
    await book.expect("they arrive when it is back", lambda: _names(book, (2, 3), "Changed in the outage"))


async def unheard(book: Book) -> None:
    """Dynamics loses an announcement; its own list of changes still has it."""
    book.open("An announcement is lost, and the sweep finds the change")
    await book.world.host.fire("change_sweep")
    await book.expect("the sweep has read the tables once", lambda: book.world.host.heard.counted["change_sweep"] > 0)
    await book.people.dynamics_fault({"target": "webhook", "effect": "lose", "count": 1})
    await book.people.change(book.contacts[13], lastname="Unheard 13")
    await book.world.host.fire("change_sweep")
    await book.expect("the profile has the new name", lambda: _names(book, (13,), "Unheard"))
    await book.expect("bridge drift finds nothing out of line", lambda: book.bridge("drift"))


async def opted_out(book: Book) -> None:
    """Opt-outs both ways: at once from Dynamics, by the daily file from Campaign."""
    book.open("People opt out, in Dynamics and in Campaign")
    for number in (4, 5):
        await book.people.change(book.contacts[number], donotbulkemail=True)
    await book.expect("2 opt-outs of Dynamics are in Campaign", lambda: _flags(book, (4, 5), "blackListEmail"))
    await asyncio.sleep(1.1)  # Dynamics keeps whole seconds: a change within the same one counts as equal
    for number in (6, 7, 8):
        await book.people.opt_out_in_campaign(book.contacts[number], "blackListPhone")
    await book.people.marketing("export")
    await book.world.host.fire("optout_file")
    await book.expect("3 opt-outs of Campaign are in Dynamics", lambda: _columns(book, (6, 7, 8), "donotphone"))


async def engaged(book: Book) -> None:
    """An e-mail is sent, opened, clicked; another bounces. The journal repeats itself."""
    book.open("E-mails are sent, opened, clicked, and one bounces")
    person, other = book.contacts[9], book.contacts[4]
    await book.people.marketing("faults", {"fault": "journal-repeat", "events": 2, "times": 1})
    await book.people.events(_events(person, ("send", "open", "click", "bounce")))
    await book.people.events(_events(other, ("send", "open")))
    await book.world.host.fire("event_egress")
    await book.expect("4 activities in the contact's timeline", lambda: _timeline(book, person, 4))
    await book.expect("and 2 tasks that follow them, due in days", lambda: _tasks(book, person, 2))
    await book.world.host.fire("event_egress")
    await book.expect("everything is at rest", book.at_rest)
    await book.expect("still 4 after the journal was read again", lambda: _timeline(book, person, 4))
    await book.expect("and 2 tasks", lambda: _tasks(book, person, 2))
    shown = await book.show("timeline", person)
    await book.expect("bridge timeline shows all six", lambda: shown.count("adobe_email") + shown.count("task") == 6)


async def deleted(book: Book) -> None:
    """Three people, one with a vehicle: one privacy request each, confirmed by a person, followed to its end."""
    book.open("Contacts are deleted")
    gone = book.contacts[-3:]
    for contact in gone:
        await book.people.delete(contact)
    await book.expect("3 privacy requests, one each", lambda: _privacy_posts(book, 3))
    await book.expect("everything is at rest", book.at_rest)
    await book.people.marketing("privacy/run")
    confirmed = await book.people.marketing("privacy/confirm")
    await book.people.marketing("privacy/run")
    await book.expect("3 requests awaited a person in Campaign", lambda: len(confirmed) == 3)
    await book.world.host.fire("ledger_checks")
    await book.expect("19 profiles are left of ours", lambda: _profiles(book, 19))
    await garage.inherited(book)
    await book.expect("everything is at rest", book.at_rest)


async def ended(book: Book) -> None:
    """What must be true of the whole."""
    book.open("At the end")
    await book.expect("everything is at rest", book.at_rest, 180)
    await _count(book)
    await book.expect("22 created, 3 deleted, 10 activities, 3 privacy requests", lambda: _as_told(book))
    await book.expect("nothing is parked", lambda: book.numbers["parked"] == 0)
    await book.expect("nothing is dead-lettered", lambda: book.numbers["dead-lettered"] == 0)
    await book.expect("both sides agree on every opt-out", lambda: _opt_outs_agree(book))
    await book.expect("the profile that the sync did not create is untouched", lambda: _untouched(book))
    await book.expect("rows, records and the ledger agree, in every table", lambda: _agrees(book))


def _as_told(book: Book) -> bool:
    names = ("contacts created", "contacts deleted", "activities", "privacy requests")
    return [book.numbers[name] for name in names] == [22, 3, 10, 3]


async def _count(book: Book) -> None:
    """The summary's numbers, as found in both systems, not as intended."""
    people, counts = book.people, book.world.broker.counts()
    rows = {row["contactid"]: row for row in await people.rows("contacts")}
    profiles = await people.profiles()
    book.numbers = {
        "contacts created": len(book.contacts),
        "contacts changed": sum(row["modifiedon"] != row["createdon"] for row in rows.values()),
        "contacts deleted": len(set(book.contacts) - rows.keys()),
        "profiles of contacts": len(profiles.keys() & rows.keys()),
        **{f"records of {name}": len(await people.records(name)) for name in garage.RESOURCES.values()},
        "privacy requests": (await people.engine_calls()).get("privacy POST", 0),
        "opt-outs Dynamics → Campaign": sum(profile["blackListEmail"] for profile in profiles.values()),
        "opt-outs Campaign → Dynamics": sum(row["donotphone"] for row in rows.values()),
        "activities": sum(row["activitytypecode"] != "task" for row in await people.rows("activitypointers")),
        "follow-up tasks": len(await people.rows("tasks")),
        "parked": counts["parked"]["active"],
        "dead-lettered": sum(lane["dead"] for lane in counts.values()),
    }


GARAGE = (garage.serviced, garage.sold, garage.priced)
CHAPTERS: tuple[Chapter, ...] = (
    provisioned,
    mapped,
    created,
    changed,
    outage,
    unheard,
    opted_out,
    engaged,
    logged,
    *GARAGE,
    deleted,
    ended,
)


def _row(number: int) -> dict[str, object]:
    first, last = FIRST_NAMES[number % 10], LAST_NAMES[number % 4]
    return {
        "firstname": first,
        "lastname": last,
        "emailaddress1": f"{first}.{last}.{number}@example.org".lower(),
        "telephone1": f"+44 20 7946 0{number:03}",
        "gendercode": 1 + number % 2,
        "birthdate": f"19{50 + number}-12-10",
        "address1_line1": f"{number} Analytical Street",
        "address1_city": "London",
        "address1_postalcode": "NW1 6XE",
    }


def _events(contact: str, kinds: tuple[str, ...]) -> list[dict[str, object]]:
    delivery = {"campaign": "2026LoyaltyCamp", "delivery": "DM190"}
    mirror = "https://mirror.example.net/m/190"
    events: list[dict[str, object]] = []
    for kind in kinds:
        event: dict[str, object] = {"kind": kind, "externalId": contact, "mirrorPageUrl": mirror, **delivery}
        more = {"click": {"url": "https://www.example.net/offer"}, "bounce": {"bounceType": "hard"}}.get(kind, {})
        events.append({**event, **more})
    return events


async def _profiles(book: Book, count: int) -> bool:
    found = await book.people.profiles()
    return len(found.keys() & set(book.contacts)) == count


async def _agrees(book: Book) -> bool:
    found = await disagreements(book.world, book.people)
    book.tell("\n".join(found))
    return not found


async def _untouched(book: Book) -> bool:
    return (await book.people.profiles()).get("") == book.stranger


async def _flag(book: Book, number: int, flag: str) -> bool:
    return (await book.people.profiles())[book.contacts[number]][flag] is True


async def _flags(book: Book, numbers: tuple[int, ...], flag: str) -> bool:
    return all([await _flag(book, number, flag) for number in numbers])


async def _columns(book: Book, numbers: tuple[int, ...], column: str) -> bool:
    return all([(await book.people.contact(book.contacts[number]))[column] is True for number in numbers])


async def _cities(book: Book) -> bool:
    found = await book.people.profiles()
    return all(found[book.contacts[n]]["location"]["city"] == f"City {n}" for n in range(10))


async def _names(book: Book, numbers: tuple[int, ...], text: str) -> bool:
    found = await book.people.profiles()
    return all(str(found[book.contacts[n]]["lastName"]).lower() == f"{text} {n}".lower() for n in numbers)


async def _timeline(book: Book, contact: str, count: int) -> bool:
    rows = [row for row in await book.people.timeline(contact) if row["activitytypecode"] != "task"]
    return len(rows) == count and all(row["statecode"] == 1 for row in rows)


async def _tasks(book: Book, contact: str, count: int) -> bool:
    """Open, due, and owned by whoever owns the contact."""
    owner = (await book.people.contact(contact))["_ownerid_value"]
    rows = [row for row in await book.people.timeline(contact) if row["activitytypecode"] == "task"]
    fine = (row["statecode"] == 0 and row["scheduledend"] and row["_ownerid_value"] == owner for row in rows)
    return len(rows) == count and all(fine)


async def _privacy_posts(book: Book, count: int) -> bool:
    return (await book.people.engine_calls()).get("privacy POST", 0) == count


async def _opt_outs_agree(book: Book) -> bool:
    profiles = await book.people.profiles()
    pairs = {"donotbulkemail": "blackListEmail", "donotphone": "blackListPhone"}
    left = [contact for contact in book.contacts if contact in profiles]
    rows = [(await book.people.contact(contact), profiles[contact]) for contact in left]
    return all(row[column] == profile[flag] for row, profile in rows for column, flag in pairs.items())
