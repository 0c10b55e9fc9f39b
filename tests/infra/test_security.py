"""docs/security.md names what exists, and the lines that it answers for the whole code hold there."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.declared import ROOT
from tests.architecture.sources import imports, python
from tests.infra.bicep import bicep

SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\| (V[\d., V]+) \| (.+) \| (.+) \|$", SECURITY, re.MULTILINE)
RUNS_PROCESSES = ("subprocess", "pty", "multiprocessing")
UNPACKS_ANYTHING = ("pickle", "shelve", "marshal", "dill")


def test_every_line_of_the_standard_is_answered_once() -> None:
    numbers = [number for cell, _, _ in LINES for number in re.findall(r"V\d+\.\d+\.\d+", cell)]
    assert len(numbers) > 50
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:[\w.]+/)+[\w.]+|[\w-]+\.(?:txt|toml))`", SECURITY))))
def test_what_shows_it_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("line", LINES, ids=lambda line: str(line[0]))
def test_every_answer_is_shown_by_something(line: tuple[str, str, str]) -> None:
    assert "`" in line[2]


@pytest.mark.parametrize("package", [*RUNS_PROCESSES, *UNPACKS_ANYTHING])
def test_the_app_starts_no_process_and_unpacks_no_code(package: str) -> None:
    assert not [source.name for source in python("shared", "functions") if imports(source, package)]


def test_the_app_evaluates_no_text() -> None:
    calls = [
        f"{source.name}: {node.func.id}"
        for source in python("shared", "functions")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("eval", "exec", "compile")
    ]
    assert not calls


@pytest.mark.parametrize(
    ("name", "symbol", "key", "wanted"),
    [
        ("modules/service_bus.bicep", "namespace", "minimumTlsVersion", "1.2"),
        ("modules/host_storage.bicep", "account", "minimumTlsVersion", "TLS1_2"),
        ("modules/data_storage.bicep", "account", "minimumTlsVersion", "TLS1_2"),
        ("modules/data_storage.bicep", "account", "supportsHttpsTrafficOnly", True),
        ("modules/host_storage.bicep", "account", "supportsHttpsTrafficOnly", True),
        ("modules/app.bicep", "app", "httpsOnly", True),
    ],
)
def test_every_resource_wants_tls(name: str, symbol: str, key: str, wanted: object) -> None:
    assert bicep(name).resource(symbol).body["properties"][key] == wanted


def test_the_app_offers_nothing_but_tls_and_no_debugger() -> None:
    config = bicep("modules/app.bicep").resource("app").body["properties"]["siteConfig"]
    assert (config["minTlsVersion"], config["scmMinTlsVersion"], config["ftpsState"]) == ("1.2", "1.2", "Disabled")
    assert config["remoteDebuggingEnabled"] is False
