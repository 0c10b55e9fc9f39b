"""The event timer's work on log export files: rows in chunks; each file once, its position kept as it is read."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from shared.domain.event_log import LogKind
from shared.domain.optout_file import RemoteFile, WrongFileError
from shared.engine.egress import Egress, seconds_since, send
from shared.errors import Outcome, Reason
from shared.ports import Files, LogBatch, LogReader, Ports

TEMPORARY = (".part", ".tmp", ".filepart")  # what uploading programs call a file that they are still writing
FREE_BAD_LINES = 10  # so few alone never stop a file
SHOWN_BAD_LINES = 20


@dataclass(frozen=True)
class Place:
    """How far one file is. `line`: the last that is done. `refused_by`: the reader's version that could not go on."""

    first_seen: str
    line: int = 1
    done: bool = False
    refused_by: str = ""


class EventFiles:
    """The log folder; remembers which files are finished, so that a full folder costs no reads in every run."""

    def __init__(self, ports: Ports, folder: Files, reader: LogReader, settle_s: float) -> None:
        self.folder = folder
        self._ports, self._reader, self._settle_s = ports, reader, settle_s
        self._finished: set[str] = set()

    async def run(self, limit: int, seconds: float = math.inf) -> Egress:
        """Every file that has rested, the oldest first, `limit` events or so many seconds: the rest is the next run's.

        A file that cannot be reached holds up no other. Raises an Outcome, also that of such a file.
        """
        total, began = Egress(0, 0, at_end=True), self._ports.clock.now()
        trouble: Outcome | None = None
        for file, kind in await self._logs():
            if total.facts >= limit or seconds_since(self._ports, began) >= seconds:
                total = replace(total, at_end=False)
                break
            work = _Reading(self._ports, file, limit - total.facts, seconds - seconds_since(self._ports, began))
            try:
                await self._work(work, kind)
            except Outcome as outcome:
                if outcome.reason is not Reason.FILES_UNREACHABLE:
                    raise
                trouble = outcome
            total = _sum(total, work.told())
        if trouble is not None:
            raise trouble
        return total

    async def _logs(self) -> list[tuple[RemoteFile, LogKind]]:
        listed = [file for file in await self.folder.list() if not file.name.endswith(TEMPORARY)]
        self._finished &= {file.identity for file in listed}
        named = [(file, self._reader.kind_of(file.name)) for file in listed if file.identity not in self._finished]
        logs = [(file, kind) for file, kind in named if kind is not None]
        if others := len(named) - len(logs):
            self._ports.telemetry.counted("event_files_ignored", files=others)
        return logs

    async def _work(self, work: _Reading, kind: LogKind) -> None:
        place = await work.place()
        if place.done:
            self._finished.add(work.file.identity)
        elif work.age_s(place) >= self._settle_s and place.refused_by != self._reader.version:
            try:
                async with (
                    self.folder.open(work.file) as pieces,
                    aclosing(self._reader.read(kind, pieces, place.line)) as batches,
                ):
                    await work.read(replace(place, refused_by=""), batches)
            except WrongFileError as error:
                await work.refuse(str(error), self._reader.version)


class _Reading:
    """One file in one run, up to `limit` events or so many seconds."""

    def __init__(self, ports: Ports, file: RemoteFile, limit: int, seconds: float) -> None:
        self.file = file
        self._ports, self._limit, self._seconds, self._began = ports, limit, seconds, ports.clock.now()
        self._facts = self._bad = self._skipped = self._strangers = 0
        self._at_end = True
        self._place = Place(self._began.isoformat())

    async def place(self) -> Place:
        """As it was left; noted when the file is new."""
        known = await self._ports.watermarks.read(self._name)
        if known is None:
            await self._keep(self._place)
        else:
            self._place = Place(**json.loads(known))
        return self._place

    def age_s(self, place: Place) -> float:
        """How long the file has looked as it does."""
        return seconds_since(self._ports, datetime.fromisoformat(place.first_seen))

    async def read(self, place: Place, batches: AsyncIterator[LogBatch]) -> None:
        """Each batch is durable before the position moves on. Raises WrongFileError, before it moves."""
        self._place = place
        async for batch in batches:
            self._judge(batch)
            await send(self._ports, batch.facts)
            self._count(batch)
            await self._keep(replace(self._place, line=batch.last_line))
            if self._facts >= self._limit or seconds_since(self._ports, self._began) >= self._seconds:
                self._at_end = False
                return
        await self._keep(replace(self._place, done=True))

    async def refuse(self, problem: str, version: str) -> None:
        """The alarm first: after a crash in between it comes twice rather than never."""
        self._ports.telemetry.alarm(self.file.name, Reason.WRONG_LOG_FILE, problem)
        await self._keep(replace(self._place, refused_by=version))

    def told(self) -> Egress:
        """What became of the file, in a line of its own if there was anything."""
        if self._facts or self._bad or self._skipped or self._strangers:
            self._ports.telemetry.counted(
                "event_file",
                file=self.file.name,
                line=self._place.line,
                facts=self._facts,
                skipped=self._skipped,
                strangers=self._strangers,
                unreadable=self._bad,
            )
        return Egress(self._facts, self._bad, self._at_end, self._skipped)

    @property
    def _name(self) -> str:
        return f"event-file/{self.file.identity}"

    async def _keep(self, place: Place) -> None:
        await self._ports.watermarks.write(self._name, json.dumps(asdict(place)))
        self._place = place

    def _judge(self, batch: LogBatch) -> None:
        """Lines of which not one can be read are another form rather than many slips: a person should look first."""
        if len(batch.bad) > FREE_BAD_LINES and not (batch.facts or batch.skipped or batch.strangers):
            first = batch.bad[0]
            raise WrongFileError(f"no line from {first.line} to {batch.last_line} can be read: {first.problem}")

    def _count(self, batch: LogBatch) -> None:
        for row in batch.bad[: max(0, SHOWN_BAD_LINES - self._bad)]:
            where = f"{self.file.name}:{row.line}: {row.problem}"
            self._ports.telemetry.counted("event_file_bad_row", where=where)
        self._facts += len(batch.facts)
        self._bad += len(batch.bad)
        self._skipped += batch.skipped
        self._strangers += batch.strangers


def _sum(one: Egress, other: Egress) -> Egress:
    return Egress(
        facts=one.facts + other.facts,
        unreadable=one.unreadable + other.unreadable,
        at_end=one.at_end and other.at_end,
        skipped=one.skipped + other.skipped,
    )
