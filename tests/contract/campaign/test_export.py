"""The opt-out export, through a real SFTP server."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import sftp
from sandbox.campaign import ExportFormat, SftpTarget
from sandbox.sftp import Sftp
from shared.clients.campaign.log_files import LogFileReader
from shared.domain.event_log import LogForm
from shared.domain.fact import EmailEvent
from tests.contract.campaign.conftest import Client, Opener, StoppedClock, eventually


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> sftp.SftpKeys:
    return sftp.ensure_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def server(tmp_path: Path, keys: sftp.SftpKeys) -> AsyncIterator[Sftp]:
    running = await sftp.start(tmp_path, authorized_keys=keys.authorized_keys, host_key=keys.host_key)
    yield running
    await running.stop()


@pytest.fixture
def target(server: Sftp, keys: sftp.SftpKeys) -> SftpTarget:
    return SftpTarget("127.0.0.1", server.port, server.user, keys.client_key, keys.host_key_line)


@pytest.fixture
async def exporting(open_campaign: Opener, target: SftpTarget) -> Client:
    return await open_campaign(sftp=target)


def _rows(server: Sftp, name: str) -> list[dict[str, str]]:
    with (server.exports / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


async def test_the_file_holds_whose_flags_changed(exporting: Client, server: Sftp, clock: StoppedClock) -> None:
    await exporting.create(externalId="c-1", blackListEmail=True)
    await exporting.create(externalId="c-2")
    done = await exporting.control("POST", "export")
    assert done == {"file": "d365_optout_20260302_081000.csv", "rows": 1, "finished": True}
    assert [path.name for path in server.exports.iterdir()] == ["d365_optout_20260302_081000.csv"]
    (row,) = _rows(server, done["file"])
    assert (row["externalId"], row["blackListEmail"], row["ccpaOptOut"]) == ("c-1", "true", "false")
    assert (row["blackListEmailLastModified"], row["blackListFaxLastModified"]) == ("2026-03-02 08:10:00.123Z", "")
    assert row["lastModified"] == "2026-03-02 08:10:00.123Z"


async def test_each_export_is_an_increment(exporting: Client, server: Sftp, clock: StoppedClock) -> None:
    await exporting.create(externalId="c-1", blackListEmail=True)
    await exporting.create(externalId="c-2", blackListEmail=True)
    await exporting.control("POST", "export")
    assert (await exporting.control("POST", "export"))["file"] is None
    await exporting.control("POST", "person/optout", {"externalId": "c-2", "flag": "blackListEmail", "value": False})
    await exporting.call("PATCH", "profileAndServicesExt/profile/c-1", {"fax": "1"})
    clock.advance(days=1)
    done = await exporting.control("POST", "export")
    assert [(row["externalId"], row["blackListEmail"]) for row in _rows(server, done["file"])] == [("c-2", "false")]


async def test_a_half_written_file_stands_under_its_final_name(exporting: Client, server: Sftp) -> None:
    await exporting.create(externalId="c-1", blackListEmail=True)
    await exporting.control("POST", "faults", {"fault": "export-half"})
    done = await exporting.control("POST", "export")
    assert done["finished"] is False
    half = (server.exports / done["file"]).read_bytes()
    assert not half.endswith(b"\n")
    assert (await exporting.control("POST", "export/finish"))["finished"] is True
    whole = (server.exports / done["file"]).read_bytes()
    assert (whole.startswith(half), len(whole) // 2 == len(half)) == (True, True)
    assert _rows(server, done["file"])[0]["externalId"] == "c-1"


async def test_columns_and_delimiter_are_configurable(open_campaign: Opener, server: Sftp, target: SftpTarget) -> None:
    form = ExportFormat(columns=("externalId", "location.city", "ccpaOptOut"), delimiter=",", prefix="optout")
    client = await open_campaign(sftp=target, export=form)
    await client.create(externalId="c-1", ccpaOptOut=True, location={"city": "Paris, Texas"})
    done = await client.control("POST", "export")
    text = (server.exports / done["file"]).read_text(encoding="utf-8")
    assert text == 'externalId,location.city,ccpaOptOut\nc-1,"Paris, Texas",true\n'


async def test_a_failed_upload_keeps_the_rows_for_the_next_run(exporting: Client, server: Sftp) -> None:
    await exporting.create(externalId="c-1", blackListEmail=True)
    server.faults.denied.add("/d365_loads/exports/d365_optout_20260302_081000.csv.part")
    failed = await exporting.call("POST", f"{exporting.campaign.url}/_sandbox/export")
    assert (failed.status, "failed" in failed.body["error"]) == (409, True)
    server.faults.denied.clear()
    assert (await exporting.control("POST", "export"))["rows"] == 1


async def test_only_the_known_host_key_is_trusted(
    open_campaign: Opener, target: SftpTarget, tmp_path: Path, server: Sftp
) -> None:
    impostor = sftp.ensure_keys(tmp_path / "impostor")
    client = await open_campaign(sftp=replace(target, host_key=impostor.host_key_line))
    await client.create(externalId="c-1", blackListEmail=True)
    assert (await client.call("POST", f"{client.campaign.url}/_sandbox/export")).status == 409
    assert list(server.exports.iterdir()) == []


async def test_without_a_target_the_export_says_so(client: Client) -> None:
    await client.create(externalId="c-1", blackListEmail=True)
    answer = await client.call("POST", f"{client.campaign.url}/_sandbox/export")
    assert (answer.status, answer.body) == (409, {"error": "no SFTP target is configured"})


async def test_the_schedule_runs_it_too(
    open_campaign: Opener, server: Sftp, target: SftpTarget, clock: StoppedClock
) -> None:
    client = await open_campaign(sftp=target, export_every_s=86_400)
    await client.create(externalId="c-1", blackListEmail=True)
    await clock.awaited()
    clock.advance(days=1)

    async def exported() -> bool:
        return bool(list(server.exports.glob("*.csv")))

    await eventually(exported)


async def test_log_files_are_of_the_form_that_the_bridge_reads_by_default(exporting: Client, server: Sftp) -> None:
    contact = "5b1c0000-1234-4000-8000-00000000abcd"
    events = [{"kind": kind, "externalId": contact, "id": kind, "delivery": "DM1"} for kind in EmailEvent]
    soft = {"kind": "bounce", "externalId": contact, "bounceType": "soft"}
    done = await exporting.control("POST", "logs", [*events, soft])
    assert done == {"files": ["broadlog_20260302_081000.csv", "trackinglog_20260302_081000.csv"]}
    reader = LogFileReader(LogForm(), frozenset(EmailEvent))
    found: list[tuple[str, EmailEvent, str]] = []
    for name in done["files"]:
        kind = reader.kind_of(name)
        assert kind is not None
        async for batch in reader.read(kind, _pieces((server.exports.parent / "logs" / name).read_bytes()), 1):
            assert batch.bad == ()
            found += [(fact.id, fact.event, fact.delivery) for fact in batch.facts]
    assert found == [
        ("delivery_log/send/send", EmailEvent.SEND, "DM1"),
        ("delivery_log/bounce/bounce", EmailEvent.BOUNCE, "DM1"),
        ("tracking_log/open/open", EmailEvent.OPEN, "DM1"),
        ("tracking_log/click/click", EmailEvent.CLICK, "DM1"),
    ]


async def test_a_log_without_rows_makes_no_file_and_what_is_no_event_is_refused(
    exporting: Client, server: Sftp
) -> None:
    assert await exporting.control("POST", "logs", {"kind": "open"}) == {"files": ["trackinglog_20260302_081000.csv"]}
    for wrong in ({"kind": "unsubscribe"}, "text"):
        url = f"{exporting.campaign.url}/_sandbox/logs"
        assert (await exporting.call("POST", url, wrong, headers={})).status == 400


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content
