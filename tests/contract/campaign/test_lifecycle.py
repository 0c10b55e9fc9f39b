"""Starting and stopping: as a program, beside held connections, and on a port that is taken."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp
import pytest

from sandbox.campaign import CampaignConfig, CustomField, start
from tests.contract.campaign.conftest import Client, connect, eventually


async def test_the_program_serves_until_it_is_terminated(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox.campaign", "--port", "0", "--sftp-port", "0", "--state", str(tmp_path),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout
    line = (await process.stdout.readline()).decode()
    origin = line.split()[2].removesuffix("/acme/campaign,")
    async with aiohttp.ClientSession() as session, session.get(f"{origin}/_sandbox/health") as response:
        assert await response.json() == {"status": "up"}
    process.terminate()
    assert await process.wait() == 0
    assert (tmp_path / "sftp" / "d365_loads" / "exports").is_dir()
    assert (tmp_path / "campaign" / "campaign.sqlite").is_file()


async def test_stop_does_not_wait_for_held_connections() -> None:
    campaign = await start(CampaignConfig())
    client = await connect(campaign)
    await client.control("POST", "faults", {"fault": "time-out", "hold_s": 600, "apply_after_s": 600})
    held = asyncio.create_task(client.call("POST", "profileAndServices/profile", {}))

    async def is_held() -> bool:
        return bool(campaign.late_writes)

    await eventually(is_held)
    async with asyncio.timeout(10):
        await campaign.stop()
    with pytest.raises(aiohttp.ClientError):
        await held
    await client.session.close()


async def test_a_taken_port_is_an_error(client: Client) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await start(CampaignConfig(port=client.campaign.port))


async def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="begins with 'cus'"):
        CustomField("hobby")
    with pytest.raises(ValueError, match="plain value"):
        CustomField("cusHobby", "object")
    with pytest.raises(ValueError, match="unknown data policy shout"):
        CampaignConfig(data_policies={"lastName": "shout"})
    with pytest.raises(ValueError, match="no profile field cusCrmId"):
        CampaignConfig(custom_key="cusCrmId")
