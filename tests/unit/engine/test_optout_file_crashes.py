"""A crash at every step of a file's way, before it or after it: every row that disagrees is hinted, once or more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from shared.clients.campaign import export
from shared.domain.change import Lane
from shared.domain.contact import Contact
from shared.domain.optout_file import FilePolicy, FileState, Folder, RemoteFile
from shared.engine import optout_comparison
from shared.engine.optout_file import run
from shared.wire import decode_hint
from tests.unit.engine.fakes import Known
from tests.unit.examples import contact

HEADER = "externalId;blackListEmail;blackListPhone"
POLICY = FilePolicy(settle_s=1, marker=".done")
DIFFERING = frozenset({3, 4, 9, 16})
IDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(17)]
STEPS = ("list", "move", "delete", "get", "put", "all", "contacts", "send", "read", "write")


class CrashedError(BaseException):
    """The process ends here: nothing may catch it."""


class Countdown:
    """Crashes at one step; `left` None: never again."""

    def __init__(self, left: int | None) -> None:
        self.left = left

    def step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise CrashedError


class Crashing:
    """A port whose every call is two steps: not begun yet, and done but not known to be."""

    def __init__(self, port: Any, countdown: Countdown) -> None:
        self._port, self._countdown = port, countdown

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name not in STEPS:
            return method

        async def stepped(*arguments: Any) -> Any:
            self._countdown.step()
            result = await method(*arguments)
            self._countdown.step()
            return result

        return stepped

    @asynccontextmanager
    async def open(self, file: RemoteFile) -> AsyncIterator[AsyncIterator[bytes]]:
        self._countdown.step()
        async with self._port.open(file) as pieces:
            yield pieces
        self._countdown.step()


class Everybody:
    """All contacts are there and have opted out of nothing."""

    async def read_many(self, _table: str, ids: Sequence[str]) -> Mapping[str, Contact]:
        return {key: replace(contact(), id=key) for key in ids}


def begun() -> Known:
    world = Known()
    rows = [f"{key};{'1' if number in DIFFERING else '0'};0" for number, key in enumerate(IDS)]
    world.folder.write("a.csv", HEADER, *rows)
    world.folder.write("b.csv", "no export")
    for name in ("a.csv", "b.csv"):
        world.folder.write(f"{name}.done")
    return world


async def play(world: Known, countdown: Countdown) -> None:
    ports: Any = world.ports
    await run(
        replace(
            ports,
            dynamics=Crashing(Everybody(), countdown),
            files=Crashing(ports.files, countdown),
            file_ledger=Crashing(ports.file_ledger, countdown),
            bus=Crashing(ports.bus, countdown),
            watermarks=Crashing(ports.watermarks, countdown),
        ),
        POLICY,
    )


def kept(world: Known, folder: Folder) -> list[str]:
    return [name.rpartition("Z.")[2].partition(".")[2] for name in world.folder.names(folder)]


@pytest.fixture(autouse=True)
def _checkpoints_every_four_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BATCH", 2)
    monkeypatch.setattr(optout_comparison, "AT_ONCE", 2)


async def crashed_at(step: int) -> bool:
    """False: a whole run has fewer steps."""
    world = begun()
    countdown = Countdown(step)
    try:
        await play(world, countdown)
    except CrashedError:
        await play(world, Countdown(None))
        crashed = True
    else:
        crashed = False
    hints = [decode_hint(message.body) for message in world.in_lane(Lane.OPTOUT)]
    assert {hint.record.id for hint in hints} == {IDS[number] for number in DIFFERING}, step
    assert {hint.origin for hint in hints} == {f"a.csv:{number + 2}" for number in DIFFERING}, step
    assert (kept(world, Folder.ARCHIVE), kept(world, Folder.QUARANTINE)) == (["a.csv"], ["b.csv"]), step
    assert world.folder.names() == [], step
    states = {record.file.name: record.state for record in world.file_ledger.records.values()}
    assert states == {"a.csv": FileState.ARCHIVED, "b.csv": FileState.QUARANTINED}, step
    return crashed


async def test_nothing_is_lost_and_each_file_is_worked_on_once_whatever_step_breaks() -> None:
    steps = 0
    while await crashed_at(steps):
        steps += 1
    assert steps > 60


async def test_a_settled_world_stays_settled_when_a_run_is_repeated() -> None:
    world = begun()
    for _ in range(3):
        await play(world, Countdown(None))
    assert len(world.in_lane(Lane.OPTOUT)) == len(DIFFERING)
