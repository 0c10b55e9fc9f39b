"""What holds for all tests."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from tests import scheduling

BROKEN_CONNECTIONS = ("contract/service_bus", "contract/host", "component")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: scheduling.place(item.nodeid.partition("::")[0]))


def pytest_collection_finish() -> None:
    """The tests themselves and all modules stay to the end: the garbage collector need not look at them each time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> scheduling.WorldsTogether:
    """Whatever `--dist` says: a file's tests share what is slow to start, so they are never divided."""
    return scheduling.WorldsTogether(config, log)


@pytest.fixture(autouse=True, scope="module")
def _leaks_of_the_service_bus_sdk_end_with_their_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """The SDK leaves a socket to the garbage collector when its connection breaks; no other test shall pay for it."""
    yield
    if any(folder in request.path.as_posix() for folder in BROKEN_CONNECTIONS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
