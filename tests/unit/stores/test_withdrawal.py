"""A way through a box whose locks run out: nothing is taken for gone that is not, and nothing is met for ever."""

from __future__ import annotations

from typing import Any

import pytest
from azure.servicebus import ServiceBusMessageState, ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusConnectionError

from shared.domain.change import Lane
from shared.ports import BusUnavailableError
from shared.stores import withdrawal
from shared.stores.letter import Box
from shared.stores.withdrawal import Take, Withdrawal

BOX = Box(Lane.TIMELINE, "dead")


class Message(ServiceBusReceivedMessage):
    """As far as a letter reads it."""

    def __init__(self, number: int) -> None:
        self.number = number

    sequence_number = property(lambda self: self.number)
    message_id = property(lambda self: f"m{self.number}")
    body_type = property(lambda _: AmqpMessageBodyType.DATA)
    body = property(lambda _: iter([b"x"]))
    application_properties = property(lambda _: {})
    dead_letter_reason = dead_letter_error_description = enqueued_time_utc = property(lambda _: None)
    delivery_count = property(lambda _: 0)
    state = property(lambda _: ServiceBusMessageState.ACTIVE)


class Receiver:
    """Hands out `pages`; `lost` are the numbers whose lock has ended. `settled` is what was done."""

    def __init__(self, *pages: list[int]) -> None:
        self.pages = list(pages)
        self.lost: set[int] = set()
        self.broken = False
        self.settled: list[tuple[str, int]] = []

    async def receive_messages(self, *, max_message_count: int, max_wait_time: float) -> list[Message]:
        return [Message(number) for number in (self.pages.pop(0) if self.pages else [])]

    async def complete_message(self, message: Message) -> None:
        self._settle("complete", message)

    async def abandon_message(self, message: Message) -> None:
        self._settle("abandon", message)

    async def defer_message(self, message: Message) -> None:
        self._settle("defer", message)

    def _settle(self, what: str, message: Message) -> None:
        if self.broken:
            raise ServiceBusConnectionError(message="gone")
        if message.number in self.lost:
            raise MessageLockLostError(message="too late", error=None)
        self.settled.append((what, message.number))


def through(receiver: Any, *wanted: int) -> Withdrawal:
    return Withdrawal(receiver, Take(BOX, lambda letter: letter.sequence_number in wanted, last=99))


async def taken(subject: Withdrawal) -> list[int]:
    return [letter.sequence_number async for page in subject.pages(10) for letter in page]


async def test_a_letter_whose_lock_ended_is_not_said_to_be_gone():
    receiver = Receiver([1, 2, 3])
    receiver.lost = {2}
    subject = through(receiver, 1, 2, 3)
    page = await anext(subject.pages(10))
    assert [letter.sequence_number for letter in await subject.remove(page)] == [1, 3]


async def test_what_comes_round_again_is_deferred_so_that_the_way_ends():
    receiver = Receiver([1, 2], [1, 3], [1])
    assert await taken(through(receiver, 3)) == [3]
    assert receiver.settled == [("defer", 1)]


async def test_beyond_what_may_be_held_it_is_deferred_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(withdrawal, "MOST_HELD", 2)
    receiver = Receiver([1, 2, 3, 4])
    assert await taken(through(receiver, 4)) == [4]
    assert receiver.settled == [("defer", 3)]


async def test_all_that_is_held_is_given_back_though_some_locks_have_ended():
    receiver = Receiver([1, 2, 3])
    subject = through(receiver, 3)
    await anext(subject.pages(10))
    receiver.lost = {1}
    await subject.give_back()
    assert receiver.settled == [("abandon", 3), ("abandon", 2)]


async def test_a_broken_link_is_told_but_for_giving_back():
    receiver = Receiver([1, 2])
    subject = through(receiver, 1)
    page = await anext(subject.pages(10))
    receiver.broken = True
    with pytest.raises(BusUnavailableError, match="ServiceBusConnectionError"):
        await subject.remove(page)
    await subject.give_back()
    assert receiver.settled == []


async def test_the_way_ends_where_only_later_ones_come():
    receiver = Receiver([1, 100], [101, 102], [103])
    assert await taken(through(receiver, 1, 100, 101)) == [1]
    assert receiver.pages == [[103]]
