"""`bridge deadletters replay`, killed at random: nothing is lost, nothing is settled twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.component.replaying.stage import assert_each_once, opened

SEED = 5
pytestmark = [pytest.mark.timeout(240)]


async def test_each_letter_is_settled_exactly_once_wherever_the_command_is_killed(tmp_path: Path) -> None:
    async with opened(tmp_path) as stage:
        expected = await stage.fill(300)
        async with stage.worker():
            killed = await stage.replay_killed(SEED, 2, "replay", "--all", "--yes", "--why", "a test")
        assert killed > 0, "the command was through before it could be killed"
        assert_each_once(stage.settled, expected)
        assert stage.waiting == 0
        actions = await stage.finish("audit")
        assert [action["what"] for action in actions][-1] == "replay ended"
        assert len({action["run"] for action in actions}) == 1


async def test_only_the_chosen_leave_a_mixed_queue_and_the_others_stay_to_be_had(tmp_path: Path) -> None:
    async with opened(tmp_path) as stage:
        expected = await stage.fill(900, chosen=lambda number: number % 5 == 4)
        async with stage.worker():
            report = await stage.finish("replay", "--reason", "refused_value", "--why", "a test", "--yes")
        assert (report["done"], report["left"]) == (180, 0)
        assert_each_once(stage.settled, expected)
        assert stage.waiting == 720
        (group, other) = await stage.finish("list")
        assert group["count"] + other["count"] == 720
        discarded = await stage.finish("discard", "--reason", "malformed", "--why", "a test", "--yes")
        assert (discarded["done"], stage.waiting) == (720, 0), "the deferred ones, too"
