"""The figures of a run: ratios and aims first, as a table and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.course import Course, Lap
from bench.worker import Work

READS_OF = 200
RAW_AIM, LIMIT_AIM, READS_AIM = 0.75, 0.90, 3.0


@dataclass(frozen=True)
class Aim:
    """`got` is better when higher, or when lower if `at_most`."""

    what: str
    aim: float
    got: float
    at_most: bool = False

    @property
    def held(self) -> bool:
        """Whether it was reached."""
        return self.got <= self.aim if self.at_most else self.got >= self.aim


def aims(course: Course) -> list[Aim]:
    """What was asked for, with what was measured draining a full queue."""
    found = []
    for lap in course.laps:
        if lap.limit_per_s is None:
            found.append(Aim(f"of the raw loop, {_ms(lap)}", RAW_AIM, lap.drain.per_s / lap.raw_per_s))
        else:
            what = f"of {lap.limit_per_s:g} a second, the concurrency limit, {_ms(lap)}"
            found.append(Aim(what, LIMIT_AIM, lap.drain.per_s / lap.limit_per_s))
        reads = lap.drain.calls.reads * READS_OF / course.contacts
        found.append(Aim(f"Dynamics reads for {READS_OF} changes, {_ms(lap)}", READS_AIM, reads, at_most=True))
    return found


def as_json(course: Course) -> dict[str, Any]:
    """Rates are changes a second, processor times milliseconds a change, lags seconds."""
    return {
        "contacts": course.contacts,
        "at_once": course.at_once,
        "raw_at_once": course.raw_at_once,
        "requests_per_change": course.requests / course.contacts,
        "aims": [vars(aim) | {"held": aim.held} for aim in aims(course)],
        "laps": [_lap(course, lap) for lap in course.laps],
    }


def show(course: Course, console: Console) -> None:
    """Two tables: aims, and everything measured."""
    console.print(_aims(course))
    console.print(_figures(course))


def _aims(course: Course) -> Table:
    table = Table("", "aim", "measured", "", title=f"Aims, {course.contacts} changes, {course.at_once} at once")
    for aim in aims(course):
        sign, form = ("≤", "{:.1f}") if aim.at_most else ("≥", "{:.0%}")
        verdict = "[green]held[/green]" if aim.held else "[red]missed[/red]"
        table.add_row(aim.what, f"{sign} {form.format(aim.aim)}", form.format(aim.got), verdict)
    return table


def _figures(course: Course) -> Table:
    laps = [_lap(course, lap) for lap in course.laps]
    table = Table("", *map(_ms, course.laps), title="Measured")
    for name in laps[0]:
        table.add_row(name.replace("_", " "), *(_shown(lap[name]) for lap in laps))
    return table


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.3g}"


def _lap(course: Course, lap: Lap) -> dict[str, float | None]:
    """The concurrency limit is there only where Campaign has a latency."""
    drain, contacts = lap.drain, course.contacts
    limit = lap.limit_per_s
    figures: dict[str, float | None] = {
        "campaign_latency_ms": 1000 * lap.latency_s,
        "engine_calls_at_once": lap.engine_calls_at_once,
        "drain_to_raw": drain.per_s / lap.raw_per_s,
        "steady_to_raw": drain.steady_per_s / lap.raw_per_s,
        "live_to_raw": lap.live.per_s / lap.raw_per_s,
        "drain_to_raw_without_ledger": drain.per_s / lap.raw_bare.per_s,
        "drain_to_limit": limit and drain.per_s / limit,
        "steady_to_limit": limit and drain.steady_per_s / limit,
        "raw_to_limit": limit and lap.raw_per_s / limit,
        "engine_calls_per_change": drain.calls.engine / contacts,
        "dynamics_reads_per_change": drain.calls.reads / contacts,
        "raw_per_s": lap.raw_per_s,
        "raw_without_ledger_per_s": lap.raw_bare.per_s,
        "drain_per_s": drain.per_s,
        "steady_per_s": drain.steady_per_s,
        "live_per_s": lap.live.per_s,
        "raw_cpu_ms": statistics.mean(one.cpu_ms for one in lap.raw),
    }
    return figures | dict(_processors("drain", drain)) | dict(_processors("live", lap.live)) | _lags(lap.live)


def _processors(name: str, work: Work) -> Iterator[tuple[str, float]]:
    for process in ("host", "stand_ins", "storage"):
        yield f"{name}_{process}_cpu_ms", 1000 * float(getattr(work.cpu, process)) / work.changes
    yield f"{name}_cores_used", work.cpu.ours / work.took_s
    yield f"{name}_cores_used_by_others", (work.cpu.machine - work.cpu.ours) / work.took_s


def _lags(work: Work) -> dict[str, float]:
    """From the webhook's call to the decision."""
    parts = statistics.quantiles(work.lags_s, n=20)
    return {"live_lag_p50_s": statistics.median(work.lags_s), "live_lag_p95_s": parts[18]}


def _ms(lap: Lap) -> str:
    return f"{1000 * lap.latency_s:g} ms, {lap.engine_calls_at_once} at once"
