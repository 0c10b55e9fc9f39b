"""E-mail events as log files, for a company without the journal: what two workflows of Campaign would export.

The columns are the bridge's defaults (`log_files` in timeline.yaml): the names that Adobe documents, and labels of our
own for the linked ones. A delivery log row is `sent` or `failed`; a tracking log row with `url-id` 1 is an open.
"""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sandbox.campaign.config import SftpTarget
from sandbox.campaign.times import Clock, iso
from sandbox.campaign.upload import Upload

FOLDER = "d365_loads/logs"
_BOTH = ("id", "externalId", "campaignName", "deliveryName")
_LOGS = {
    "broadlog": (("send", "bounce"), (*_BOTH, "eventDate", "status", "failureType")),
    "trackinglog": (("open", "click"), (*_BOTH, "logDate", "url-id", "urlSource")),
}
_KINDS = {kind for kinds, _ in _LOGS.values() for kind in kinds}


class LogExport:
    """Writes both files, each whole; a log without rows makes no file."""

    def __init__(self, target: SftpTarget | None, now: Clock) -> None:
        self._upload = Upload(target and replace(target, folder=FOLDER))
        self._now = now

    async def run(self, events: Sequence[Mapping[str, Any]]) -> list[str]:
        """Events in the words of the journal, of which only these files know. Returns the files' names.

        Raises ValueError for what is no event, and ExportImpossible.
        """
        if unknown := sorted({str(event.get("kind")) for event in events} - _KINDS):
            raise ValueError(f"an event is one of {', '.join(sorted(_KINDS))}, not {', '.join(unknown)}")
        rows = [(event["kind"], self._row(event)) for event in events]
        written: list[str] = []
        for log, (kinds, columns) in _LOGS.items():
            chosen = [row for kind, row in rows if kind in kinds]
            if chosen:
                written.append(f"{log}_{self._now():%Y%m%d_%H%M%S}.csv")
                await self._upload.write_and_rename(written[-1], _content(columns, chosen))
        return written

    def _row(self, event: Mapping[str, Any]) -> dict[str, str]:
        moment = iso(self._now())
        bounced = event["kind"] == "bounce"
        return {
            "id": str(event.get("id", uuid.uuid4())),
            "externalId": str(event.get("externalId", "")),
            "campaignName": str(event.get("campaign", "2019LoyaltyCamp")),
            "deliveryName": str(event.get("delivery", "DM190")),
            "eventDate": moment,
            "logDate": moment,
            "status": "failed" if bounced else "sent",
            "failureType": str(event.get("bounceType", "hard")) if bounced else "",
            "url-id": "2" if event["kind"] == "click" else "1",
            "urlSource": str(event.get("url", "https://www.example.com/offer")) if event["kind"] == "click" else "",
        }


def _content(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", delimiter=";", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
