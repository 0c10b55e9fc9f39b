"""The composition root: settings in, app out. Built on first use; the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Any

from azure.data.tables.aio import TableServiceClient
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr

from shared import mapping_file, metrics, settings, timeline_file
from shared.clients.budget import BudgetedSender, CallBudget
from shared.clients.calls import CallRecord, Sender
from shared.clients.campaign.auth import ImsTokens
from shared.clients.campaign.client import CampaignClient
from shared.clients.campaign.config import CampaignConfig
from shared.clients.campaign.events import JournalEvents
from shared.clients.campaign.export import read as read_export
from shared.clients.campaign.metadata import ResourceMetadata
from shared.clients.campaign.wire_events import EventShape
from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.context import parse as parse_context
from shared.clients.dynamics.identity import DynamicsTokens, tokens_of
from shared.clients.dynamics.metadata import TableMetadata
from shared.clients.dynamics.sample import SampleRows
from shared.clients.http import Http
from shared.clients.limiter import Limiter, PacedSender
from shared.domain.mapping import Mappings
from shared.domain.pace import Pace
from shared.domain.timeline import ActivityTables, Timeline
from shared.engine.deliver import Engine, Patience
from shared.engine.intake import Doorkeeper
from shared.engine.optout_timers import OptOutTimers
from shared.engine.timers import Timers
from shared.engine.webhook import Webhook
from shared.errors import Reason
from shared.mapping_file import MappingError
from shared.ports import Ports
from shared.settings import Settings, SettingsError
from shared.stores.append_log import AppendLog
from shared.stores.budget import TableCallCounter
from shared.stores.clock import SystemClock
from shared.stores.dead_letters import DeadLetters
from shared.stores.deletions import HourlyDeletions
from shared.stores.family import TableFamily
from shared.stores.files import SftpFiles
from shared.stores.journal import BlobJournal
from shared.stores.letter_desk import CONTAINER as LETTER_DESK
from shared.stores.letter_desk import LetterDesk
from shared.stores.live_mapping import LiveMapping
from shared.stores.mappings import BlobMappings, blob_service
from shared.stores.recollections import TableRecollections
from shared.stores.service_bus import ServiceBusLanes, service_bus_client
from shared.stores.storage_calls import table_service
from shared.stores.tables import TableLedger, TableWatermarks
from shared.stores.waiting import QueuedOptOuts
from shared.telemetry import Telemetry

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Inspection:
    """How both systems describe themselves, and rows without their ids: for the command line only."""

    tables: TableMetadata
    resources: ResourceMetadata
    sample: SampleRows


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
    inspection: Inspection
    dead_letters: DeadLetters
    letter_desk: LetterDesk
    mappings: BlobMappings
    tables: ActivityTables
    close: Callable[[], Awaitable[None]]

    @property
    def optout_timers(self) -> OptOutTimers:
        """The opt-out lane's own timers; they keep nothing between two runs."""
        return OptOutTimers(self.ports, polls=self.settings.optout_poll)


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
    """A new app; nothing is connected before use. Raises MappingError, SettingsError, ValueError for an SFTP key."""
    connections, telemetry, now = _connect(config), Telemetry(), SystemClock().now
    mappings = BlobMappings(connections.blobs, now)
    mapping = LiveMapping(mappings, _shipped(config), now, telemetry, unreadable=Reason.MAPPING_UNREADABLE)
    timeline = _timeline(config)
    dynamics = _dynamics(config, connections, mapping, timeline)
    campaign = CampaignClient(campaign_config(config), connections.to_campaign, connections.ims, now)
    ports = Ports(
        dynamics=dynamics,
        campaign=campaign,
        records=campaign,
        events=_journal(config, connections, timeline),
        files=_files(config),
        read_export=read_export,
        ledger=TableLedger(connections.tables, now),
        family=TableFamily(connections.tables),
        journal=BlobJournal(connections.blobs, now, SystemRandom()),
        recollections=TableRecollections(connections.tables),
        waiting_opt_outs=QueuedOptOuts(connections.broker),
        changed_profiles=campaign,
        deletions=HourlyDeletions(partial(TableCallCounter, connections.tables, "deletions"), now),
        watermarks=TableWatermarks(connections.tables),
        bus=connections.bus,
        clock=SystemClock(),
        random=SystemRandom(),
        timings=config.timings(),
        telemetry=telemetry,
        mappings=mapping,
        refresh_mapping=mapping.refresh,
        timeline=timeline.rules,
    )
    return App(
        settings=config,
        ports=ports,
        engine=Engine(ports, telemetry, _patience(config)),
        webhook=Webhook(ports, Doorkeeper(config.webhook_keys()), parse_context),
        timers=_timers(config, ports),
        dynamics=dynamics,
        campaign=campaign,
        inspection=_inspection(config, connections),
        dead_letters=connections.dead_letters,
        letter_desk=LetterDesk(AppendLog(connections.blobs, LETTER_DESK), SystemClock()),
        mappings=mappings,
        tables=timeline.tables,
        close=connections.close,
    )


def _dynamics(config: Settings, connections: _Connections, mapping: LiveMapping, timeline: Timeline) -> DynamicsClient:
    settled, now = dynamics_config(config), SystemClock().now
    return DynamicsClient(settled, connections.to_dynamics, connections.entra, mapping, now, tables=timeline.tables)


