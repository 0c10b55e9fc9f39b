"""Log export files into the timeline lane: each once, from the line where the last run ended, what is wrong told."""

from __future__ import annotations

import json

import pytest

from shared.clients.campaign import log_files
from shared.clients.campaign.log_files import LogFileReader
from shared.domain.change import Lane
from shared.domain.event_log import DeliveryLog, LogForm
from shared.domain.fact import EmailEvent
from shared.domain.optout_file import FilePolicy
from shared.engine.egress import Egress
from shared.engine.event_files import EventFiles
from shared.engine.timers import Timers
from shared.errors import Retry
from shared.ports import BusUnavailableError
from shared.stores.files import memory
from shared.wire import decode_facts
from tests.unit.engine.conftest import Lines
from tests.unit.engine.fakes import Known
from tests.unit.examples import ID

HEADER = "id;externalId;campaignName;deliveryName;eventDate;status;failureType"
CLICKS = "id;externalId;campaignName;deliveryName;logDate;url-id;urlSource"
ALL = frozenset(EmailEvent)
SETTLE_S = 60


def row(number: int, contact: str = ID, at: str = "2026-03-04T05:06:07Z") -> str:
    return f"{number};{contact};SPRING;DM1;{at};sent;"


def rows(first: int, count: int) -> list[str]:
    return [row(number) for number in range(first, first + count)]


def folder(world: Known, form: LogForm | None = None, settle_s: float = 0) -> EventFiles:
    return EventFiles(world.ports, world.folder, LogFileReader(form or LogForm(), ALL), settle_s)


def sent(world: Known) -> list[str]:
    return [fact.id for message in world.in_lane(Lane.TIMELINE) for fact in decode_facts(message.body).facts]


def ids(*numbers: int) -> list[str]:
    return [f"delivery_log/{number}/send" for number in numbers]


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "FACTS", 2)


async def test_each_log_is_read_once_the_oldest_first(world: Known, lines: Lines) -> None:
    world.folder.write("broadlog_2.csv", HEADER, *rows(1, 1))
    world.clock.pass_(10)
    world.folder.write("broadlog_1.csv", HEADER, *rows(2, 2))
    world.folder.write("trackinglog_1.csv", CLICKS, f"7;{ID};SPRING;DM1;2026-03-04T05:06:07Z;9;https://example.org")
    world.folder.write("recipients.csv", "a;b", "1;2")
    files = folder(world)
    assert await files.run(100) == Egress(facts=4, unreadable=0, at_end=True)
    assert sent(world) == [*ids(1, 2, 3), "tracking_log/7/click"]
    assert await files.run(100) == Egress(facts=0, unreadable=0, at_end=True)
    assert await folder(world).run(100) == Egress(facts=0, unreadable=0, at_end=True)  # after a restart, too
    assert {"what": "event_files_ignored", "files": 1} in lines("counted")  # a pattern that is wrong would show
    told = [line for line in lines("counted") if line["what"] == "event_file"]
    assert [(line["file"], line["facts"]) for line in told] == [
        ("broadlog_2.csv", 1),
        ("broadlog_1.csv", 2),
        ("trackinglog_1.csv", 1),
    ]


async def test_a_file_must_rest_and_one_that_still_grows_is_another(world: Known) -> None:
    files = folder(world, settle_s=SETTLE_S)
    world.folder.write("broadlog.csv", HEADER, *rows(1, 1))
    assert (await files.run(100)).facts == 0
    world.clock.pass_(SETTLE_S - 1)
    world.folder.write("broadlog.csv", HEADER, *rows(1, 2))
    assert (await files.run(100)).facts == 0
    world.clock.pass_(SETTLE_S)
    assert (await files.run(100)).facts == 2
    world.folder.write("broadlog_3.csv.part", HEADER, *rows(9, 1))
    world.clock.pass_(10 * SETTLE_S)
    assert (await files.run(100)).facts == 0


async def test_what_is_over_the_limit_or_the_time_is_carried_over(world: Known) -> None:
    world.folder.write("broadlog_1.csv", HEADER, *rows(1, 5))
    world.folder.write("broadlog_2.csv", HEADER, *rows(6, 1))
    files = folder(world)
    assert await files.run(3) == Egress(facts=4, unreadable=0, at_end=False)
    assert await files.run(1) == Egress(facts=1, unreadable=0, at_end=False)
    assert await files.run(100, seconds=0) == Egress(facts=0, unreadable=0, at_end=False)
    assert await files.run(100) == Egress(facts=1, unreadable=0, at_end=True)
    assert sent(world) == ids(1, 2, 3, 4, 5, 6)


