"""Where settings come from."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from cli import wiring
from cli.wiring import DEFAULT, build, read_settings_file, values, within
from shared import app as composition
from shared.mapping_file import MappingError
from shared.settings import SettingsError, read
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import VALUES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    fresh = {"HOME": "/"}
    monkeypatch.setattr(os, "environ", fresh)
    return fresh


def write(path: Path, document: object) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_file_is_read_with_or_without_a_byte_order_mark(folder: Path):
    path = write(folder / "s.json", "\ufeff" + json.dumps({"IsEncrypted": False, "Values": {"A": "1"}}))
    assert read_settings_file(path) == {"A": "1"}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("{", "not JSON"),
        ([], "it must look like"),
        ({"Values": "x"}, "it must look like"),
        ({"IsEncrypted": True, "Values": {"A": "gibberish"}}, "encrypted"),
        ({"Values": {"A": "secret", "B": 2}}, "in quotes: B"),
    ],
)
def test_a_file_that_does_not_do_says_why_and_shows_no_value(folder: Path, document: object, problem: str):
    with pytest.raises(SettingsError, match=problem) as caught:
        read_settings_file(write(folder / "s.json", document))
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(folder: Path):
    with pytest.raises(SettingsError, match=r"none\.json: No such file"):
        read_settings_file(folder / "none.json")


def test_the_default_file_is_used_and_told(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert values(None) == {}
    write(folder / "local.settings.json", {"Values": {"A": "1"}})
    assert values(None) == {"A": "1"}
    assert "local.settings.json" in capsys.readouterr().err


def test_a_files_values_reach_the_process(folder: Path, environment: dict[str, str]):
    path = write(folder / "s.json", {"Values": VALUES | {"SSL_CERT_FILE": "ca.pem"}})
    assert DEFAULT.settings(path).dynamics_url == VALUES["DYNAMICS_URL"]
    assert environment["SSL_CERT_FILE"] == "ca.pem"


def test_without_a_file_the_environment_counts(folder: Path, environment: dict[str, str]):
    environment.update(VALUES)
    assert DEFAULT.settings(None).dynamics_url == VALUES["DYNAMICS_URL"]


def test_what_is_set_comes_from_both(folder: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(composition, "environment", lambda: {"A": "env", "B": "env"}, raising=False)
    path = write(folder / "s.json", {"Values": {"A": "file"}})
    assert DEFAULT.environment(path) == {"A": "file", "B": "env"}


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(ValueError("the SFTP key"), SettingsError), (MappingError("the mapping"), MappingError)],
)
def test_what_building_meets_is_a_matter_of_settings(raised, expected, monkeypatch: pytest.MonkeyPatch):
    def broken(_settings: object) -> None:
        raise raised

    monkeypatch.setattr(composition, "build", broken)
    with pytest.raises(expected, match=r"the (SFTP key|mapping)"):
        build(read(VALUES))


def test_the_app_is_closed_whatever_happens():
    fake = FakeApp()

    async def broken(_app: object) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(within(lambda: fake.build(read(VALUES)), broken))
    assert (fake.built, fake.closed) == (1, 1)


def test_the_default_file_is_that_of_the_functions_host():
    assert Path("local.settings.json") == wiring.DEFAULT_FILE
