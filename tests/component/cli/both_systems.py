"""Both stand-ins, Azurite, and a folder with a mapping to edit: what `bridge` commands of the mapping meet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import asyncssh
import pytest
import pytest_asyncio
from azure.storage.blob.aio import BlobServiceClient
from typer.testing import CliRunner, Result

import sandbox.campaign as campaign_stand_in
import sandbox.dataverse as dataverse_stand_in
from cli import wiring
from cli.main import app
from cli.wiring import Wiring
from sandbox import azurite
from sandbox.tls import ensure_tls
from shared.app import App
from shared.clients.calls import Request
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.http import Http
from shared.settings import Settings, read
from shared.stores.mappings import CONTAINER
from tests.component.cli.typed import WIDE
from tests.unit.cli.samples import VALUES


@dataclass
class World:
    """Both stand-ins, Azurite, and a folder with a mapping to edit; `bridge` types a command."""

    values: dict[str, str]
    blobs: BlobServiceClient
    file: Path

    async def bridge(self, *words: str, **options: Any) -> Result:
        """A command of the mapping, which must build no whole app."""
        return await self._type(["mapping", *words], not_built, **options)

    async def whole(self, *words: str, **options: Any) -> Result:
        """Any command, with the app as it is deployed."""
        return await self._type(list(words), wiring.build, **options)

    async def _type(self, words: list[str], build: Callable[[Settings], App], **options: Any) -> Result:
        parts = Wiring(settings=lambda _file: read(self.values), build=build, environment=lambda _file: {})
        return await asyncio.to_thread(
            CliRunner().invoke, app, words, obj=parts, catch_exceptions=False, **({"env": WIDE} | options)
        )

    async def apply(self, text: str, *words: str) -> Result:
        self.file.write_text(text, encoding="utf-8")
        return await self.bridge("apply", str(self.file), "--yes", *words)

    async def in_force(self) -> Any:
        return json.loads((await self.bridge("show", "--json")).stdout)

    async def blob(self, name: str) -> Any:
        return json.loads(await (await self.blobs.get_blob_client(CONTAINER, name).download_blob()).readall())


def not_built(_settings: object) -> Any:
    raise AssertionError("the commands build only what they need")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def storage() -> AsyncIterator[azurite.Azurite]:
    running = await azurite.start(None)
    yield running
    await running.stop()


@pytest.fixture
async def world(storage: azurite.Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    tls = ensure_tls(tmp_path / "tls")
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
    async with AsyncExitStack() as stack:
        dataverse = await dataverse_stand_in.start(dataverse_stand_in.DataverseConfig(tls=tls))
        stack.push_async_callback(dataverse.stop)
        resources = campaign_stand_in.EXAMPLE_RESOURCES
        campaign = await campaign_stand_in.start(campaign_stand_in.CampaignConfig(custom_resources=resources))
        stack.push_async_callback(campaign.stop)
        values = _settings(dataverse, campaign) | {"Storage": storage.connection_string}
        await _people(values)
        blobs = await stack.enter_async_context(BlobServiceClient.from_connection_string(storage.connection_string))
        yield World(values, blobs, tmp_path / "mapping.yaml")
        async for container in blobs.list_containers():
            await blobs.delete_container(container)


def _settings(dataverse: dataverse_stand_in.Dataverse, campaign: campaign_stand_in.Campaign) -> dict[str, str]:
    sftp_key = asyncssh.generate_private_key("ssh-ed25519")
    user, client = dataverse_stand_in.INTEGRATION, campaign.config.clients[0]
    return VALUES | {
        "DYNAMICS_URL": dataverse.url,
        "DYNAMICS_AUTHORITY": f"{dataverse.url}/{dataverse.org.config.tenant_id}",
        "DYNAMICS_CLIENT_ID": user.client_id,
        "DYNAMICS_CLIENT_SECRET": user.secret,
        "CAMPAIGN_URL": f"{campaign.url}/{campaign.config.org}/campaign",
        "CAMPAIGN_TOKEN_URL": f"{campaign.url}/ims/token/v3",
        "CAMPAIGN_CLIENT_ID": client.client_id,
        "CAMPAIGN_CLIENT_SECRET": client.client_secret,
        "OPTOUT_SFTP_KEY": sftp_key.export_private_key().decode(),
        "OPTOUT_SFTP_HOST_KEY": f"files.example.com {sftp_key.export_public_key().decode()}",
        "CAMPAIGN_ORGANIZATION_ID": campaign.config.ims_org,
    }


def contact_id(number: int) -> str:
    """Of one of the three contacts."""
    return str(uuid5(UUID(int=3), str(number)))


async def order(values: Mapping[str, str], method: str, path: str, document: dict[str, Any]) -> None:
    """A change in Dynamics."""
    config = DynamicsConfig(
        values["DYNAMICS_URL"],
        values["DYNAMICS_AUTHORITY"],
        values["DYNAMICS_CLIENT_ID"],
        values["DYNAMICS_CLIENT_SECRET"],
    )
    http, tokens = Http(), MsalTokens(config)
    headers = {"Authorization": f"Bearer {await tokens.token()}", "Content-Type": "application/json"}
    body = json.dumps(document).encode()
    answer = await http.send(Request("test", "x", method, f"{config.base}/{path}", headers, body), 5)
    assert answer.status < 300, answer.body
    await tokens.close()
    await http.close()


async def _people(values: Mapping[str, str]) -> None:
    """Three contacts; the last is inactive."""
    rows: list[dict[str, Any]] = [
        {"firstname": "Canaria", "emailaddress1": "one@example.com", "address1_city": "Berlin"},
        {"firstname": "Canaria" * 6, "emailaddress1": "two@example.com"},
        {"firstname": "Canaria", "address1_city": "Canarytown"},
    ]
    ids = [contact_id(number) for number in range(len(rows))]
    for one, row in zip(ids, rows, strict=True):
        await order(values, "POST", "contacts", {"contactid": one, **row})
    await order(values, "PATCH", f"contacts({ids[-1]})", {"statecode": 1, "statuscode": 2})
