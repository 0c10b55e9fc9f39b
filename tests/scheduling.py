"""Which process runs which test files, and in what order: those that take long or wait come first."""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadFileScheduling

# One process runs all of these: starting their world costs more than most of them do.
ONE_WORLD = "tests/component/sandbox"
# What waits for locks, links and processes, beside what computes; everything else fills the gaps that these leave.
EARLY = (
    ONE_WORLD,
    "tests/contract/host/test_command.py",
    "tests/simulation/test_optout_histories.py",
    "tests/component/stores/test_dead_letters.py",
    "tests/worker",
    "tests/simulation",
    "tests/contract/host",
    "tests/component",
    "tests/contract",
)


def place(file: PurePosixPath) -> int:
    """Where a test file stands in the run; files with the same place stay as they were collected."""
    return next((number for number, early in enumerate(EARLY) if file.is_relative_to(early)), len(EARLY))


class InOneWorld(LoadFileScheduling):  # type: ignore[misc]  # xdist carries no types
    """xdist's distribution by file, with the files of one world together."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return ONE_WORLD if PurePosixPath(file).is_relative_to(ONE_WORLD) else file
