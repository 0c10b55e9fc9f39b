"""Everything local, started together and stopped together: four stand-ins, Azurite, and the Functions host."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox import azurite, campaign, dataverse, service_bus, sftp
from sandbox.addresses import ROOT, Addresses, settings
from sandbox.azurite import Azurite
from sandbox.campaign import EXAMPLE_RESOURCES, Campaign, CampaignConfig, SftpTarget
from sandbox.dataverse import Dataverse, DataverseConfig
from sandbox.host_process import HostProcess
from sandbox.service_bus import Broker, QueueSettings, queues_from_json
from sandbox.sftp import Sftp, SftpKeys
from sandbox.tls import Tls, ensure_tls

STATE = ROOT / ".sandbox"
QUEUES = ROOT / "shared" / "queues.json"


@dataclass(frozen=True)
class World:
    """A running sandbox; `settings` is what the function app was given."""

    addresses: Addresses
    state: Path
    settings: Mapping[str, str]
    tls: Tls
    broker: Broker
    dataverse: Dataverse
    campaign: Campaign
    sftp: Sftp
    azurite: Azurite
    host: HostProcess
    _stack: AsyncExitStack

    async def stop(self) -> None:
        """The host first, so that it can say goodbye to the others."""
        await self._stack.aclose()


async def start(
    addresses: Addresses,
    state: Path = STATE,
    *,
    overrides: Mapping[str, str] | None = None,
    lock_s: float | None = None,
) -> World:
    """Start all; what was kept in `state` is there again. Whatever started is stopped if a later part fails.

    `overrides`: settings that differ from the example's. `lock_s`: message locks shorter than the queues' own.

    Raises OSError for a port that is taken, NodeError, AzuriteError, HostError.
    """
    state.mkdir(parents=True, exist_ok=True)
    values = settings(addresses, state) | dict(overrides or {})
    tls, keys = ensure_tls(state / "tls"), _keys(state / "keys", addresses)
    async with AsyncExitStack() as stack:
        store = await azurite.start(
            state / "azurite", blob_port=addresses.blob, queue_port=addresses.queue, table_port=addresses.table
        )
        stack.push_async_callback(store.stop)
        broker = await service_bus.start(_queues(lock_s), port=addresses.service_bus, store=state / "service_bus.db")
        stack.push_async_callback(broker.stop)
        files = await sftp.start(
            state / "sftp", port=addresses.sftp, authorized_keys=keys.authorized_keys, host_key=keys.host_key
        )
        stack.push_async_callback(files.stop)
        dynamics = await dataverse.start(_dataverse(tls, addresses, state))
        stack.push_async_callback(dynamics.stop)
        marketing = await campaign.start(_campaign(addresses, state, keys))
        stack.push_async_callback(marketing.stop)
        host = HostProcess(values, addresses.host, state / "host")
        stack.push_async_callback(host.stop)
        await host.start()
        kept = stack.pop_all()
    return World(addresses, state, values, tls, broker, dynamics, marketing, files, store, host, kept)


def _queues(lock_s: float | None) -> list[QueueSettings]:
    queues = queues_from_json(QUEUES)
    return queues if lock_s is None else [replace(queue, lock_duration_s=lock_s) for queue in queues]


def _keys(folder: Path, addresses: Addresses) -> SftpKeys:
    keys = sftp.ensure_keys(folder)
    (folder / "host_key.pub").write_text(keys.known_hosts("localhost", addresses.sftp) + "\n", encoding="utf-8")
    return keys


def _dataverse(tls: Tls, addresses: Addresses, state: Path) -> DataverseConfig:
    """As a company's own: without the bridge's tables, and with an application user who may do nothing yet."""
    users = (dataverse.ADMIN, replace(dataverse.INTEGRATION, administrator=False))
    file = state / "dataverse.db"
    return DataverseConfig(tls=tls, port=addresses.dataverse, state=file, users=users, email_activities=False)


def _campaign(addresses: Addresses, state: Path, keys: SftpKeys) -> CampaignConfig:
    target = SftpTarget("127.0.0.1", addresses.sftp, sftp.USER, keys.client_key, keys.host_key_line)
    return CampaignConfig(
        port=addresses.campaign, state=state / "campaign", sftp=target, custom_resources=EXAMPLE_RESOURCES
    )
