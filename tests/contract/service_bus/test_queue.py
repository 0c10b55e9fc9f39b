"""What queues do over time, on a clock that the test moves."""

from __future__ import annotations

import pytest

from sandbox.service_bus.entry import Delivery
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.queue import Queue
from sandbox.service_bus.settings import QueueSettings
from sandbox.service_bus.store import MemoryStore
from tests.contract.service_bus.building import (
    LOCK_S,
    START_MS,
    HandClock,
    body_of,
    count_of,
    dead_letters,
    decoded,
    message,
    queue_with,
    reason_of,
    received,
)


def assert_lost(queue: Queue, delivery: Delivery) -> None:
    with pytest.raises(BrokerError) as caught:
        queue.complete(delivery.token)  # type: ignore[arg-type]
    assert caught.value.condition is Condition.MESSAGE_LOCK_LOST


def test_messages_come_out_in_order_and_once(queue: Queue) -> None:
    queue.enqueue([message("a"), message("b")])
    assert [body_of(received(queue).encoded()) for _ in range(2)] == ["a", "b"]
    assert queue.receive() is None


def test_a_completed_message_is_gone(queue: Queue, clock: HandClock) -> None:
    queue.enqueue([message()])
    delivery = received(queue)
    queue.complete(delivery.token)  # type: ignore[arg-type]
    clock.pass_s(10 * LOCK_S)
    assert queue.receive() is None
    assert_lost(queue, delivery)


def test_receive_and_delete_leaves_nothing(queue: Queue) -> None:
    queue.enqueue([message()])
    delivery = queue.receive(delete=True)
    assert delivery is not None
    assert delivery.token is None
    assert queue.counts().locked == queue.counts().active == 0


def test_a_lock_ends_to_the_millisecond_and_counts_the_delivery(queue: Queue, clock: HandClock) -> None:
    queue.enqueue([message()])
    first = received(queue)
    assert first.locked_until_ms == START_MS + LOCK_S * 1000
    clock.ms = first.locked_until_ms - 1
    assert queue.receive() is None
    clock.ms += 1
    assert_lost(queue, first)
    assert count_of(received(queue)) == 1


def test_a_renewed_lock_lasts_from_the_renewal(queue: Queue, clock: HandClock) -> None:
    queue.enqueue([message()])
    delivery = received(queue)
    assert delivery.token is not None
    clock.pass_s(LOCK_S - 1)
    assert queue.renew(delivery.token) == clock.ms + LOCK_S * 1000
    clock.pass_s(LOCK_S - 1)
    queue.complete(delivery.token)
    clock.pass_s(LOCK_S)
    with pytest.raises(BrokerError, match="lock"):
        queue.renew(delivery.token)


def test_an_abandoned_message_comes_back_at_its_old_place(queue: Queue) -> None:
    queue.enqueue([message("a"), message("b")])
    queue.abandon(received(queue).token)  # type: ignore[arg-type]
    again = received(queue)
    assert (body_of(again.encoded()), count_of(again)) == ("a", 1)


def test_a_released_message_is_not_counted(queue: Queue) -> None:
    queue.enqueue([message()])
    for _ in range(10):
        queue.release(received(queue).token)  # type: ignore[arg-type]
    assert count_of(received(queue)) == 0


@pytest.mark.parametrize("how", ["abandon", "expire"])
def test_too_many_deliveries_make_a_dead_letter(queue: Queue, clock: HandClock, how: str) -> None:
    queue.enqueue([message("poison", properties={"kept": "yes"})])
    for _ in range(3):
        delivery = received(queue)
        if how == "abandon":
            queue.abandon(delivery.token)  # type: ignore[arg-type]
        else:
            clock.pass_s(LOCK_S)
    assert queue.receive() is None
    dead = received(dead_letters(queue))
    assert reason_of(dead) == "MaxDeliveryCountExceeded"
    assert decoded(dead.encoded())[0x74]["kept"] == "yes"
    assert count_of(dead) == 3


