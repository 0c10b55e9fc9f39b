"""The histories that simpler protocols did not survive: docs/guarantees.md tells each in a line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared.domain.change import RowChange, RowEvent
from shared.domain.contact import Flag
from tests.simulation.faults import Fault, Late, Plan, Scripted
from tests.simulation.world import KEY, CampaignProfile, World


def once(fault: Fault, worker: str, where: str) -> Callable[[str, str], Fault | None]:
    """That fault, the first time that this worker comes to that step."""
    left = [fault]
    return lambda w, at: left.pop() if left and (w, at) == (worker, where) else None


def first_write(late: Late, where: str) -> Callable[[str, str], Late | None]:
    """The first write of that kind gets no answer."""
    left = [late]
    return lambda worker, at: left.pop() if left and at == where else None


def after_a_second() -> list[float]:
    """Every announcement arrives once, a second later."""
    return [1.0]


async def restored_while_its_privacy_request_runs() -> World:
    """A."""
    world = World(Plan())
    world.edit(val=1)
    await asyncio.sleep(10)
    world.delete()
    await asyncio.sleep(7)
    world.edit(val=3)
    await world.rest()
    return world


async def stall_longer_than_the_claim() -> World:
    """B."""
    world = World(Scripted(fault=once(Fault(stall_s=170), "w2", "PATCH send"), webhooks=after_a_second))
    world.edit(val=0)
    await asyncio.sleep(10)
    world.edit(val=1)
    await asyncio.sleep(4)
    world.edit(val=2)
    await world.rest()
    return world


async def create_lands_after_the_deletion(lands_after_s: float = 60, deleted_after_s: float = 5) -> World:
    """C; with 88 and 45 seconds: G."""
    world = World(Scripted(late=first_write(Late(lands_after_s), "POST"), webhooks=after_a_second))
    world.edit(val=1)
    await asyncio.sleep(deleted_after_s)
    world.delete()
    await world.rest()
    return world


async def opt_out_at_creation() -> World:
    """D."""
    world = World(Plan())
    world.edit(val=1, stop=True)
    await world.rest()
    return world


async def older_read_written_later() -> World:
    """E."""
    world = World(Scripted(fault=once(Fault(stall_s=3), "w1", "dynamics answer"), webhooks=after_a_second))
    world.edit(val=1)
    await asyncio.sleep(1.6)
    world.edit(val=2)
    await world.rest()
    return world


async def change_between_read_and_claim() -> World:
    """The row changes after the first read; its own hint finds the claim live and comes back, or is lost."""
    world = World(Scripted(fault=once(Fault(stall_s=5), "w1", "ledger write"), webhooks=after_a_second))
    world.edit(val=1)
    await asyncio.sleep(3)
    world.row = {**world.row, "val": 2} if world.row else None  # its announcement is lost
    await world.rest()
    return world


async def opt_out_while_created() -> World:
    """F."""
    world = World(Scripted(fault=once(Fault(stall_s=3), "w1", "POST send"), webhooks=after_a_second))
    world.edit(val=1, stop=False)
    await asyncio.sleep(4)
    world.edit(stop=True)
    await world.rest()
    return world


async def lock_lost_while_scheduling() -> World:
    """H."""
    stall = Fault(stall_s=100, lose_lock=True)
    world = World(Scripted(fault=lambda _, at: stall if at == "bus send" else None, webhooks=after_a_second))
    for value in (1, 2, 3):
        world.edit(val=value)
        await asyncio.sleep(1.5)
    await world.rest()
    return world


async def opted_out_in_campaign_then_deleted_and_restored() -> World:
    """The daily file has not come yet: only the look before the deletion knows of the opt-out."""
    world = World(Plan())
    world.edit(val=1)
    await asyncio.sleep(20)
    world.opt_out_in_campaign(announced=False)
    await asyncio.sleep(5)
    world.delete()
    await asyncio.sleep(60)
    world.edit(val=2)
    await world.rest()
    return world


async def lands_beyond_the_bound() -> World:
    """A write lands later than any bound; the check ten minutes later finds it."""
    world = World(Scripted(late=first_write(Late(300), "PATCH"), webhooks=after_a_second))
    world.edit(val=1)
    await asyncio.sleep(10)
    world.edit(val=2)
    await asyncio.sleep(200)
    world.edit(val=3)
    await world.rest()
    return world


async def crashed_after_the_privacy_request() -> World:
    """The worker dies before it can note that it asked; the redelivery asks again."""
    world = World(Scripted(fault=once(Fault(crash=True), "w2", "PRIVACY answer"), webhooks=after_a_second))
    world.privacy_s = 900
    world.edit(val=1)
    await asyncio.sleep(10)
    world.delete()
    await world.rest()
    return world


async def crashed_after_a_write() -> World:
    """The worker dies between its write and the ledger; then the row goes back to what was there before."""
    world = World(Scripted(fault=once(Fault(crash=True), "w2", "PATCH answer"), webhooks=after_a_second))
    world.edit(val=1)
    await asyncio.sleep(10)
    world.edit(val=2)
    await asyncio.sleep(5)
    world.edit(val=1)
    await world.rest()
    return world


async def late_write_and_a_newer_change(changed_after_s: float, *, crash: bool = False) -> World:
    """An update gets no answer and lands 80 s later; meanwhile the row changes again."""
    world = World(Scripted(late=first_write(Late(80, crash), "PATCH"), webhooks=after_a_second))
    world.edit(val=0)
    await asyncio.sleep(10)
    world.edit(val=1)
    await asyncio.sleep(changed_after_s)
    world.edit(val=2)
    await world.rest()
    return world


async def stalled_before_the_send_and_crashed_after_it() -> World:
    """Late enough in its claim that the write could land after it."""
    fault = once(Fault(stall_s=100), "w2", "ledger written")
    late = first_write(Late(85, crash=True), "PATCH")
    world = World(Scripted(fault=fault, late=late, webhooks=after_a_second))
    world.edit(val=0)
    await asyncio.sleep(10)
    world.edit(val=1)
    await asyncio.sleep(110)
    world.edit(val=2)
    await world.rest()
    return world


async def deleted_and_restored(plan: Plan, *, privacy_s: float, restored_after_s: float) -> World:
    """A privacy request takes `privacy_s`; the row is restored `restored_after_s` after its deletion."""
    world = World(plan)
    world.privacy_s = privacy_s
    world.edit(val=1)
    await asyncio.sleep(10)
    world.delete()
    await asyncio.sleep(restored_after_s)
    world.edit(val=2)
    await world.rest()
    return world


async def restored_after_a_crash_that_followed_the_privacy_request() -> World:
    """The request runs long; whoever meets the restored row must know of it."""
    plan = Scripted(fault=once(Fault(crash=True), "w2", "PRIVACY answer"), webhooks=after_a_second)
    return await deleted_and_restored(plan, privacy_s=300, restored_after_s=12)


async def stalled_before_its_privacy_request_which_lands_late() -> World:
    """The worker has checked the time and stalls for longer than its claim; meanwhile the contact is restored."""
    fault, late = once(Fault(stall_s=152, lose_lock=True), "w2", "PRIVACY send"), first_write(Late(78), "PRIVACY")
    plan = Scripted(fault=fault, late=late, webhooks=after_a_second)
    return await deleted_and_restored(plan, privacy_s=900, restored_after_s=5)


async def deleted_and_restored_at_once() -> World:
    """Nobody looks in between; the restored row is opted out."""
    world = World(Scripted(webhooks=after_a_second))
    world.edit(val=1)
    await asyncio.sleep(10)
    world.delete()
    world.edit(val=1, stop=True)
    await world.rest()
    return world


async def a_plug_in_changes_the_row_in_our_write() -> World:
    """The customer's own code runs inside our opt-out write, and its change bears our name."""
    world = World(Scripted(webhooks=after_a_second))
    world.plug_in = {"val": 99}
    world.edit(val=1)
    await asyncio.sleep(10)
    world.opt_out_in_campaign()
    await world.rest()
    return world


