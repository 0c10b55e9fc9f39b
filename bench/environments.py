"""Virtual environments of their own for what the bridge is held against: their pins need not agree with ours."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from bench.errors import BenchError
from sandbox.addresses import ROOT

INSTALL_S = 900


def python_of(name: str) -> Path:
    """The environment's Python, with requirements-bench-NAME.txt installed, every package by its hash."""
    requirements, home = ROOT / f"requirements-bench-{name}.txt", ROOT / ".build" / f"bench-{name}"
    digest, mark = hashlib.sha256(requirements.read_bytes()).hexdigest(), home / "installed"
    python = home / "bin" / "python"
    if mark.is_file() and mark.read_text(encoding="utf-8") == digest:
        return python
    shutil.rmtree(home, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(home))
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement", str(requirements))
    _run(str(python), "-m", "pip", "install", *options)
    mark.write_text(digest, encoding="utf-8")
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)  # noqa: S603
    if done.returncode:
        raise BenchError(f"{' '.join(command[:4])} …: {done.stderr[-500:]}")
