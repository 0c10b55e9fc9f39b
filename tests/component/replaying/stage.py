"""A broker full of dead letters, storage, and the real command in a process of its own that can be killed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from azure.servicebus.aio import ServiceBusClient

from sandbox import azurite, service_bus, sftp
from sandbox.service_bus import Broker, queues_from_json
from shared.domain.change import Hint, Lane, RecordKey, Source, Why
from shared.ports import Outgoing
from shared.stores.service_bus import ServiceBusLanes, service_bus_client
from shared.wire import encode
from tests.unit.cli.samples import NOW, VALUES

ROOT = Path(__file__).resolve().parents[3]
# What the broker had handed out to a killed process comes back when its locks end.
LOCK_S = 3.0
LANES = (Lane.CONTACT_UPSERT, Lane.OPTOUT)


@dataclass
class Stage:
    """`settled`: how often each copy was received and completed, by its id; `kills`: after how many removals."""

    broker: Broker
    client: ServiceBusClient
    settings: Path
    settled: Counter[str] = field(default_factory=Counter)
    kills: list[int] = field(default_factory=list)

    async def fill(self, count: int, chosen: Callable[[int], bool] = lambda _: True) -> set[str]:
        """Parked letters of two lanes; those not chosen have another reason. The ids of the chosen ones' copies."""
        lanes = ServiceBusLanes(self.client)
        for start in range(0, count, 500):
            page = range(start, min(start + 500, count))
            await lanes.send(Lane.PARKED, [letter(n, "refused_value" if chosen(n) else "malformed") for n in page])
        await lanes.close()
        return {f"event-{n}/{LANES[n % 2]}:replay1" for n in range(count) if chosen(n)}

    @property
    def waiting(self) -> int:
        """Letters that have not left the queue."""
        counts = self.broker.counts()["parked"]
        return counts["active"] + counts["locked"] + counts["deferred"]

    async def command(self, *words: str) -> asyncio.subprocess.Process:
        """`bridge deadletters …`, started."""
        line = [sys.executable, "-m", "cli", "deadletters", *words, "--settings", str(self.settings)]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*line, cwd=ROOT, stdout=pipe, stderr=pipe)

    async def finish(self, *words: str, code: int = 0) -> Any:
        """What the command prints as JSON, when it is through."""
        process = await self.command(*words, "--json")
        output, complaint = await process.communicate()
        assert process.returncode == code, output.decode() + complaint.decode()
        return json.loads(output)

    async def killed_at(self, waiting: int, *words: str) -> bool:
        """SIGKILL as soon as so few letters wait; False: the command was through before."""
        process = await self.command(*words)
        ended = asyncio.create_task(process.communicate())
        while True:
            if ended.done() or self.waiting <= waiting:
                break
            await asyncio.sleep(max(0.001, waiting / 1e6))  # to count takes longer with more of them
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        output, complaint = await ended
        assert process.returncode in (0, 1, -signal.SIGKILL), output.decode() + complaint.decode()
        self.kills.append(waiting)
        return process.returncode == -signal.SIGKILL

    async def replay_killed(self, seed: int, kills: int, *words: str) -> int:
        """Begin, kill at random moments, go on, and let the last one finish. How often it was killed."""
        random, done = Random(seed), 0
        for moment in sorted((random.randrange(self.waiting) for _ in range(kills)), reverse=True):
            done += await self.killed_at(moment, *(words if not done else ("replay", "--resume", "last", "--yes")))
        report = await self.finish("replay", "--resume", "last", "--yes")
        assert (report["left"], report["failure"], report["stopped"]) == (0, None, None), report
        return done

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """Takes every copy out of its lane while the replay runs, as the functions do."""
        tasks = [asyncio.create_task(self._work(lane)) for lane in LANES]
        try:
            yield
            while True:
                counts = self.broker.counts()
                for task in tasks:
                    assert not task.done(), task.exception()
                if not any(counts[lane]["active"] + counts[lane]["locked"] for lane in LANES):
                    break
                await asyncio.sleep(0.05)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, lane: Lane) -> None:
        async with self.client.get_queue_receiver(lane) as receiver:
            while True:
                for message in await receiver.receive_messages(max_message_count=50, max_wait_time=1):
                    assert b"replay_of" in (message.application_properties or {})
                    await receiver.complete_message(message)
                    self.settled[str(message.message_id)] += 1


def letter(number: int, reason: str) -> Outgoing:
    """A hint that was parked, with a property of its own that a replay must keep."""
    record = RecordKey("contact", f"00000000-0000-4000-8000-{number:012x}")
    lane = LANES[number % 2]
    hint = Hint(f"event-{number}/{lane}", record, Why.UPSERT, Source.WEBHOOK, NOW, frozenset({"lastname"}))
    marks: dict[str, str | int | float] = {"reason": reason, "lane": lane, "detail": "gender", "number": number}
    return Outgoing(encode(hint), f"parked/{hint.id}", properties=marks)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Stage]:
    """A broker with the project's queues, of which `parked` has short locks, and Azurite."""
    queues = queues_from_json(ROOT / "shared" / "queues.json")
    short = [replace(one, lock_duration_s=LOCK_S) if one.name == Lane.PARKED else one for one in queues]
    broker, storage = await service_bus.start(short), await azurite.start(None)
    keys = sftp.ensure_keys(folder)  # nothing connects there, but what is no key is refused
    values = VALUES | {
        "ServiceBus": broker.connection_string,
        "Storage": storage.connection_string,
        "OPTOUT_SFTP_KEY": str(keys.client_key),
        "OPTOUT_SFTP_HOST_KEY": keys.known_hosts("localhost", 22),
    }
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"IsEncrypted": False, "Values": values}), encoding="utf-8")
    try:
        async with service_bus_client(broker.connection_string) as client:
            yield Stage(broker, client, settings)
    finally:
        await broker.stop()
        await storage.stop()


def assert_each_once(settled: Counter[str], expected: Sequence[str] | set[str]) -> None:
    """Every copy was worked on, and none twice."""
    assert settled.keys() == set(expected)
    assert set(settled.values()) == {1}
