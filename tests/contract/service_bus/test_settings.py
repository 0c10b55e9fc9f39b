"""The queue list of the infrastructure is read as the Azure resource means it, and mistakes are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.service_bus import QueueSettings, queues_from_json
from sandbox.service_bus.settings import seconds_of


def written(path: Path, *queues: dict[str, Any]) -> Path:
    file = path / "queues.json"
    file.write_text(json.dumps({"queues": list(queues)}), encoding="utf-8")
    return file


def test_reads_the_properties_of_the_azure_resource(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {
            "name": "contact-upsert",
            "lockDuration": "PT1M",
            "maxDeliveryCount": 7,
            "duplicateDetectionHistoryTimeWindow": "PT1H",
            "requiresDuplicateDetection": True,
            "defaultMessageTimeToLive": "P14D",
            "deadLetteringOnMessageExpiration": False,
            "requiresSession": False,
        },
        {"name": "plain"},
    )
    assert queues_from_json(file) == [
        QueueSettings("contact-upsert", 60, 7, 3600, 14 * 86400, dead_letter_on_expiry=False),
        QueueSettings("plain"),
    ]


def test_a_window_counts_only_with_the_switch(tmp_path: Path) -> None:
    off = {"name": "off", "duplicateDetectionHistoryTimeWindow": "PT1H"}
    on = {"name": "on", "requiresDuplicateDetection": True}
    assert [queue.duplicate_window_s for queue in queues_from_json(written(tmp_path, off, on))] == [0, 600]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"name": "q", "requiresSession": True}, "requiresSession"),
        ({"name": "q", "forwardTo": "other"}, "forwardTo"),
        ({"name": "q", "lockDuration": "PT6M"}, "300 s"),
        ({"name": "q", "lockDuration": "1 minute"}, "lockDuration"),
        ({"name": "q", "maxDeliveryCount": "10"}, "maxDeliveryCount"),
        ({"name": "q", "maxDeliveryCount": 0}, "delivery count"),
        ({"name": "bad name"}, "bad name"),
        ({}, "queue name"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, properties: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        queues_from_json(written(tmp_path, properties))
    assert "queues.json" in str(caught.value)


def test_a_queue_listed_twice_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice"):
        queues_from_json(written(tmp_path, {"name": "q"}, {"name": "Q"}))


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT30S", 30), ("P1DT1H", 90000), ("PT1M30.5S", 90.5), ("P14D", 1209600)]
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "P1Y", "PT1", "60"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds_of(text)


def test_the_product_s_own_queue_list_is_offered_whole() -> None:
    file = Path(__file__).parents[3] / "shared" / "queues.json"
    listed = [queue["name"] for queue in json.loads(file.read_text(encoding="utf-8"))["queues"]]
    assert [queue.name for queue in queues_from_json(file)] == listed
    assert "parked" in listed
