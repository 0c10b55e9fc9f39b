"""`bridge sandbox` as a process: arguments, exit code and signals go through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.commands import sandbox
from cli.main import app

ROOT = Path(__file__).resolve().parents[3]
STAND_IN = """
import signal, sys
if sys.argv[1] == "run":
    signal.signal(signal.SIGINT, lambda *_: (print("interrupted", flush=True), sys.exit(7)))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    print("ready", flush=True)
    signal.pause()
print(sys.argv[1:])
sys.exit(3)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A program called `sandbox` that is found before the project's own."""
    package = tmp_path / "sandbox"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    return os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1"}


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "cli", "sandbox", "run"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_arguments_and_exit_code_go_through(environment: dict[str, str]):
    command = [sys.executable, "-m", "cli", "sandbox", "story", "--keep", "--help", "-x", "5"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout.strip() == "['story', '--keep', '--help', '-x', '5']"
    assert result.returncode == 3


def test_ctrl_c_reaches_the_sandbox_and_its_end_is_ours(running: subprocess.Popen[str]):
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=30)
    assert (output, running.returncode) == ("interrupted\n", 7)


def test_a_sandbox_that_is_killed_ends_as_in_a_shell(running: subprocess.Popen[str]):
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    assert running.returncode == 128 + signal.SIGTERM


def test_without_the_sandbox_it_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sandbox, "find_spec", lambda _name: None)
    result = CliRunner().invoke(app, ["sandbox", "story"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not part of this installation" in result.stderr
