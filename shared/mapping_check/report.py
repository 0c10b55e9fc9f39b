"""Where findings are collected, each with its place in the mapping file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from shared.mapping_file import Finding, Path, Position, Severity

_NEAR = 0.6


class Report:
    """Collects findings. A path that the file does not spell out is shown at the place that holds it."""

    def __init__(self, positions: Mapping[Path, Position]) -> None:
        self._positions = positions
        self.findings: list[Finding] = []

    def error(self, path: Path, reason: str, remedy: str) -> None:
        """The mapping cannot be applied."""
        self._add(Severity.ERROR, path, reason, remedy)

    def warn(self, path: Path, reason: str, remedy: str) -> None:
        """The mapping can be applied, but something will not go as one may think."""
        self._add(Severity.WARNING, path, reason, remedy)

    def _add(self, severity: Severity, path: Path, reason: str, remedy: str) -> None:
        line, column = self._place(path)
        self.findings.append(Finding(line, column, path, severity, reason, remedy))

    def _place(self, path: Path) -> Position:
        while path and path not in self._positions:
            path = path[:-1]
        return self._positions.get(path, (1, 1))


def suggestion(name: str, known: Iterable[str], otherwise: str) -> str:
    """The remedy for a name that is not known: the one that was probably meant."""
    by_lower = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), by_lower, 1, _NEAR)
    return f"Did you mean {by_lower[near[0]]}? {otherwise}" if near else otherwise