def test_a_dead_letter_keeps_its_numbers_and_can_be_completed_abandoned_and_deferred(queue: Queue) -> None:
    (number,) = queue.enqueue([message()])
    queue.dead_letter(received(queue).token, {"DeadLetterReason": "Bad"})  # type: ignore[arg-type]
    dead = dead_letters(queue)
    for _ in range(20):
        queue_entry = received(dead)
        assert queue_entry.entry.sequence == number
        dead.abandon(queue_entry.token)  # type: ignore[arg-type]
    dead.defer(received(dead).token)  # type: ignore[arg-type]
    assert dead.receive() is None
    (deferred,) = dead.receive_deferred([number])
    dead.complete(deferred.token)  # type: ignore[arg-type]
    assert queue.counts().dead == 0


def test_a_dead_letter_cannot_be_dead_lettered_again(queue: Queue) -> None:
    queue.enqueue([message()])
    queue.dead_letter(received(queue).token, {})  # type: ignore[arg-type]
    dead = dead_letters(queue)
    delivery = received(dead)
    with pytest.raises(BrokerError) as caught:
        dead.dead_letter(delivery.token, {})  # type: ignore[arg-type]
    assert caught.value.condition is Condition.NOT_ALLOWED
    dead.complete(delivery.token)  # type: ignore[arg-type]


def test_the_own_time_to_live_and_the_queue_s_the_shorter_one_counts(clock: HandClock) -> None:
    queue = queue_with(clock, ttl_s=100)
    queue.enqueue([message("short", ttl_ms=10_000), message("capped", ttl_ms=10**9), message("default")])
    clock.pass_s(10)
    assert queue.counts().active == 2
    assert reason_of(received(dead_letters(queue))) == "TTLExpiredException"
    clock.pass_s(90)
    assert (queue.counts().active, queue.counts().dead) == (0, 3)


def test_expired_messages_are_dropped_if_the_queue_says_so(clock: HandClock) -> None:
    queue = queue_with(clock, ttl_s=1, dead_letter_on_expiry=False)
    queue.enqueue([message()])
    clock.pass_s(1)
    assert queue.receive() is None
    assert queue.counts().dead == 0


def test_a_locked_message_does_not_expire_until_it_comes_back(queue: Queue, clock: HandClock) -> None:
    queue.enqueue([message(ttl_ms=1000), message(ttl_ms=1000)])
    first, second = received(queue), received(queue)
    clock.pass_s(5)
    assert queue.counts().locked == 2
    queue.complete(first.token)  # type: ignore[arg-type]
    queue.release(second.token)  # type: ignore[arg-type]
    assert (queue.counts().active, queue.counts().dead) == (0, 1)


def test_a_deferred_message_expires_too(queue: Queue, clock: HandClock) -> None:
    queue.enqueue([message(ttl_ms=5000)])
    queue.defer(received(queue).token)  # type: ignore[arg-type]
    assert queue.counts().deferred == 1
    clock.pass_s(5)
    assert (queue.counts().deferred, queue.counts().dead) == (0, 1)


def test_dead_letters_never_expire(queue: Queue, clock: HandClock) -> None:
    queue.enqueue([message(ttl_ms=1)])
    clock.pass_s(1)
    queue.advance()
    clock.pass_s(400 * 86400)
    assert queue.counts().dead == 1


def test_a_scheduled_message_waits_and_joins_the_end_with_a_new_number(queue: Queue, clock: HandClock) -> None:
    (scheduled,) = queue.enqueue([message("later", scheduled_ms=START_MS + 60_000, ttl_ms=1000)])
    queue.enqueue([message("now", ttl_ms=10**6)])
    assert queue.next_due_ms() == START_MS + 60_000
    clock.pass_s(59.999)
    assert queue.counts().scheduled == 1
    clock.pass_s(0.001)
    assert body_of(received(queue).encoded()) == "now"
    later = received(queue)
    assert later.entry.sequence > scheduled
    assert later.entry.enqueue_sequence == scheduled
    assert later.entry.enqueued_ms == clock.ms
    assert later.entry.expires_ms == clock.ms + 1000


