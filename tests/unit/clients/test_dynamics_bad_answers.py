"""Answers of Dynamics that are refusals, cut off, or nothing that was asked for: come back later, and crash never."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.clients.calls import Response
from shared.clients.dynamics.wire import CONTACTS
from shared.clients.dynamics.wire_changes import read_changes, read_gone, read_jobs, read_steps
from shared.clients.dynamics.wire_errors import DOES_NOT_EXIST
from shared.clients.dynamics.wire_tables import read_table
from shared.clients.dynamics.wire_tasks import read_owners
from shared.clients.dynamics.wire_timeline import read_timeline
from shared.domain.fact import EmailEvent
from shared.errors import Halt, Reason, Retry
from shared.timeline_file import ADOBE_TABLES
from tests.unit.clients.test_dynamics_wire import A, answer, error

LINK = "https://org.example.test/api/data/v9.2/contacts?$deltatoken=1"
JOB = {"asyncoperationid": A, "completedon": "2026-03-01T00:00:00Z"}


def changes(response: Response) -> object:
    return read_changes(response, CONTACTS, continued=False)


def table(response: Response) -> object:
    return read_table(response, ADOBE_TABLES.tables[EmailEvent.CLICK], [])


Reader = Callable[[Response], object]
READERS: list[Reader] = [changes, read_gone, read_steps, read_jobs, table, read_owners, read_timeline]


@pytest.mark.parametrize("read", READERS)
def test_an_outage_comes_back(read: Reader) -> None:
    with pytest.raises(Retry):
        read(answer(503))


@pytest.mark.parametrize(
    ("read", "document"),
    [
        (changes, {"value": [{"contactid": A}]}),
        (changes, {"value": "rows", "@odata.deltaLink": LINK}),
        (changes, {"value": ["row"], "@odata.deltaLink": LINK}),
        (changes, {"value": [{"contactid": 7}], "@odata.deltaLink": LINK}),
        (changes, {"value": [{"reason": "deleted"}], "@odata.deltaLink": LINK}),
        (read_steps, {"value": {}}),
        (read_jobs, {"value": [JOB | {"asyncoperationid": "1 or 1=1"}]}),
        (read_jobs, {"value": [JOB | {"completedon": None}]}),
        (read_jobs, {"value": [{"asyncoperationid": A}]}),
        (table, {"IsActivity": True, "Attributes": {}}),
        (read_owners, {"value": None}),
        (read_owners, {"value": ["row"]}),
        (read_owners, {"value": [{"_ownerid_value": A}]}),
        (read_timeline, {"value": {}}),
        (read_timeline, {"value": ["row"]}),
        (read_timeline, {"value": [{"activityid": A}]}),
        (
            read_timeline,
            {"value": [{"activityid": A, "activitytypecode": "task", "statecode": 0, "actualend": "soon"}]},
        ),
    ],
)
def test_what_is_not_readable_comes_back(read: Reader, document: Any) -> None:
    with pytest.raises(Retry) as found:
        read(answer(200, document))
    assert found.value.reason is Reason.DYNAMICS_UNREACHABLE
    assert "1=1" not in found.value.detail


def test_only_the_platforms_own_word_says_that_a_row_is_gone() -> None:
    assert read_gone(error(404, DOES_NOT_EXIST))
    assert not read_gone(answer(200, {}))
    with pytest.raises(Halt):
        read_gone(error(404, "0x0"))
