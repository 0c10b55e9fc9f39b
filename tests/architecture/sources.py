"""The project's files as the rules see them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.architecture.declared import ROOT

PRODUCT = ("shared", "functions", "cli")
EVERYTHING = (*PRODUCT, "sandbox")


@dataclass(frozen=True)
class Source:
    """A Python file; `name` is its path from the project's folder, with slashes."""

    name: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)


@cache
def python(*folders: str) -> tuple[Source, ...]:
    """Every Python file of these folders, and function_app.py."""
    paths = [ROOT / "function_app.py", *(path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))]
    return tuple(Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths)


def imported(source: Source) -> Iterator[str]:
    """Full names of what a file imports, anywhere in it."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports(source: Source, package: str) -> bool:
    """Whether a file imports the package or something inside it."""
    return any(name == package or name.startswith(f"{package}.") for name in imported(source))


@cache
def tracked() -> tuple[Path, ...]:
    """Files that git keeps, or would keep; every file that no ignore rule names."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())
