"""What Campaign's profiles are to the bridge: its own, somebody else's, or about to be adopted. Reads only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar
from uuid import UUID

from cli.adoption_report import Choice, Kind, Report, Tally, Verdict, report
from cli.explanation import differing
from cli.failures import said
from shared.app import App
from shared.clients.campaign.listing import Page
from shared.domain.change import CONTACT, RecordKey
from shared.domain.contact import Contact, Profile
from shared.domain.ledger import LedgerRow, Present
from shared.domain.mapping import Desired
from shared.domain.mapping import Mapping as MappingRules
from shared.errors import Outcome, Retry
from shared.ports import Clock, Ports

T = TypeVar("T")
WAITS_S = (5.0, 15.0, 45.0, 120.0)
LONGEST_WAIT_S = 300.0  # whoever asks for more patience than that ends the report


async def survey(app: App, choice: Choice, in_campaign: int | None, on_page: Callable[[int], None]) -> Report:
    """Reads all profiles, the contacts and the ledger rows of each page. `on_page` hears how many were read.

    Short failures are waited out; a lasting one ends the report early, with what was found until then. Raises Retry
    where it is not known which mapping is in force.
    """
    await app.ports.refresh_mapping()
    before, tally, stopped = app.campaign.engine_calls, Tally(), None
    mapping = app.ports.mappings().contact
    try:
        async for page in _pages(app, choice):
            for verdict in await _patiently(app.ports.clock, partial(_judge, app.ports, mapping, page)):
                tally.take(verdict)
            on_page(len(page))
    except Outcome as outcome:
        stopped = said(outcome)
    limited = choice.limit is not None and tally.read >= choice.limit
    return report(mapping, in_campaign, tally, stopped, limited=limited, calls=app.campaign.engine_calls - before)


async def _pages(app: App, choice: Choice) -> AsyncIterator[Page]:
    left = choice.limit
    listing = app.campaign.profiles(choice.page_size if left is None else min(choice.page_size, left))
    while left is None or left > 0:
        page = await _patiently(app.ports.clock, lambda: anext(listing, None))
        if page is None:
            return
        yield page[:left]
        left = None if left is None else left - len(page)


async def _patiently(clock: Clock, work: Callable[[], Awaitable[T]]) -> T:
    """Raises Outcome when the last try fails, or when the wait would be long."""
    for wait_s in WAITS_S:
        try:
            return await work()
        except Retry as retry:
            wanted_s = wait_s if retry.after_s is None else retry.after_s
            if wanted_s > LONGEST_WAIT_S:
                raise
            await clock.sleep(wanted_s)
    return await work()


async def _judge(ports: Ports, mapping: MappingRules, page: Page) -> list[Verdict]:
    ids = {external_id: guid for external_id, _ in page if (guid := _guid(external_id)) is not None}
    contacts = await ports.dynamics.read_many(CONTACT, sorted(set(ids.values())))
    known = [RecordKey(mapping.table, guid) for text, guid in ids.items() if text == guid]
    rows = {row.key.id: row for row in await ports.ledger.get_many(known)}
    return [
        _verdict(mapping, external_id, profile, contacts.get(ids.get(external_id, "")), rows)
        for external_id, profile in page
    ]


def _guid(text: str) -> str | None:
    """As the bridge writes it, whatever way it is written; None: it is none."""
    try:
        return str(UUID(text.strip()))
    except ValueError:
        return None


def _verdict(
    mapping: MappingRules, external_id: str, profile: Profile, contact: Contact | None, rows: Mapping[str, LedgerRow]
) -> Verdict:
    kind = _kind(mapping, external_id, contact, rows.get(external_id))
    if kind is not Kind.TO_ADOPT or contact is None:
        return Verdict(kind)
    desired = mapping.desired(contact)
    if _unsendable(desired):
        return Verdict(kind, unsendable=True)
    return Verdict(kind, tuple(differing(desired, profile)), desired.opt_outs_differ_from(profile))


def _kind(mapping: MappingRules, external_id: str, contact: Contact | None, row: LedgerRow | None) -> Kind:
    if not external_id:
        return Kind.OWN
    if _guid(external_id) is None:
        return Kind.NO_GUID
    if contact is None:
        return Kind.NO_CONTACT if row is None or row.never_seen else Kind.GONE
    if row is None:
        return Kind.OTHER_SPELLING
    if not mapping.passes(contact):
        return Kind.KEPT_OUT
    if row.never_seen:
        return Kind.TO_ADOPT
    return Kind.SYNCHRONISED if isinstance(row.state, Present) else Kind.IN_DOUBT


def _unsendable(desired: Desired) -> bool:
    """A value that must not be sent parks the contact's hint before anything is asked of Campaign."""
    return bool((desired.overlong | desired.unconvertible) & desired.fields.keys())