async def test_a_run_that_broke_off_goes_on_at_its_last_checkpoint(
    world: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PIECE_BYTES", 100)
    world.folder.write("broadlog.csv", HEADER, *rows(1, 5))
    world.folder.broken_at["broadlog.csv"] = 350
    files = folder(world)
    with pytest.raises(Retry):
        await files.run(100)
    assert sent(world) == ids(1, 2)
    world.folder.broken_at.clear()
    await files.run(100)
    assert sent(world) == ids(1, 2, 3, 4, 5)


async def test_the_position_moves_only_once_the_events_are_durable(world: Known) -> None:
    world.folder.write("broadlog.csv", HEADER, *rows(1, 3))
    world.bus.refusing = True
    with pytest.raises(BusUnavailableError):
        await folder(world).run(100)
    (place,) = world.watermarks.values.values()
    assert json.loads(place)["line"] == 1
    world.bus.refusing = False
    await folder(world).run(100)
    assert sent(world) == ids(1, 2, 3)


async def test_lines_that_cannot_be_read_are_counted_and_named_and_the_rest_goes_on(world: Known, lines: Lines) -> None:
    world.folder.write("broadlog.csv", HEADER, row(1), row(2, at="never"), "x;y", row(3), row(4, contact="X"))
    assert await folder(world).run(100) == Egress(facts=2, unreadable=2, at_end=True)
    assert sent(world) == ids(1, 3)
    told = lines("counted")
    assert [line["where"] for line in told if line["what"] == "event_file_bad_row"] == [
        "broadlog.csv:3: eventDate is not a time of the agreed format",
        "broadlog.csv:4: not 7 cells",
    ]
    (summary,) = [line for line in told if line["what"] == "event_file"]
    assert (summary["facts"], summary["strangers"], summary["unreadable"], summary["line"]) == (2, 1, 2, 6)


async def test_a_file_of_another_form_raises_one_alarm_and_is_read_once_the_form_is_corrected(
    world: Known, lines: Lines
) -> None:
    world.folder.write("broadlog.csv", HEADER.replace("eventDate", "Date"), *rows(1, 1))
    for _ in range(2):
        assert await folder(world).run(100) == Egress(facts=0, unreadable=0, at_end=True)
    (alarm,) = lines("alarm")
    assert (alarm["where"], alarm["reason"]) == ("broadlog.csv", "wrong_log_file")
    assert "lacks eventDate" in alarm["detail"]
    await folder(world, LogForm(delivery_log=DeliveryLog(at="Date"))).run(100)
    assert sent(world) == ids(1)


async def test_lines_of_which_none_can_be_read_stop_their_file_until_a_person_has_looked(
    world: Known, lines: Lines
) -> None:
    bad = [row(number, at="04/03/2026") for number in range(3, 14)]
    world.folder.write("broadlog.csv", HEADER, *rows(1, 2), *bad)
    assert await folder(world).run(100) == Egress(facts=2, unreadable=0, at_end=True)
    (alarm,) = lines("alarm")
    assert "no line from 4 to 14 can be read: eventDate" in alarm["detail"]
    await folder(world, LogForm(time_format="%d/%m/%Y")).run(100)
    assert sent(world) == ids(*range(1, 14))


async def test_a_file_that_cannot_be_reached_holds_up_no_other(world: Known) -> None:
    world.folder.write("broadlog_1.csv", HEADER, *rows(1, 1))
    world.folder.write("broadlog_2.csv", HEADER, *rows(2, 1))
    world.folder.broken_at["broadlog_1.csv"] = 0
    with pytest.raises(Retry):
        await folder(world).run(100)
    assert sent(world) == ids(2)


async def test_a_file_read_again_sends_no_message_twice(world: Known) -> None:
    world.folder.write("broadlog.csv", HEADER, *rows(1, 5))
    await folder(world).run(100)
    world.watermarks.values.clear()
    await folder(world).run(100)
    assert sent(world) == ids(1, 2, 3, 4, 5)


async def test_the_timer_reads_the_files_instead_of_the_journal(world: Known, lines: Lines) -> None:
    world.folder.write("broadlog.csv", HEADER, *rows(1, 1))
    timers = Timers(world.ports, FilePolicy(), world.seals, event_limit=10, event_files=folder(world))
    await timers.event_egress()
    assert world.journal.asked == []
    assert lines("counted")[-1] == {"what": "event_egress", "facts": 1, "skipped": 0, "unreadable": 0, "at_end": True}
