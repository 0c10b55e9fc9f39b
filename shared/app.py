"""The composition root: settings in, app out. Built on first use; the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import SystemRandom

from azure.data.tables.aio import TableServiceClient
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient
from pydantic import SecretStr

from shared import mapping_file, settings
from shared.clients.campaign.auth import ImsTokens
from shared.clients.campaign.client import CampaignClient
from shared.clients.campaign.config import CampaignConfig
from shared.clients.campaign.events import JournalEvents
from shared.clients.campaign.export import read as read_export
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.context import parse as parse_context
from shared.clients.http import Http
from shared.domain.mapping import Mapping
from shared.engine.deliver import Engine, Patience
from shared.engine.intake import Doorkeeper
from shared.engine.timers import Timers
from shared.engine.webhook import Webhook
from shared.mapping_file import MappingError
from shared.ports import Ports
from shared.settings import Settings
from shared.stores.clock import SystemClock
from shared.stores.dead_letters import DeadLetters
from shared.stores.files import SftpFiles
from shared.stores.service_bus import ServiceBusLanes, service_bus_client
from shared.stores.storage_calls import table_service
from shared.stores.tables import TableLedger, TableWatermarks
from shared.telemetry import Telemetry

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class App:
    """What the triggers and the command line use. `close` ends every connection."""

    settings: Settings
    ports: Ports
    engine: Engine
    webhook: Webhook
    timers: Timers
    dynamics: DynamicsClient
    campaign: CampaignClient
    dead_letters: DeadLetters
    close: Callable[[], Awaitable[None]]


_app: App | None = None


def get_app() -> App:
    """The process's one app. Raises SettingsError, MappingError."""
    global _app
    if _app is None:
        _app = build(settings.read(os.environ))
    return _app


def environment() -> MappingOf[str, str]:
    """The process's environment, for what wants to show it."""
    return dict(os.environ)


def adopt(values: MappingOf[str, str]) -> Settings:
    """Put a settings file's values into the environment, as the Functions host does, and read them.

    Libraries read theirs there (SSL_CERT_FILE). Raises SettingsError.
    """
    os.environ.update(values)
    return settings.read(os.environ)


def build(config: Settings) -> App:
    """A new app; nothing is connected before it is used. Raises MappingError, and ValueError for an SFTP key."""
    mapping = _mapping(config)
    connections = _connect(config)
    telemetry, now = Telemetry(), SystemClock().now
    dynamics = DynamicsClient(_dynamics(config), connections.http, connections.entra, lambda: mapping, now)
    campaign = CampaignClient(_campaign(config), connections.http, connections.ims, now)
    ports = Ports(
        dynamics=dynamics,
        campaign=campaign,
        events=JournalEvents(_campaign(config), connections.http, connections.ims, now),
        files=_files(config),
        read_export=read_export,
        ledger=TableLedger(connections.tables),
        watermarks=TableWatermarks(connections.tables),
        bus=connections.bus,
        clock=SystemClock(),
        random=SystemRandom(),
        timings=config.timings(),
        telemetry=telemetry,
        mapping=lambda: mapping,
    )
    return App(
        settings=config,
        ports=ports,
        engine=Engine(ports, telemetry, _patience(config)),
        webhook=Webhook(ports, Doorkeeper(config.webhook_keys()), parse_context),
        timers=Timers(ports, settle_s=config.optout_sftp_settle_seconds, event_limit=config.event_limit_per_run),
        dynamics=dynamics,
        campaign=campaign,
        dead_letters=connections.dead_letters,
        close=connections.close,
    )


@dataclass(frozen=True)
class _Connections:
    """What holds sockets, and is closed at the end."""

    http: Http
    credential: DefaultAzureCredential
    tables: TableServiceClient
    broker: ServiceBusClient
    bus: ServiceBusLanes
    dead_letters: DeadLetters
    entra: MsalTokens
    ims: ImsTokens

    async def close(self) -> None:
        await self.bus.close()
        await self.dead_letters.close()
        for connection in (self.broker, self.tables, self.http, self.entra, self.credential):
            await connection.close()


def _connect(config: Settings) -> _Connections:
    http = Http()
    credential = DefaultAzureCredential(managed_identity_client_id=config.identity_client_id)
    broker = service_bus_client(_secret(config.service_bus), config.service_bus_namespace, credential)
    bus = ServiceBusLanes(broker)
    return _Connections(
        http=http,
        credential=credential,
        tables=table_service(_secret(config.storage), config.storage_table_url, credential),
        broker=broker,
        bus=bus,
        dead_letters=DeadLetters(broker, bus),
        entra=MsalTokens(_dynamics(config)),
        ims=ImsTokens(_campaign(config), http, SystemClock().now),
    )


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


def _files(config: Settings) -> SftpFiles:
    key = config.optout_sftp_key.get_secret_value()
    return SftpFiles.from_settings(config.optout_sftp_url, key, config.optout_sftp_host_key)


def _mapping(config: Settings) -> Mapping:
    try:
        text = (ROOT / config.mapping_file).read_text(encoding="utf-8")
    except OSError as error:
        raise MappingError(f"MAPPING_FILE {config.mapping_file}: {error.strerror}") from None
    return mapping_file.parse(text)


def _patience(config: Settings) -> Patience:
    return Patience(timedelta(days=config.retry_max_age_days), timedelta(days=config.event_max_age_days))


def _dynamics(config: Settings) -> DynamicsConfig:
    return DynamicsConfig(
        url=config.dynamics_url,
        authority=config.dynamics_authority,
        client_id=config.dynamics_client_id,
        client_secret=config.dynamics_client_secret.get_secret_value(),
        timeout_s=config.http_timeout_seconds,
    )


def _campaign(config: Settings) -> CampaignConfig:
    return CampaignConfig(
        url=config.campaign_url,
        token_url=config.campaign_token_url,
        client_id=config.campaign_client_id,
        client_secret=config.campaign_client_secret.get_secret_value(),
        scopes=config.campaign_scopes,
        organization_id=config.campaign_organization_id,
        events_url=config.campaign_events_url,
        timeout_s=config.http_timeout_seconds,
    )
