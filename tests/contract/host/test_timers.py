"""Timer triggers: firing on time and by hand, missed runs, and the admin API."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.host import HostFileError
from sandbox.host.ncrontab import parse
from sandbox.host.timer_state import ScheduleStatus, TimerState, opening_status
from tests.contract.host.conftest import StartHost, soon

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOURLY = "0 0 * * * *"

RECORDING = """
runs, gate = [], asyncio.Event()
gate.set()
@app.timer_trigger(arg_name="timer", schedule="%WHEN%", run_on_startup=RUN_ON_STARTUP, use_monitor=USE_MONITOR)
async def tick(timer: func.TimerRequest) -> None:
    runs.append((timer.past_due, timer.schedule_status, timer.schedule))
    await gate.wait()
"""


def recording(*, run_on_startup: bool = False, use_monitor: bool = True) -> str:
    return RECORDING.replace("RUN_ON_STARTUP", str(run_on_startup)).replace("USE_MONITOR", str(use_monitor))


class TestMissedRuns:
    schedule = parse(HOURLY)

    def test_first_sight_is_not_late(self) -> None:
        status, late = opening_status(None, self.schedule, NOON)
        assert (status, late) == (ScheduleStatus(None, NOON + timedelta(hours=1), NOON), False)

    def test_next_run_ahead_is_not_late(self) -> None:
        known = ScheduleStatus(NOON, NOON + timedelta(hours=1), NOON)
        assert opening_status(known, self.schedule, NOON + timedelta(minutes=59)) == (known, False)

    def test_next_run_behind_is_late(self) -> None:
        known = ScheduleStatus(NOON, NOON + timedelta(hours=1), NOON)
        assert opening_status(known, self.schedule, NOON + timedelta(days=3)) == (known, True)

    def test_a_timer_that_never_ran_can_be_late(self) -> None:
        known = ScheduleStatus(None, NOON + timedelta(hours=1), NOON)
        assert opening_status(known, self.schedule, NOON + timedelta(hours=2)) == (known, True)

    def test_a_changed_schedule_starts_over(self) -> None:
        known = ScheduleStatus(NOON, NOON + timedelta(days=1), NOON)
        now = NOON + timedelta(days=2, minutes=5)
        status, late = opening_status(known, self.schedule, now)
        assert (status.last, status.next, late) == (None, NOON + timedelta(days=2, hours=1), False)

    def test_state_file_round_trip_and_damage(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "timers.json"
        status = ScheduleStatus(None, NOON + timedelta(hours=1), NOON)
        TimerState(path).put("tick", status)
        assert TimerState(path).get("tick") == status
        assert TimerState(path).get("other") is None
        path.write_text('{"tick": {}}')
        with pytest.raises(HostFileError, match="not a file of timer states"):
            TimerState(path)


async def test_fires_on_schedule(start_host: StartHost) -> None:
    host = await start_host(recording(), {"WHEN": "* * * * * *"})
    await soon(lambda: len(host.app_module.runs) >= 2)
    past_due, status, schedule = host.app_module.runs[0]
    assert not past_due
    assert schedule == {"AdjustForDST": True}
    assert status == {}, "more often than every minute, so it is not monitored"


async def test_does_not_fire_by_itself_before_its_time(start_host: StartHost) -> None:
    host = await start_host(recording(), {"WHEN": "0 0 0 29 2 *"})
    await asyncio.sleep(0.05)
    assert host.app_module.runs == []


async def test_run_on_startup(start_host: StartHost) -> None:
    host = await start_host(recording(run_on_startup=True), {"WHEN": "0 0 0 29 2 *"})
    await soon(lambda: host.app_module.runs)
    assert host.app_module.runs[0][0] is False


async def test_a_missed_run_is_made_up_for_with_past_due(start_host: StartHost, tmp_path: Path) -> None:
    now = NOON
    host = await start_host(recording(), {"WHEN": HOURLY}, state_dir=tmp_path, now=lambda: now)
    await host.stop()
    assert json.loads((tmp_path / "timers.json").read_text())["tick"]["Next"] == "2026-11-21T13:00:00+00:00"

    now = NOON + timedelta(hours=5, minutes=30)
    host = await start_host(recording(), {"WHEN": HOURLY}, state_dir=tmp_path, now=lambda: now)
    await soon(lambda: host.app_module.runs)
    past_due, status, _ = host.app_module.runs[0]
    assert past_due
    assert status["Next"] == "2026-11-21T13:00:00+00:00"
    assert status["Last"] == "0001-01-01T00:00:00+00:00"
    await host.stop()
    stored = json.loads((tmp_path / "timers.json").read_text())["tick"]
    assert stored["Last"] == "2026-11-21T17:30:00+00:00"
    assert stored["Next"] == "2026-11-21T18:00:00+00:00"

    host = await start_host(recording(), {"WHEN": HOURLY}, state_dir=tmp_path, now=lambda: now)
    await asyncio.sleep(0.05)
    assert host.app_module.runs == [], "made up for once"


async def test_without_monitor_a_missed_run_stays_missed(start_host: StartHost, tmp_path: Path) -> None:
    for hours in (0, 5):
        clock = partial(lambda hours: NOON + timedelta(hours=hours, minutes=30), hours)
        host = await start_host(recording(use_monitor=False), {"WHEN": HOURLY}, state_dir=tmp_path, now=clock)
        await asyncio.sleep(0.05)
        assert host.app_module.runs == []
        await host.stop()


async def test_one_run_at_a_time(start_host: StartHost) -> None:
    host = await start_host(recording(), {"WHEN": "0 0 0 29 2 *"})
    module = host.app_module
    module.gate.clear()
    first, second = asyncio.create_task(host.fire("tick")), asyncio.create_task(host.fire("tick"))
    await soon(lambda: len(module.runs) == 1)
    await asyncio.sleep(0.05)
    assert len(module.runs) == 1
    module.gate.set()
    await asyncio.gather(first, second)
    assert len(module.runs) == 2


async def test_a_failing_run_does_not_stop_the_schedule(start_host: StartHost) -> None:
    host = await start_host("""
        @app.timer_trigger(arg_name="timer", schedule="* * * * * *")
        def tick(timer: func.TimerRequest) -> None:
            raise ValueError("no")
    """)
    await soon(lambda: host.invoker.statistics.get("tick") and host.invoker.statistics["tick"].failures >= 2)


async def test_fire_in_process_raises_what_the_function_raises(start_host: StartHost) -> None:
    host = await start_host("""
        @app.timer_trigger(arg_name="timer", schedule="0 0 0 29 2 *")
        def fails(timer: func.TimerRequest) -> None:
            raise ValueError("no")
        @app.timer_trigger(arg_name="timer", schedule="0 0 0 29 2 *")
        def returns(timer: func.TimerRequest):
            return 1
    """)
    with pytest.raises(ValueError, match="no"):
        await host.fire("fails")
    with pytest.raises(RuntimeError, match=r"without a \$return binding returned a non-None value"):
        await host.fire("returns")
    with pytest.raises(LookupError, match="no timer function is called 'other'"):
        await host.fire("other")


async def test_admin_api(start_host: StartHost, http: aiohttp.ClientSession) -> None:
    host = await start_host(
        recording() + "    if len(runs) == 3: raise KeyError('x')\n@app.route()\ndef web(req): ...", {"WHEN": HOURLY}
    )

    async def call(method: str, path: str) -> tuple[int, Any]:
        async with http.request(method, host.url + path) as answer:
            return answer.status, await answer.json(content_type=None)

    status, listed = await call("GET", "/admin/functions")
    assert status == 200
    assert [item["name"] for item in listed] == ["tick", "web"]
    assert listed[0]["config"]["bindings"][0]["schedule"] == "%WHEN%"
    assert listed[1]["invoke_url_template"] == f"{host.url}/api/web"

    assert await call("POST", "/admin/functions/tick") == (202, None)
    await soon(lambda: len(host.app_module.runs) == 1)
    assert await call("POST", "/admin/functions/tick?wait=1") == (200, {"status": "ok"})
    assert await call("POST", "/admin/functions/tick?wait=1") == (500, {"status": "error", "exception": "KeyError"})
    assert (await call("POST", "/admin/functions/none"))[0] == 404
    assert (await call("POST", "/admin/functions/web"))[0] == 501
    assert (await call("GET", "/admin/host/keys"))[0] == 501

    _, state = await call("GET", "/admin/host/status")
    assert (state["state"], state["in_flight"]) == ("Running", 0)
    assert (state["functions"]["tick"]["invocations"], state["functions"]["tick"]["failures"]) == (3, 1)
    assert state["functions"]["tick"]["last_duration_s"] < 1
    assert state["functions"]["web"]["last_duration_s"] is None

    assert (await call("GET", "/admin/host/drain/status"))[1]["state"] == "Disabled"
    assert (await call("POST", "/admin/host/drain"))[0] == 202
    assert (await call("GET", "/admin/host/drain/status"))[1] == {"state": "Completed", "outstandingInvocations": 0}
    assert (await call("GET", "/admin/host/status"))[1]["state"] == "Draining"


async def test_stop_waits_for_a_run_and_leaves_no_task(start_host: StartHost) -> None:
    before = asyncio.all_tasks()
    host = await start_host(recording(), {"WHEN": "0 0 0 29 2 *"})
    module = host.app_module
    module.gate.clear()
    host.fire_later("tick")
    await soon(lambda: module.runs)
    asyncio.get_running_loop().call_later(0.2, module.gate.set)
    await host.stop()
    assert host.invoker.statistics["tick"].failures == 0
    assert asyncio.all_tasks() == before
    assert host.state == "Stopped"


async def test_stop_cancels_what_outlasts_the_drain_time(start_host: StartHost) -> None:
    host = await start_host(recording(), {"WHEN": "0 0 0 29 2 *"}, drain_s=0.1)
    host.app_module.gate.clear()
    running = asyncio.create_task(host.fire("tick"))
    await soon(lambda: host.app_module.runs)
    await host.stop()
    with pytest.raises(Exception, match="was cancelled"):
        await running
