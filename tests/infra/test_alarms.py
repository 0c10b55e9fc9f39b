"""The alarms' and the workbook's queries speak of what the bridge really says."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

import pytest

from shared.domain.change import Hint, Lane, RecordKey, Source, Why
from shared.errors import Reason
from shared.telemetry import Telemetry
from tests.architecture.declared import ROOT, triggers
from tests.infra.bicep import INFRA, bicep

QUERIES = {path.relative_to(INFRA).as_posix(): path.read_text() for path in sorted(INFRA.rglob("*.kql"))}
ALERTS = bicep("modules/log_alerts.bicep")
# Timers whose silence is no news, each with the reason.
UNWATCHED: dict[str, str] = {}
PREFIX = re.compile(r'Message startswith "(\w+) "')


@pytest.fixture
def said(caplog) -> dict[str, set[str]]:
    """The keys of each kind of line, with everything that it can hold."""
    caplog.set_level(logging.INFO, logger="bridge")
    telemetry = Telemetry()
    hint = Hint("id", RecordKey("contact", "1"), Why.UPSERT, Source.WEBHOOK, datetime.now(UTC))
    telemetry.decision(
        lane=Lane.OPTOUT,
        message=hint,
        reason=Reason.GAVE_UP,
        detail="detail",
        lag_s=1,
        again_in_s=1,
        parked=True,
        mapping="1",
    )
    telemetry.counted("optout_file", files=1, rows=1, hints=1, bad_rows=0, expected=True)
    telemetry.alarm("place", Reason.WRONG_FILE, "detail")
    lines = [record.getMessage().partition(" ") for record in caplog.records]
    return {kind: set(json.loads(text)) for kind, _, text in lines}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_reads_keys_that_the_lines_have(name: str, said: dict[str, set[str]]) -> None:
    """The prefix is cut off where it ends, and what follows is the line's own JSON."""
    text = QUERIES[name]
    kinds = PREFIX.findall(text)
    if "said." in text:
        (kind,) = kinds
        assert f"parse_json(substring(Message, {len(kind) + 1}))" in text
        assert set(re.findall(r"\bsaid\.(\w+)", text)) <= said[kind]
    assert set(kinds) <= said.keys()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_names_lanes_that_exist(name: str) -> None:
    named = re.findall(r'lane\)? (?:==|!=) "([a-z-]+)"', QUERIES[name])
    assert set(named) <= {str(lane) for lane in Lane}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_names_reasons_that_exist(name: str) -> None:
    named = re.findall(r'said\.reason\) (?:==|!=) "(\w+)"', QUERIES[name])
    assert set(named) <= {reason.slug for reason in Reason}


def test_the_halts_are_those_of_the_registry() -> None:
    named = re.search(r"reason in \(([^)]*)\)", QUERIES["queries/halt.kql"])
    assert named is not None
    section = (ROOT / "docs" / "reasons.md").read_text().partition("\n## Halt\n")[2].partition("\n## ")[0]
    assert set(re.findall(r'"(\w+)"', named[1])) == set(re.findall(r"^\| `(\w+)` ", section, re.MULTILINE))


def test_every_timer_has_an_alarm_for_its_silence() -> None:
    """A timer that is new is added to the template, with the minutes after which its silence is news."""
    lists = (ALERTS.variables["timersAlways"], ALERTS.variables["timersByChoice"])
    watched = {timer["name"] for timers in lists for timer in timers}
    assert watched == set(triggers("timerTrigger")) - UNWATCHED.keys()
    assert set(triggers("timerTrigger")) >= UNWATCHED.keys()


@pytest.mark.parametrize("rule", ALERTS.variables["rules"], ids=lambda rule: str(rule["name"]))
def test_an_alarms_dimensions_are_columns_of_its_query(rule) -> None:
    path = re.fullmatch(r"loadTextContent\('\.\./([^']+)'\)", rule["query"])
    assert path is not None
    last = QUERIES[path[1]].rpartition("summarize")[2]
    assert all(re.search(rf"\b{dimension}\b", last) for dimension in rule["dimensions"])


@pytest.mark.parametrize("name", [name for name in QUERIES if "workbook" not in name])
def test_an_alarms_query_says_which_time_it_is_about(name: str) -> None:
    """Its rule only widens what may be read."""
    assert "ago(" in QUERIES[name]


def test_every_alarm_is_explained_to_whoever_gets_it() -> None:
    explained = (ROOT / "docs" / "operations.md").read_text()
    names = [rule["name"] for rule in ALERTS.variables["rules"]]
    names += [rule["name"] for rule in bicep("modules/metric_alerts.bicep").variables["rules"]]
    assert [name for name in names if f"| `{name}` |" not in explained] == []
    assert "| `silent-TIMER` |" in explained
