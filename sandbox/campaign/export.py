"""The daily opt-out export: a delimited file on the SFTP server with the profiles whose flags changed."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
from collections.abc import Iterable

from sandbox.campaign.config import CampaignConfig, ExportFormat
from sandbox.campaign.faults import ExportHalf, FaultBoard
from sandbox.campaign.profiles import Profiles
from sandbox.campaign.rows import Record
from sandbox.campaign.store import Database
from sandbox.campaign.times import Clock
from sandbox.campaign.upload import ExportImpossible, Upload

_MARK = "exported_flag_change"
logger = logging.getLogger(__name__)


class OptOutExport:
    """Writes the file over SFTP: under a temporary name, then renamed, so that no reader meets half a file.

    Each file holds the profiles whose flags changed after the previous one (the first: all that ever had one set),
    once each, in order of change. A failed upload moves nothing on: the next run tries the same profiles again.
    """

    def __init__(
        self, profiles: Profiles, database: Database, faults: FaultBoard, config: CampaignConfig, now: Clock
    ) -> None:
        self._profiles, self._database, self._faults = profiles, database, faults
        self._config, self._now = config, now
        self._upload = Upload(config.sftp)
        self._unfinished: tuple[str, bytes] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> dict[str, object]:
        """Export now; return `{"file": name or None, "rows": n, "finished": bool}`. Raises ExportImpossible."""
        async with self._one_at_a_time:
            return await self._run()

    async def _run(self) -> dict[str, object]:
        mark = int(self._database.setting(_MARK, "0"))
        changed, new_mark = self._profiles.flags_changed_since(mark)
        if not changed and self._config.export.skip_empty:
            return {"file": None, "rows": 0, "finished": True}
        name = f"{self._config.export.prefix}_{self._now():%Y%m%d_%H%M%S}.csv"
        content = file_content(changed, self._config.export)
        half = self._faults.take_of(ExportHalf) is not None
        if half:
            await self._upload.write_in_place(name, content[: len(content) // 2])
            self._unfinished = (name, content)
        else:
            await self._upload.write_and_rename(name, content)
        self._database.set_setting(_MARK, str(new_mark))
        logger.info("opt-out export %s: %d rows, finished %s", name, len(changed), not half)
        return {"file": name, "rows": len(changed), "finished": not half}

    async def finish(self) -> dict[str, object]:
        """Complete a half-written file in place. Raises ExportImpossible if there is none."""
        if self._unfinished is None:
            raise ExportImpossible("no half-written export to finish")
        name, content = self._unfinished
        await self._upload.write_in_place(name, content)
        self._unfinished = None
        return {"file": name, "finished": True}

    def forget(self) -> None:
        """Drop a half-written file's rest."""
        self._unfinished = None


def file_content(profiles: Iterable[Record], form: ExportFormat) -> bytes:
    """Return the file: UTF-8, a header line, booleans as `true` and `false`, times as the API writes them."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=form.delimiter, lineterminator="\n")
    writer.writerow(form.columns)
    writer.writerows([_cell(profile, name) for name in form.columns] for profile in profiles)
    return text.getvalue().encode()


def _cell(profile: Record, name: str) -> str:
    value: object = profile.body
    for part in name.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value).lower() if isinstance(value, bool) else str(value)
