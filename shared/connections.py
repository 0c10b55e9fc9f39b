"""What holds sockets: made from the settings, connected on first use, closed together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import SystemRandom

from azure.data.tables.aio import TableServiceClient
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr

from shared import metrics
from shared.clients.budget import BudgetedSender, CallBudget
from shared.clients.calls import CallRecord, Sender
from shared.clients.campaign.auth import ImsTokens
from shared.clients.campaign.config import CampaignConfig
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.identity import DynamicsTokens, tokens_of
from shared.clients.http import Http
from shared.clients.limiter import Limiter, PacedSender
from shared.crowd import Crowd
from shared.domain.pace import Pace
from shared.settings import Settings, SettingsError
from shared.stores.budget import TableCallCounter
from shared.stores.clock import SystemClock
from shared.stores.dead_letters import DeadLetters
from shared.stores.files.place import FileSecrets, FileStore, file_store
from shared.stores.mappings import blob_service
from shared.stores.service_bus import ServiceBusLanes, service_bus_client
from shared.stores.storage_calls import table_service

# What Campaign takes in that time may be under way: a claim's work has a minute, and waiting for a call's turn counts.
CROWD_S = 10.0


@dataclass(frozen=True)
class Connections:
    """What holds sockets, and is closed at the end."""

    http: Http
    to_dynamics: Sender
    to_campaign: Sender
    crowd: Crowd
    budget: CallBudget | None
    credential: DefaultAzureCredential
    tables: TableServiceClient
    blobs: BlobServiceClient
    files: FileStore
    event_files: FileStore | None
    broker: ServiceBusClient
    bus: ServiceBusLanes
    dead_letters: DeadLetters
    entra: DynamicsTokens
    ims: ImsTokens

    async def close(self) -> None:
        """Every one of them."""
        await self.bus.close()
        await self.dead_letters.close()
        if self.budget is not None:
            await self.budget.close()
        if self.event_files is not None:
            await self.event_files.close()
        for connection in (self.broker, self.tables, self.blobs, self.files, self.http, self.entra, self.credential):
            await connection.close()


def connect(config: Settings) -> Connections:
    """Nothing is connected before it is used. Raises SettingsError, and ValueError for a folder of files."""
    http = Http(_observe)
    credential = DefaultAzureCredential(managed_identity_client_id=config.identity_client_id)
    broker = service_bus_client(_secret(config.service_bus), config.service_bus_namespace, credential)
    bus = ServiceBusLanes(broker)
    tables = table_service(_secret(config.storage), config.storage_table_url, credential)
    budget = _budget(config, tables)
    campaign_pace = Pace(config.campaign_max_in_flight)
    to_campaign = _paced(http, campaign_pace)
    return Connections(
        http=http,
        to_dynamics=_paced(http, Pace(config.dynamics_max_in_flight)),
        to_campaign=to_campaign if budget is None else BudgetedSender(to_campaign, budget),
        crowd=Crowd(partial(campaign_pace.takes, CROWD_S)),
        budget=budget,
        credential=credential,
        tables=tables,
        blobs=blob_service(_secret(config.storage), config.storage_blob_url, credential),
        files=_files(config, credential),
        event_files=_event_files(config, credential),
        broker=broker,
        bus=bus,
        dead_letters=DeadLetters(broker, bus),
        entra=tokens_of(dynamics_config(config)),
        ims=ImsTokens(campaign_config(config), http, SystemClock().now),
    )


def _observe(record: CallRecord) -> None:
    metrics.call(record.system, record.kind, record.status, record.seconds)


def _paced(http: Http, pace: Pace) -> PacedSender:
    return PacedSender(http, Limiter(pace), SystemClock().now)


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


def _files(config: Settings, credential: DefaultAzureCredential) -> FileStore:
    return file_store(config.optout_files_url, _file_secrets(config), credential)


def _event_files(config: Settings, credential: DefaultAzureCredential) -> FileStore | None:
    """With the opt-out folder's keys, but for an SFTP server of their own: as a rule both folders are at one place."""
    if config.event_files_url is None:
        return None
    secrets = _file_secrets(config)
    own = replace(
        secrets,
        sftp_key=_secret(config.event_sftp_key) or secrets.sftp_key,
        sftp_host_key=config.event_sftp_host_key or secrets.sftp_host_key,
    )
    try:
        return file_store(config.event_files_url, own, credential)
    except ValueError as error:
        raise ValueError(f"EVENT_FILES_URL: {error}") from None


def _file_secrets(config: Settings) -> FileSecrets:
    return FileSecrets(
        sftp_key=_secret(config.optout_sftp_key),
        sftp_host_key=config.optout_sftp_host_key,
        s3_key_id=config.optout_s3_key_id,
        s3_secret=_secret(config.optout_s3_secret),
        s3_region=config.optout_s3_region,
        s3_endpoint=config.optout_s3_endpoint,
        blob_connection=_secret(config.optout_blob_connection),
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
        events_url=config.campaign_events_url or "",
        timeout_s=config.http_timeout_seconds,
    )
