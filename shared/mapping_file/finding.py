"""Findings: what is wrong with a mapping file, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

Path = tuple[str | int, ...]


class Severity(StrEnum):
    """An error keeps the mapping from being used; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """`line` and `column` count from 1. `path`: keys and list places from the top, e.g. `("tables", 0, "key")`."""

    line: int
    column: int
    path: Path
    severity: Severity
    reason: str
    remedy: str

    def text(self, name: str = "mapping.yaml") -> str:
        """One line, in the form that editors and compilers have taught people to click."""
        return f"{name}:{self.line}:{self.column}: {self.severity}: {self.reason}. Remedy: {self.remedy}"

    def __str__(self) -> str:
        """As `text`, with the usual file name."""
        return self.text()


def errors(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those that keep the mapping from being used."""
    return tuple(finding for finding in findings if finding.severity is Severity.ERROR)


class MappingError(ValueError):
    """The file does not do. The text names every fault with its place; `findings` holds them."""

    def __init__(self, problem: str | Sequence[Finding]) -> None:
        self.findings: tuple[Finding, ...] = () if isinstance(problem, str) else tuple(problem)
        if not isinstance(problem, str):
            problem = "\n  ".join(["the mapping does not do:", *map(str, self.findings)])
        super().__init__(problem)
