"""The `bridge` command, run in this process against an app in memory, or against both stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from cli.main import app
from tests.component.cli.both_systems import storage, world
from tests.component.cli.typed import PARKED, WIDE, Run
from tests.unit.cli.fakes import FakeApp, FakeDeadLetters
from tests.unit.cli.samples import a_contact, a_letter, a_profile

__all__ = ["bridge", "fake", "storage", "world"]


@pytest.fixture(autouse=True, scope="package")
def _the_command_is_built_once() -> Iterator[None]:
    """As in a process of its own; the runner would build all commands again for each that is typed, which is slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


@pytest.fixture
def fake() -> FakeApp:
    whole = FakeApp(contact=a_contact(), profile=a_profile(lastName="Other"))
    whole.dead_letters = FakeDeadLetters([a_letter(1), a_letter(2), PARKED])
    return whole


@pytest.fixture
def bridge(fake: FakeApp) -> Run:
    def run(*words: str, **options: Any) -> Result:
        return CliRunner().invoke(app, list(words), obj=fake.wiring(), env=WIDE, catch_exceptions=False, **options)

    return run