def _journal(config: Settings, connections: _Connections, timeline: Timeline) -> JournalEvents:
    settled, now = campaign_config(config), SystemClock().now
    shape = EventShape(**dict[str, Any](timeline.journal))
    return JournalEvents(settled, connections.http, connections.ims, now, shape=shape)


def _timers(config: Settings, ports: Ports) -> Timers:
    return Timers(
        ports,
        settle_s=config.optout_sftp_settle_seconds,
        event_limit=config.event_limit_per_run,
        event_run_s=config.event_run_seconds,
    )


@dataclass(frozen=True)
class _Connections:
    """What holds sockets, and is closed at the end."""

    http: Http
    to_dynamics: Sender
    to_campaign: Sender
    budget: CallBudget | None
    credential: DefaultAzureCredential
    tables: TableServiceClient
    blobs: BlobServiceClient
    broker: ServiceBusClient
    bus: ServiceBusLanes
    dead_letters: DeadLetters
    entra: DynamicsTokens
    ims: ImsTokens

    async def close(self) -> None:
        await self.bus.close()
        await self.dead_letters.close()
        if self.budget is not None:
            await self.budget.close()
        for connection in (self.broker, self.tables, self.blobs, self.http, self.entra, self.credential):
            await connection.close()


def _connect(config: Settings) -> _Connections:
    http = Http(_observe)
    credential = DefaultAzureCredential(managed_identity_client_id=config.identity_client_id)
    broker = service_bus_client(_secret(config.service_bus), config.service_bus_namespace, credential)
    bus = ServiceBusLanes(broker)
    tables = table_service(_secret(config.storage), config.storage_table_url, credential)
    budget = _budget(config, tables)
    to_campaign = _paced(http, config.campaign_max_in_flight)
    return _Connections(
        http=http,
        to_dynamics=_paced(http, config.dynamics_max_in_flight),
        to_campaign=to_campaign if budget is None else BudgetedSender(to_campaign, budget),
        budget=budget,
        credential=credential,
        tables=tables,
        blobs=blob_service(_secret(config.storage), config.storage_blob_url, credential),
        broker=broker,
        bus=bus,
        dead_letters=DeadLetters(broker, bus),
        entra=tokens_of(dynamics_config(config)),
        ims=ImsTokens(campaign_config(config), http, SystemClock().now),
    )


def _inspection(config: Settings, connections: _Connections) -> Inspection:
    now, dynamics, campaign = SystemClock().now, dynamics_config(config), campaign_config(config)
    return Inspection(
        tables=TableMetadata(dynamics, connections.to_dynamics, connections.entra, now),
        resources=ResourceMetadata(campaign, connections.to_campaign, connections.ims, now),
        sample=SampleRows(dynamics, connections.to_dynamics, connections.entra, now),
    )


def _observe(record: CallRecord) -> None:
    metrics.call(record.system, record.kind, record.status, record.seconds)


def _paced(http: Http, ceiling: int) -> PacedSender:
    return PacedSender(http, Limiter(Pace(ceiling)), SystemClock().now)


def _budget(config: Settings, tables: TableServiceClient) -> CallBudget | None:
    per_day = config.campaign_calls_per_day
    return CallBudget(TableCallCounter(tables), per_day, SystemClock().now, SystemRandom()) if per_day else None


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


def _pem(text_or_path: SecretStr | None) -> str:
    text = _secret(text_or_path) or ""
    if not text or text.lstrip().startswith("-----BEGIN"):
        return text
    try:
        return Path(text).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"DYNAMICS_CLIENT_CERTIFICATE: neither PEM nor a file: {error.strerror}") from None


def _files(config: Settings) -> SftpFiles:
    key = config.optout_sftp_key.get_secret_value()
    return SftpFiles.from_settings(config.optout_sftp_url, key, config.optout_sftp_host_key)


def _shipped(config: Settings) -> Mappings:
    try:
        text = (ROOT / config.mapping_file).read_text(encoding="utf-8")
    except OSError as error:
        raise MappingError(f"MAPPING_FILE {config.mapping_file}: {error.strerror}") from None
    return mapping_file.read(text)


def _timeline(config: Settings) -> Timeline:
    try:
        text = (ROOT / config.timeline_file).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"TIMELINE_FILE {config.timeline_file}: {error.strerror}") from None
    return timeline_file.read(text)


def _patience(config: Settings) -> Patience:
    return Patience(
        retry=timedelta(days=config.retry_max_age_days),
        event=timedelta(days=config.event_max_age_days),
        parent=timedelta(hours=config.parent_max_wait_hours),
    )


def dynamics_config(config: Settings) -> DynamicsConfig:
    """Where Dataverse is, from the settings."""
    return DynamicsConfig(
        url=config.dynamics_url,
        authority=config.dynamics_authority,
        client_id=config.dynamics_client_id,
        client_secret=_secret(config.dynamics_client_secret) or "",
        client_certificate=_pem(config.dynamics_client_certificate),
        managed_identity=config.dynamics_managed_identity is not None,
        timeout_s=config.http_timeout_seconds,
    )


def campaign_config(config: Settings) -> CampaignConfig:
    """Where Campaign is, from the settings."""
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
