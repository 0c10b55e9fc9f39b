"""A fault at every step between Campaign and the timeline: each event has one activity, and its task once."""

from __future__ import annotations

import uuid
from random import Random
from typing import Any

import pytest

from shared.engine import egress
from tests.simulation.faults import AtStep, Fault, Storm
from tests.simulation.timeline_world import REFUSED, World
from tests.simulation.virtual import play

# Each with how many steps lie between two tries.
FAULTS = {"crash": (Fault(crash=True), 1), "stall, the lock lost": (Fault(stall_s=200, lose_lock=True), 4)}
SOURCES = {"journal": False, "log files": True}
STORMS = 40


def history(plan: AtStep | Storm, source: str) -> World:
    return play(World(plan, from_files=SOURCES[source]).run())


def at(step: int, fault: Fault) -> AtStep:
    return AtStep(Random(7), step, fault)


@pytest.mark.parametrize("source", SOURCES)
def test_without_a_fault_every_event_is_there_once(source: str) -> None:
    world = history(at(-1, Fault()), source)
    assert not world.violations(), "\n".join(world.broker.log)
    assert len(world.dynamics.created) == len(world.facts) - 1
    assert REFUSED not in world.dynamics.created
    assert len(world.dynamics.tasks) >= 5


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("source", SOURCES)
def test_one_fault_anywhere_changes_nothing_in_the_end(source: str, name: str) -> None:
    steps = history(at(-1, Fault()), source).broker.steps
    assert steps > 100
    fault, every = FAULTS[name]
    for step in range(0, steps, every):
        world = history(at(step, fault), source)
        story = f"{name} at step {step}: {world.violations()}\n" + "\n".join(world.broker.log)
        assert any("FAULT" in line for line in world.broker.log), story
        assert not world.violations(), story


@pytest.mark.parametrize("source", SOURCES)
def test_many_faults_at_random(source: str) -> None:
    for seed in range(STORMS):
        world = history(Storm(Random(seed), stalls=0.01, crashes=0.01), source)
        assert not world.violations(), f"seed {seed}: {world.violations()}\n" + "\n".join(world.broker.log)


def goes_wrong(source: str) -> bool:
    steps = history(at(-1, Fault()), source).broker.steps
    return any(history(at(step, Fault(crash=True)), source).violations() for step in range(steps))


@pytest.mark.parametrize("source", SOURCES)
def test_ids_that_are_not_the_events_own_would_show_events_twice(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uuid, "uuid5", lambda *_: uuid.uuid4())
    assert goes_wrong(source)


def test_a_position_kept_before_its_events_are_durable_would_lose_some(monkeypatch: pytest.MonkeyPatch) -> None:
    async def early(ports: Any, facts: Any) -> None:
        start = int(await ports.watermarks.read(egress.WATERMARK) or 0)
        await ports.watermarks.write(egress.WATERMARK, str(start + 5))
        await send(ports, facts)

    send = egress.send
    monkeypatch.setattr(egress, "send", early)
    assert goes_wrong("journal")
