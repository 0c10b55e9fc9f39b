"""Clients from settings, and the clock."""

from __future__ import annotations

from datetime import UTC

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError

from shared.domain.change import Lane
from shared.errors import Outcome, Reason, Retry, Uncertain
from shared.ports import BusUnavailableError, Outgoing
from shared.stores.clock import SystemClock
from shared.stores.memory import MemoryBus
from shared.stores.service_bus import service_bus_client
from shared.stores.storage_calls import reading, table_service, writing


class Identity:
    """A credential that is never asked."""

    async def get_token(self, *scopes: str, **options: object) -> AccessToken:
        raise AssertionError("no token is needed to make a client")

    async def close(self) -> None:
        return None

    async def __aenter__(self) -> Identity:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_a_name_and_an_identity_do_instead_of_a_connection_string() -> None:
    async with table_service(url="https://acme.table.core.windows.net", credential=Identity()) as tables:
        assert tables.url == "https://acme.table.core.windows.net"
    async with service_bus_client(namespace="acme.servicebus.windows.net", credential=Identity()) as bus:
        assert bus.fully_qualified_namespace == "acme.servicebus.windows.net"


@pytest.mark.parametrize("make", [table_service, service_bus_client])
def test_neither_is_told(make: object) -> None:
    with pytest.raises(ValueError, match="a connection string, or"):
        make()  # type: ignore[operator]


def answer(status: int | None) -> HttpResponseError:
    error = HttpResponseError("storage's words")
    error.status_code = status
    return error


@pytest.mark.parametrize(
    ("error", "when_reading", "when_writing"),
    [
        (answer(500), Retry, Uncertain),
        (answer(503), Retry, Uncertain),
        (answer(429), Retry, Retry),
        (answer(403), Retry, Retry),
        (ClientAuthenticationError("no token"), Retry, Retry),
        (ServiceRequestError("cut"), Retry, Uncertain),
        (TimeoutError(), Retry, Uncertain),
        (answer(400), HttpResponseError, HttpResponseError),
        (answer(413), HttpResponseError, HttpResponseError),
        (KeyError("ours"), KeyError, KeyError),
    ],
)
async def test_each_failure_of_storage_is_named_for_what_happens_next(
    error: Exception, when_reading: type[Exception], when_writing: type[Exception]
) -> None:
    for calling, expected in ((reading, when_reading), (writing, when_writing)):
        with pytest.raises(expected) as raised:
            async with calling():
                raise error
        assert type(raised.value) is expected
        if isinstance(raised.value, Outcome):
            assert raised.value.reason is Reason.LEDGER_UNREACHABLE
            assert "words" not in raised.value.detail


async def test_the_clock_tells_utc_and_lets_time_pass() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0.01)
    assert before.tzinfo is UTC
    assert 0.01 <= (clock.now() - before).total_seconds() < 5


async def test_a_refusing_bus_takes_nothing_and_remembers_no_id() -> None:
    bus = MemoryBus(SystemClock().now)
    bus.refusing = True
    with pytest.raises(BusUnavailableError):
        await bus.send(Lane.BULK, [Outgoing(b"1", "1")])
    assert bus.next_visible_at() is None
    bus.refusing = False
    await bus.send(Lane.BULK, [Outgoing(b"1", "1")])
    assert [queued.message.body for queued in bus.contents()[Lane.BULK]] == [b"1"]
    assert bus.next_visible_at() == bus.contents()[Lane.BULK][0].visible_at
