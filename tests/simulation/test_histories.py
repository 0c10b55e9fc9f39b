"""The histories that simpler protocols did not survive, each by name: see docs/guarantees.md."""

from __future__ import annotations

from shared.domain.ledger import Present, Unknown
from tests.simulation import histories
from tests.simulation.faults import Plan
from tests.simulation.virtual import play
from tests.simulation.world import World


def in_line(world: World) -> World:
    """The same world, if nothing is wrong with it."""
    assert not world.violations(), "\n".join([*world.violations(), *world.log])
    return world


def happened(world: World, text: str) -> bool:
    """Whether the log has such a line."""
    return any(text in line for line in world.log)


def test_a_contact_restored_while_its_privacy_request_runs() -> None:
    """The request that was sent for the deleted person must not remove the restored one for ever."""
    world = in_line(play(histories.restored_while_its_privacy_request_runs()))
    assert world.profile is not None
    assert world.profile.handle == "@2", "the profile of the second life is a new one"
    assert world.calls.count("PRIVACY") == 1
    assert world.calls.count("POST") == 2


def test_b_a_stall_longer_than_the_claim() -> None:
    """A worker that wakes after its claim ended must not overwrite, and nobody may trust a digest that it spoils."""
    world = in_line(play(histories.stall_longer_than_the_claim()))
    assert happened(world, "FAULT")
    assert world.profile is not None
    assert world.profile.fields == {"val": 2}


def test_c_a_timed_out_create_that_lands_after_the_deletion() -> None:
    """The late profile of a deleted person must be found and removed."""
    world = in_line(play(histories.create_lands_after_the_deletion()))
    assert happened(world, "LATE POST -> True")
    assert world.profile is None


def test_d_an_opt_out_set_at_creation() -> None:
    """The opt-out lane finds no profile yet; so the creation itself must carry the flag."""
    world = in_line(play(histories.opt_out_at_creation()))
    assert world.profile is not None
    assert world.profile.flags["blackListEmail"].value
    assert world.calls == ["POST"]


def test_e_an_older_read_written_after_a_newer_one() -> None:
    """Two workers with different reads of the row: the claim lets one through, the other comes back and reads anew."""
    world = in_line(play(histories.older_read_written_later()))
    assert world.profile is not None
    assert world.profile.fields == {"val": 2}


def test_f_an_opt_out_set_while_the_profile_is_created() -> None:
    """The creation must not send FALSE: Campaign would stamp it with a time newer than the person's opt-out."""
    world = in_line(play(histories.opt_out_while_created()))
    assert world.row is not None
    assert world.row["stop"], "\n".join(world.log)


def test_g_two_timeouts_around_a_deletion() -> None:
    """The claim outlives a timed-out write by its landing bound: the deletion waits, sees the ghost and removes it."""
    world = in_line(play(histories.create_lands_after_the_deletion(lands_after_s=88, deleted_after_s=45)))
    assert happened(world, "LATE POST -> True")
    assert world.profile is None


def test_h_a_stalled_worker_that_lost_its_lock_does_not_double_the_message() -> None:
    """Both copies schedule a retry under the same message id; the broker keeps one."""
    world = in_line(play(histories.lock_lost_while_scheduling()))
    assert len(world.calls) <= 12, "\n".join(world.log)


def test_a_change_between_read_and_claim_whose_announcement_is_lost() -> None:
    """Only the read after the claim counts."""
    in_line(play(histories.change_between_read_and_claim()))


def test_an_opt_out_in_campaign_survives_deletion_and_restoration() -> None:
    """The look before the deletion keeps it in the tombstone, and the new profile carries it."""
    world = in_line(play(histories.opted_out_in_campaign_then_deleted_and_restored()))
    assert world.profile is not None
    assert world.profile.flags["blackListEmail"].value


def test_a_write_that_lands_beyond_every_bound_is_found_ten_minutes_later() -> None:
    """Until then the error is real: docs/guarantees.md says so."""
    world = play(histories.lands_beyond_the_bound())
    assert happened(world, "LATE PATCH -> True")
    assert world.silent
    world.silent.clear()
    in_line(world)


def test_a_crash_after_the_privacy_request_asks_under_the_same_name() -> None:
    world = in_line(play(histories.crashed_after_the_privacy_request()))
    assert len(world.requests) == 1


def test_a_crash_after_a_write_leaves_nothing_trusted() -> None:
    in_line(play(histories.crashed_after_a_write()))


class _Liar(Plan):
    lies_left = 2

    def lies(self, where: str) -> bool:
        self.lies_left -= 1
        return self.lies_left >= 0


def test_a_ledger_write_that_is_applied_but_answered_412() -> None:
    """The claim is recognised by its token; after a send the record is distrusted and verified."""

    async def history() -> World:
        world = World(_Liar())
        world.edit(val=1)
        await world.run(30)
        assert not isinstance(world.ledger_row.state, Unknown) or world.ledger_row.check_at is not None
        await world.rest()
        return world

    assert isinstance(in_line(play(history())).ledger_row.state, Present)


def test_a_privacy_request_that_lands_long_after_it_was_announced_is_followed_to_its_end() -> None:
    """Its worker stalled before the send: until it must have landed, that Campaign does not know it proves nothing."""
    world = in_line(play(histories.stalled_before_its_privacy_request_which_lands_late()))
    assert happened(world, "LATE PRIVACY")
    assert world.profile is not None
    assert world.profile.handle == "@2", "the late request removed the first life's profile"
