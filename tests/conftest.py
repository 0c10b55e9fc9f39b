"""What holds for all tests."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

BROKEN_CONNECTIONS = ("contract/service_bus", "contract/host", "component")


@pytest.fixture(autouse=True, scope="module")
def _leaks_of_the_service_bus_sdk_end_with_their_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """The SDK leaves a socket to the garbage collector when its connection breaks; no other test shall pay for it."""
    yield
    if any(folder in request.path.as_posix() for folder in BROKEN_CONNECTIONS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
