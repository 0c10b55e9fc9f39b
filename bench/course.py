"""One whole run: record what the function app sends, then measure it and the bare loop in turns."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench import raw, stand_ins
from bench.doors import Doors
from bench.errors import BenchError
from bench.raw import Raw
from bench.recorder import CAMPAIGN, DYNAMICS, LEDGER, Recorded, recording
from bench.stand_ins import StandIns
from bench.worker import Work, Worker
from sandbox.addresses import ROOT
from shared.settings import Settings

AT_100_MS = 0.1
# So few that two cores are not the limit, as they are at 160 changes a second.
FEW_ENGINE_CALLS = 4
EVERY_SYSTEM = (DYNAMICS, CAMPAIGN, LEDGER)
BOTH_SYSTEMS = (DYNAMICS, CAMPAIGN)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Lap:
    """What was measured at one Campaign latency (seconds, added to every engine call).

    `engine_calls_at_once`: how many changes may be calling Campaign. `raw`: before and after the worker. `raw_bare`:
    without the ledger's requests.
    """

    latency_s: float
    engine_calls_at_once: int
    raw: tuple[Raw, Raw]
    raw_bare: Raw
    drain: Work
    live: Work

    @property
    def raw_per_s(self) -> float:
        """The baseline."""
        return sum(one.per_s for one in self.raw) / len(self.raw)

    @property
    def limit_per_s(self) -> float | None:
        """The concurrency limit, in changes a second; None where Campaign answers at once."""
        return self.engine_calls_at_once / self.latency_s if self.latency_s else None


@dataclass(frozen=True)
class Course:
    """`at_once`: maxConcurrentCalls of host.json. `raw_at_once`: the changes that the bare loop has under way."""

    contacts: int
    at_once: int
    raw_at_once: int
    requests: int
    laps: tuple[Lap, ...]


async def run(contacts: int, tell: Tell) -> Course:
    """Everything is started, measured and stopped. Raises BenchError, HostError."""
    at_once = _calls_at_once()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tell("starting the stand-ins")
        async with stand_ins.running(Path(folder)) as world, Doors(world) as doors:
            tell(f"recording the requests of {contacts} changes")
            contact_ids, tape = await _recorded(world, doors, contacts)
            usual = min(at_once, _engine_calls_at_once(world.settings))
            laps = _Laps(world, doors, contact_ids, tape, 2 * usual, tell)
            measured = [await laps.lap(0.0, usual), await laps.lap(AT_100_MS, usual)]
            measured.append(await laps.lap(AT_100_MS, FEW_ENGINE_CALLS))
    return Course(contacts, at_once, 2 * usual, sum(map(len, tape)), tuple(measured))


def _calls_at_once() -> int:
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    return int(host["extensions"]["serviceBus"]["maxConcurrentCalls"])


def _engine_calls_at_once(settings: Mapping[str, str]) -> int:
    return int(settings.get("CAMPAIGN_MAX_IN_FLIGHT", Settings.model_fields["campaign_max_in_flight"].default))


async def _recorded(world: StandIns, doors: Doors, contacts: int) -> tuple[list[str], list[list[Recorded]]]:
    async with recording(world) as (settings, tape):
        worker = Worker(world, settings)
        await worker.start()
        try:
            contact_ids = await doors.create(contacts)
            await worker.until_written(contacts)
            tape.listen(contact_ids)
            await doors.change(contact_ids, "Recorded")
            await worker.until_written(2 * contacts)
        finally:
            await worker.stop()
    if len(tape.requests) != contacts:
        raise BenchError(f"the requests of {len(tape.requests)} of {contacts} changes were recorded")
    return contact_ids, tape.changes()


class _Laps:
    """The measurements, one after the other: with two cores, nothing else may run beside them."""

    def __init__(
        self,
        world: StandIns,
        doors: Doors,
        contact_ids: Sequence[str],
        tape: Sequence[Sequence[Recorded]],
        raw_at_once: int,
        tell: Tell,
    ) -> None:
        self._world, self._doors, self._contact_ids, self._tape = world, doors, contact_ids, tape
        self._raw_at_once, self._tell = raw_at_once, tell
        self._cities = (f"City {number}" for number in count())

    async def lap(self, latency_s: float, engine_calls_at_once: int) -> Lap:
        """Baseline, worker, baseline; the queue is filled while Campaign has nothing to do."""
        latency = f"{1000 * latency_s:g} ms, {engine_calls_at_once} engine calls at once"
        worker = Worker(self._world, {**self._world.settings, "CAMPAIGN_MAX_IN_FLIGHT": str(engine_calls_at_once)})
        try:
            self._tell(f"{latency}: filling the queue")
            await worker.fill(self._doors, self._contact_ids, next(self._cities))
            await self._doors.campaign_latency(latency_s)
            self._tell(f"{latency}: raw loop")
            bare, before = await self._raw(BOTH_SYSTEMS), await self._raw(EVERY_SYSTEM)
            self._tell(f"{latency}: draining the queue")
            drain = await worker.drain(self._doors, len(self._contact_ids))
            self._tell(f"{latency}: changes as they come")
            live = await worker.live(self._doors, self._contact_ids, next(self._cities))
        finally:
            await worker.stop()
        after = await self._raw(EVERY_SYSTEM)
        await self._doors.campaign_latency(0)
        return Lap(latency_s, engine_calls_at_once, (before, after), bare, drain, live)

    async def _raw(self, systems: Sequence[str]) -> Raw:
        return await raw.send(self._tape, systems, self._world.tls.client_context(), self._raw_at_once)
