"""The timer that seals the journal says what it sealed, and raises an alarm about every fault that it found."""

from __future__ import annotations

from datetime import date

from shared.domain.optout_file import FilePolicy
from shared.engine.timers import Timers
from shared.errors import Reason, Retry
from shared.ports import SealedDay
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known

DAY = date(2026, 11, 20)


async def test_a_sealed_days_hash_is_told_and_its_faults_are_alarms(world: Known, lines: Lines) -> None:
    world.seals.days = [SealedDay(DAY, "4f1c", 12, ()), SealedDay(DAY, "77aa", 3, ("entries/a.jsonl:2: unreadable",))]
    await Timers(world.ports, files=FilePolicy(), seals=world.seals, event_limit=1).journal_seal()
    told = [(line["day"], line["entries"], line["hash"]) for line in lines("counted")]
    assert told == [("2026-11-20", 12, "4f1c"), ("2026-11-20", 3, "77aa")]
    assert [(line["reason"], line["detail"]) for line in lines("alarm")] == [
        ("journal_broken", "entries/a.jsonl:2: unreadable")
    ]


async def test_storage_that_does_not_answer_leaves_the_day_to_the_next_run(world: Known, lines: Lines) -> None:
    world.seals.failure = Retry(Reason.JOURNAL_UNREACHABLE)
    await Timers(world.ports, files=FilePolicy(), seals=world.seals, event_limit=1).journal_seal()
    assert lines("counted") == [{"what": "journal_seal_cut_short", "reason": "journal_unreachable"}]
