"""The histories that simpler protocols did not survive, each by name: see docs/guarantees.md."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared.domain.ledger import Present, Unknown
from tests.simulation.faults import Fault, Late, Plan, Scripted
from tests.simulation.virtual import play
from tests.simulation.world import World


def once(fault: Fault, worker: str, where: str) -> Callable[[str, str], Fault | None]:
    """That fault, the first time that this worker comes to that step."""
    left = [fault]
    return lambda w, at: left.pop() if left and (w, at) == (worker, where) else None


def first_write(late: Late, where: str, times: int = 1) -> Callable[[str, str], Late | None]:
    """The first writes of that kind get no answer."""
    left = [late] * times
    return lambda worker, at: left.pop() if left and at == where else None


def no_webhooks() -> list[float]:
    return [1.0]


def assert_in_line(world: World) -> None:
    assert not world.violations(), "\n".join([*world.violations(), *world.log])


def test_a_contact_restored_while_its_privacy_request_runs() -> None:
    """The request that was sent for the deleted person must not remove the restored one for ever."""

    async def history() -> World:
        world = World(Plan())
        world.edit(val=1)
        await asyncio.sleep(10)
        world.delete()
        await asyncio.sleep(7)
        world.edit(val=3)
        await world.rest()
        return world

    world = play(history())
    assert_in_line(world)
    assert world.profile is not None
    assert world.profile.handle == "@2", "the profile of the second life is a new one"
    assert world.calls.count("PRIVACY") == 1
    assert world.calls.count("POST") == 2


def test_b_a_stall_longer_than_the_claim() -> None:
    """A worker that wakes after its claim ended must not overwrite, and nobody may trust a digest that it spoils."""

    async def history() -> World:
        world = World(Scripted(fault=once(Fault(stall_s=170), "w2", "PATCH send")))
        world.edit(val=0)
        await asyncio.sleep(10)
        world.edit(val=1)
        await asyncio.sleep(4)
        world.edit(val=2)
        await world.rest()
        return world

    world = play(history())
    assert_in_line(world)
    assert any("FAULT" in line for line in world.log), "the stall did not happen"
    assert world.profile is not None
    assert world.profile.fields == {"val": 2}


def test_c_a_timed_out_create_that_lands_after_the_deletion() -> None:
    """The late profile of a deleted person must be found and removed."""

    async def history() -> World:
        world = World(Scripted(late=first_write(Late(60), "POST"), webhooks=no_webhooks))
        world.edit(val=1)
        await asyncio.sleep(5)
        world.delete()
        await world.rest()
        return world

    world = play(history())
    assert_in_line(world)
    assert any("LATE POST -> True" in line for line in world.log)
    assert world.profile is None


def test_d_an_opt_out_set_at_creation() -> None:
    """The opt-out lane finds no profile yet; so the creation itself must carry the flag."""

    async def history() -> World:
        world = World(Plan())
        world.edit(val=1, stop=True)
        await world.rest()
        return world

    world = play(history())
    assert_in_line(world)
    assert world.profile is not None
    assert world.profile.flags["blackListEmail"].value
    assert world.calls == ["POST"]


def test_e_an_older_read_written_after_a_newer_one() -> None:
    """Two workers with different reads of the row: the claim lets one through, the other comes back and reads anew."""

    async def history() -> World:
        world = World(Scripted(fault=once(Fault(stall_s=3), "w1", "dynamics answer"), webhooks=no_webhooks))
        world.edit(val=1)
        await asyncio.sleep(1.6)
        world.edit(val=2)
        await world.rest()
        return world

    world = play(history())
    assert_in_line(world)
    assert world.profile is not None
    assert world.profile.fields == {"val": 2}


def test_f_an_opt_out_set_while_the_profile_is_created() -> None:
    """The creation must not send FALSE: Campaign would stamp it with a time newer than the person's opt-out."""

    async def history() -> World:
        world = World(Scripted(fault=once(Fault(stall_s=3), "w1", "POST send")))
        world.edit(val=1, stop=False)
        await asyncio.sleep(4.5)
        world.edit(stop=True)
        await world.rest()
        return world

    world = play(history())
    assert_in_line(world)
    assert world.row is not None
    assert world.row["stop"], "\n".join(world.log)


def test_g_two_timeouts_around_a_deletion() -> None:
    """The claim outlives a timed-out write by its landing bound: the deletion waits, sees the ghost and removes it."""

    async def history() -> World:
        world = World(Scripted(late=first_write(Late(88), "POST")))
        world.edit(val=1)
        await asyncio.sleep(45)
        world.delete()
        await world.rest()
        return world

    world = play(history())
    assert_in_line(world)
    assert world.profile is None
    posts = [line for line in world.log if "POST" in line]
    assert len(posts) == 2, posts


def test_h_a_stalled_worker_that_lost_its_lock_does_not_double_the_message() -> None:
    """Both copies schedule a retry under the same message id; the broker keeps one."""

    async def history() -> World:
        stall = Fault(stall_s=100, lose_lock=True)
        plan = Scripted(fault=lambda worker, at: stall if at == "bus send" else None, webhooks=no_webhooks)
        world = World(plan)
        world.edit(val=1)
        await asyncio.sleep(1.5)
        world.edit(val=2)
        await asyncio.sleep(1.5)
        world.edit(val=3)
        await world.rest()
        return world

    world = play(history())
    assert_in_line(world)
    assert len(world.calls) <= 12, "\n".join(world.log)


def test_a_ledger_write_that_is_applied_but_answered_412() -> None:
    """The claim is recognised by its token; after a send the record is distrusted and verified."""

    class Liar(Plan):
        lies_left = 2

        def lies(self, where: str) -> bool:
            self.lies_left -= 1
            return self.lies_left >= 0

    async def history() -> World:
        world = World(Liar())
        world.edit(val=1)
        await world.run(30)
        assert not isinstance(world.ledger_row.state, Unknown) or world.ledger_row.check_at is not None
        await world.rest()
        return world

    world = play(history())
    assert_in_line(world)
    assert isinstance(world.ledger_row.state, Present)
