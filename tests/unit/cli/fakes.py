"""An app whose parts answer from memory: both systems, the waiting messages, the file server and the stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

from cli.wiring import Wiring
from shared.app import App
from shared.clients.campaign.client import CampaignClient
from shared.clients.dynamics.client import DynamicsClient
from shared.domain.change import Lane
from shared.domain.contact import Contact, Profile, Value
from shared.domain.effects import RecordActivity
from shared.domain.ledger import LedgerRow, Progress, Timings
from shared.domain.mapping import Privacy
from shared.ports import Outgoing, Ports, Recorded, RemoteFile
from shared.settings import Settings, read
from shared.stores.dead_letters import DeadLetters, Removal
from shared.stores.letter import DeadLetter, Place
from shared.stores.memory import MemoryLedger, MemoryWatermarks
from shared.telemetry import Telemetry
from tests.unit.cli.samples import CONTACT_ID, MAPPING, NOW, VALUES


class FakeClock:
    def now(self) -> datetime:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


class FakeDynamics(DynamicsClient):
    """Reads only. `failure` is raised by every method; `refused` are the kinds of event whose table is missing."""

    def __init__(self, contact: Contact | None) -> None:
        self.row = contact
        self.failure: Exception | None = None
        self.refused: frozenset[str] = frozenset()

    async def contact(self, contact_id: str) -> Contact | None:
        self._fail()
        return self.row if contact_id == CONTACT_ID else None

    async def whoami(self) -> str:
        self._fail()
        return "5e1f0000-0000-4000-8000-000000000001"

    async def write_opt_outs(self, contact_id: str, columns: Mapping[str, bool], version: str) -> bool:
        raise AssertionError("a command that only looks must not write")

    async def record_activities(self, orders: Sequence[RecordActivity]) -> Sequence[Recorded]:
        self._fail()
        assert all(order.fact.contact_id != CONTACT_ID for order in orders)
        return [Recorded.REFUSED if str(o.fact.event) in self.refused else Recorded.NO_CONTACT for o in orders]

    def _fail(self) -> None:
        if self.failure:
            raise self.failure


class FakeCampaign(CampaignClient):
    """With `writable` it behaves as Campaign does; else a write is an error of the test. `calls` lists engine calls."""

    def __init__(self, profile: Profile | None, *, writable: bool = False) -> None:
        self.row = profile
        self.writable = writable
        self.failure: Exception | None = None
        self.progress = Progress.RUNNING
        self.calls: list[str] = []

    async def profile(self, contact_id: str) -> Profile | None:
        self._called("profile")
        return self.row

    async def create_profile(self, contact_id: str, fields: Mapping[str, Value], opted_out: frozenset[str]) -> bool:
        self._called("create", write=True)
        return self.row is None

    async def update_profile(self, contact_id: str, handle: str | None, fields: Mapping[str, Value]) -> bool:
        self._called("update", write=True)
        return self.row is not None

    async def opt_out(self, handle: str, attributes: frozenset[str]) -> bool:
        self._called("opt_out", write=True)
        return self.row is not None

    async def request_privacy_delete(self, contact_id: str, name: str, privacy: Privacy) -> None:
        self._called("privacy_delete", write=True)

    async def privacy_progress(self, name: str) -> Progress:
        self._called("privacy_progress")
        return self.progress

    async def ping(self) -> None:
        self._called("ping")

    def _called(self, what: str, *, write: bool = False) -> None:
        assert self.writable or not write, "a command that only looks must not write"
        self.calls.append(what)
        if self.failure:
            raise self.failure


class FakeDeadLetters(DeadLetters):
    """`letters` wait. `held`: numbers that another tool holds. After `fail_after` calls `failure` is raised."""

    def __init__(self, letters: Iterable[DeadLetter] = ()) -> None:
        self.letters = list(letters)
        self.held: frozenset[int] = frozenset()
        self.failure: Exception | None = None
        self.fail_after = 0
        self.replayed: list[DeadLetter] = []
        self.calls = 0
        self.open_listings = 0

    def dead(self, lane: Lane) -> AsyncIterator[DeadLetter]:
        return self._listing(lane, "dead")

    def parked(self) -> AsyncIterator[DeadLetter]:
        return self._listing(Lane.PARKED, "parked")

    async def replay(self, letters: Iterable[DeadLetter]) -> Removal:
        chosen = list(letters)
        removal = await self.discard(chosen)
        self.replayed += chosen
        return removal

    async def discard(self, letters: Iterable[DeadLetter]) -> Removal:
        self.calls += 1
        if self.failure and self.calls > self.fail_after:
            raise self.failure
        chosen = list(letters)
        removed = [letter for letter in chosen if letter.sequence_number not in self.held]
        self.letters = [letter for letter in self.letters if letter not in removed]
        return Removal(tuple(removed), tuple(letter for letter in chosen if letter not in removed))

    async def _listing(self, queue: Lane, place: Place) -> AsyncIterator[DeadLetter]:
        if self.failure and not self.fail_after:
            raise self.failure
        self.open_listings += 1
        try:
            for letter in self.letters:
                if (letter.queue, letter.place) == (queue, place):
                    yield letter
        finally:
            self.open_listings -= 1


class FakeFiles:
    def __init__(self) -> None:
        self.failure: Exception | None = None

    async def list(self) -> Sequence[RemoteFile]:
        if self.failure:
            raise self.failure
        return [RemoteFile("optouts.csv", 10, NOW)]

    def open(self, name: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        raise AssertionError("no command reads a file")


class FakeBus:
    async def send(self, lane: Lane, messages: Sequence[Outgoing]) -> None:
        raise AssertionError("a command that only looks must not send")


class FakeApp:
    """The parts, to be set up and looked at; `app()` is what a command gets. Counts how often it was closed."""

    def __init__(self, *, contact: Contact | None = None, profile: Profile | None = None) -> None:
        self.dynamics = FakeDynamics(contact)
        self.campaign = FakeCampaign(profile)
        self.dead_letters = FakeDeadLetters()
        self.files = FakeFiles()
        self.ledger = MemoryLedger()
        self.values = dict(VALUES)
        self.built = self.closed = 0

    def remember(self, row: LedgerRow) -> None:
        self.ledger.rows[row.key] = replace(row, etag="v0")

    def ports(self) -> Ports:
        unused: Any = None
        return Ports(
            dynamics=self.dynamics,
            campaign=self.campaign,
            events=unused,
            files=self.files,
            read_export=unused,
            ledger=self.ledger,
            watermarks=MemoryWatermarks(),
            bus=FakeBus(),
            clock=FakeClock(),
            random=Random(1),
            timings=Timings(),
            telemetry=Telemetry(),
            mapping=lambda: MAPPING,
        )

    def build(self, settings: Settings) -> App:
        self.built += 1
        unused: Any = None
        return App(
            settings=settings,
            ports=self.ports(),
            engine=unused,
            webhook=unused,
            timers=unused,
            dynamics=self.dynamics,
            campaign=self.campaign,
            dead_letters=self.dead_letters,
            close=self._close,
        )

    def wiring(self) -> Wiring:
        return Wiring(settings=lambda _file: read(self.values), build=self.build, environment=lambda _file: self.values)

    async def _close(self) -> None:
        self.closed += 1
