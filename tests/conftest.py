"""What holds for all tests."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

BROKEN_CONNECTIONS = ("contract/service_bus", "contract/host", "component")
# Several processes take the files in this order (xdist, --no-loadscope-reorder). First comes what waits long for other
# processes, locks and links: one file of the sandbox after the other, so that each process starts a sandbox only once;
# then long computations; everything else fills the gaps, so that no long file is left over at the end.
EARLY = (
    "tests/component/sandbox/",
    "tests/contract/host/test_command.py",
    "tests/component/stores/test_dead_letters.py",
    "tests/worker/",
    "tests/simulation/",
    "tests/contract/host/",
    "tests/component/",
    "tests/contract/",
)

# How long an example takes says nothing on a busy machine, and a process's first text reads all of Unicode's tables.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((n for n, early in enumerate(EARLY) if item.nodeid.startswith(early)), len(EARLY)))


def pytest_collection_finish() -> None:
    """The tests themselves and all modules stay to the end: the garbage collector need not look at them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _leaks_of_the_service_bus_sdk_end_with_their_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """The SDK leaves a socket to the garbage collector when its connection breaks; no other test shall pay for it."""
    yield
    if any(folder in request.path.as_posix() for folder in BROKEN_CONNECTIONS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