def test_a_schedule_in_the_past_is_now(queue: Queue) -> None:
    queue.enqueue([message(scheduled_ms=START_MS)])
    assert queue.counts().active == 1


def test_a_cancelled_schedule_never_comes(queue: Queue, clock: HandClock) -> None:
    numbers = queue.enqueue([message(scheduled_ms=START_MS + 1000) for _ in range(2)])
    with pytest.raises(BrokerError) as caught:
        queue.cancel([numbers[0], 999])
    assert caught.value.condition is Condition.MESSAGE_NOT_FOUND
    assert queue.counts().scheduled == 2
    queue.cancel(numbers)
    clock.pass_s(5)
    assert queue.receive() is None
    with pytest.raises(BrokerError):
        queue.cancel(numbers)


def test_duplicates_are_dropped_within_the_window_only(clock: HandClock) -> None:
    queue = queue_with(clock, duplicate_window_s=60)
    queue.enqueue([message("a", message_id="1"), message("b", message_id="1"), message("c"), message("d")])
    assert queue.counts().active == 3
    clock.pass_s(59)
    queue.enqueue([message(message_id="1")])
    assert queue.counts().active == 3
    clock.pass_s(1)
    queue.enqueue([message(message_id="1")])
    assert queue.counts().active == 4


def test_a_completed_message_still_counts_as_seen_and_types_of_ids_differ(clock: HandClock) -> None:
    queue = queue_with(clock, duplicate_window_s=60)
    queue.enqueue([message(message_id="1")])
    queue.receive(delete=True)
    queue.enqueue([message(message_id="1"), message(message_id=1)])
    assert queue.counts().active == 1


def test_without_a_window_nothing_is_a_duplicate(queue: Queue) -> None:
    queue.enqueue([message(message_id="1"), message(message_id="1")])
    assert queue.counts().active == 2


def test_a_deferred_message_is_received_by_number_only_and_stays_deferred(queue: Queue, clock: HandClock) -> None:
    (number,) = queue.enqueue([message()])
    queue.defer(received(queue).token, {"why": "parent missing"})  # type: ignore[arg-type]
    assert queue.receive() is None
    (delivery,) = queue.receive_deferred([number])
    assert decoded(delivery.encoded())[0x74] == {"why": "parent missing"}
    with pytest.raises(BrokerError) as caught:
        queue.receive_deferred([number])
    assert caught.value.condition is Condition.MESSAGE_NOT_FOUND
    clock.pass_s(LOCK_S)
    assert queue.counts().deferred == 1
    (gone,) = queue.receive_deferred([number], delete=True)
    assert gone.token is None
    assert queue.counts().deferred == 0


def test_peek_shows_every_state_in_order_without_touching_it(queue: Queue) -> None:
    queue.enqueue([message("deferred"), message("locked"), message("active")])
    queue.enqueue([message("scheduled", scheduled_ms=START_MS + 1000)])
    queue.defer(received(queue).token)  # type: ignore[arg-type]
    received(queue)
    before = queue.counts()
    shown = [(body_of(raw), decoded(raw)[0x72]["x-opt-message-state"]) for raw in queue.peek(1, 10)]
    assert shown == [("deferred", 1), ("locked", 0), ("active", 0), ("scheduled", 2)]
    assert [body_of(raw) for raw in queue.peek(2, 2)] == ["locked", "active"]
    assert queue.counts() == before


def test_one_message_too_large_refuses_them_all(clock: HandClock) -> None:
    queue = queue_with(clock, max_message_bytes=100)
    with pytest.raises(BrokerError) as caught:
        queue.enqueue([message("small"), message("x" * 200)])
    assert caught.value.condition is Condition.MESSAGE_TOO_LARGE
    assert queue.counts().active == 0


def test_every_change_is_told(clock: HandClock) -> None:
    told: list[Queue] = []
    queue = Queue(QueueSettings("q"), clock, MemoryStore(), told.append)
    queue.enqueue([message()])
    delivery = received(queue)
    told.clear()
    queue.dead_letter(delivery.token, {})  # type: ignore[arg-type]
    assert set(told) == {queue, queue.dead_letters}