async def retries_that_lose_their_lock() -> World:
    """Every retry is scheduled, and then the broker gives the message to somebody else, too."""
    fault = Fault(lose_lock=True)
    world = World(Scripted(fault=lambda _, at: fault if at == "bus sent" else None, webhooks=after_a_second))
    world.privacy_s = 400
    world.edit(val=1)
    await asyncio.sleep(10)
    world.delete()
    await asyncio.sleep(10)
    world.edit(val=2)
    await world.rest()
    return world


async def not_shown_for_a_moment() -> World:
    """Dynamics does not show the row, and nobody said that it was deleted."""
    world = World(Scripted(webhooks=after_a_second))
    world.edit(val=1)
    await asyncio.sleep(20)
    row, world.row = world.row, None
    world.announce(RowEvent(KEY, RowChange.UPDATE, frozenset({"val"}), None))
    await asyncio.sleep(8)
    world.row = row
    await world.rest()
    return world


async def ghost_after_its_request_ended() -> World:
    """A create without an answer lands after the deletion's request has run: only a look after its end finds it."""
    world = World(Scripted(late=first_write(Late(80, crash=True), "POST"), webhooks=after_a_second))
    world.privacy_s = 1
    world.edit(val=1)
    await asyncio.sleep(3.8)
    world.profile = CampaignProfile("@0", {"val": 0}, {"blackListEmail": Flag(False)})
    world.delete()
    await world.rest()
    return world
