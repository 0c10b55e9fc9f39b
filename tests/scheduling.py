"""Which process runs which test files, and in what order: those that take long or wait come first."""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadFileScheduling

# The tests of each of these stay together: starting the world that they share costs more than most of them do.
WORLDS = ("tests/component/sandbox/test_custom_entities.py", "tests/component/sandbox")
# Waiting for locks, links and processes goes well beside computing; everything else fills the gaps that these leave.
EARLY = (
    *WORLDS,
    "tests/contract/host/test_command.py",
    "tests/simulation/test_optout_histories.py",
    "tests/component/stores/test_dead_letters.py",
    "tests/worker",
    "tests/simulation",
    "tests/contract/host",
    "tests/component",
    "tests/contract",
)


def place(file: str) -> int:
    """Where a test file stands in the run; files with the same place stay as they were collected."""
    return next((number for number, early in enumerate(EARLY) if _within(file, early)), len(EARLY))


class WorldsTogether(LoadFileScheduling):  # type: ignore[misc]  # xdist carries no types
    """xdist's distribution by file, but all files of a world go to the same process."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return next((world for world in WORLDS if _within(file, world)), file)


def _within(file: str, place: str) -> bool:
    return PurePosixPath(file).is_relative_to(place)
