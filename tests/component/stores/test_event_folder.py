"""Log files on a real server, as the settings name it: read to the end over a broken connection, each event once."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sandbox import sftp
from shared import settings
from shared.clients.campaign.log_files import LogFileReader
from shared.connections import connect
from shared.domain.change import Lane
from shared.domain.event_log import LogForm
from shared.domain.fact import EmailEvent
from shared.engine.egress import Egress
from shared.engine.event_files import EventFiles
from shared.errors import Reason, Retry
from shared.stores.files.blob import BlobFiles
from shared.stores.files.s3 import S3Files
from shared.wire import decode_facts
from tests.unit.cli.samples import VALUES
from tests.unit.engine.fakes import Known
from tests.unit.examples import ID

HEADER = "id;externalId;campaignName;deliveryName;eventDate;status;failureType"
ROWS = 20_000
GIVEN = VALUES | {
    "OPTOUT_FILES_URL": "https://acme.blob.core.windows.net/exports",
    "OPTOUT_S3_KEY_ID": "id",
    "OPTOUT_S3_SECRET": "secret",
}


def content() -> bytes:
    rows = (f"{number};{ID};SPRING;DM1;2026-03-04T05:06:07Z;sent;" for number in range(ROWS))
    return "\r\n".join([HEADER, *rows]).encode()


def values(url: str, **others: str) -> dict[str, str]:
    given = {name: text for name, text in GIVEN.items() if name != "CAMPAIGN_EVENTS_URL"}
    return given | {"EVENT_FILES_URL": url} | others


@pytest.mark.parametrize(("name", "pack"), [("broadLog_1.csv", bytes), ("broadLog_1.csv.gz", gzip.compress)])
async def test_a_log_on_sftp_is_read_to_its_end_whatever_breaks(tmp_path: Path, name: str, pack: type[bytes]) -> None:
    keys = sftp.ensure_keys(tmp_path / "keys")
    server = await sftp.start(tmp_path / "root", authorized_keys=keys.authorized_keys, host_key=keys.host_key)
    file = pack(content())
    (server.exports / name).write_bytes(file)
    own = {"EVENT_SFTP_KEY": str(keys.client_key), "EVENT_SFTP_HOST_KEY": keys.host_key_line}
    url = f"sftp://{sftp.USER}@127.0.0.1:{server.port}/{sftp.EXPORTS}"
    connections = connect(settings.read(values(url, **own)))
    assert connections.event_files is not None
    world = Known()
    reader = LogFileReader(LogForm(), frozenset(EmailEvent))
    files = EventFiles(world.ports, connections.event_files, reader, settle_s=0)
    server.faults.drop_after_bytes = len(file) // 2
    with pytest.raises(Retry) as broken:
        await files.run(2 * ROWS)
    assert broken.value.reason is Reason.FILES_UNREACHABLE
    rest = await files.run(2 * ROWS)
    assert rest.at_end
    assert await files.run(2 * ROWS) == Egress(facts=0, unreadable=0, at_end=True)
    sent = [fact.id for message in world.in_lane(Lane.TIMELINE) for fact in decode_facts(message.body).facts]
    assert sent == [f"delivery_log/{number}/send" for number in range(ROWS)]
    await connections.close()
    await server.stop()


@pytest.mark.parametrize(
    ("url", "kind"),
    [("s3://acme/logs", S3Files), ("https://acme.blob.core.windows.net/exports/logs", BlobFiles)],
)
async def test_the_address_chooses_the_store(url: str, kind: type) -> None:
    connections = connect(settings.read(values(url)))
    assert isinstance(connections.event_files, kind)
    await connections.close()


async def test_without_an_address_there_is_no_folder() -> None:
    connections = connect(settings.read(GIVEN))
    assert connections.event_files is None
    await connections.close()


def test_a_wrong_key_is_named_with_the_setting_it_belongs_to() -> None:
    given = values("sftp://campaign@acme.campaign.adobe.com/logs", EVENT_SFTP_KEY="nonsense")
    with pytest.raises(ValueError, match="EVENT_FILES_URL: the SFTP key"):
        connect(settings.read(given))
