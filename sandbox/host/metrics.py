"""The app's OpenTelemetry metrics, held in memory, in place of the exporter that Azure's worker starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

_readers: list[InMemoryMetricReader] = []


@dataclass(frozen=True)
class Point:
    """One instrument with one set of attributes: a count, or of a histogram the number of values and their sum."""

    name: str
    unit: str
    attributes: dict[str, Any]
    count: float
    sum: float | None = None


def collect() -> None:
    """Keep what the app counts from now on. A process has one such place for good, so a second call changes nothing."""
    if not _readers:
        _readers.append(InMemoryMetricReader())
        metrics.set_meter_provider(MeterProvider(_readers, shutdown_on_exit=False))


def collected() -> list[dict[str, Any]]:
    """Totals since the process began; empty if nobody asked to collect."""
    return [asdict(point) for reader in _readers for point in _points(reader)]


def _points(reader: InMemoryMetricReader) -> Iterator[Point]:
    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    yield _point(metric.name, metric.unit or "", point)


def _point(name: str, unit: str, point: Any) -> Point:  # noqa: ANN401 - one of the library's several kinds
    attributes = dict(point.attributes or {})
    match point:
        case HistogramDataPoint():
            return Point(name, unit, attributes, point.count, point.sum)
        case NumberDataPoint():
            return Point(name, unit, attributes, point.value)
        case _:
            raise TypeError(f"{name} is neither a counter nor a histogram")
