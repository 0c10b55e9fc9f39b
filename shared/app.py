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

from shared import mapping_file, settings, timeline_file
from shared.clients.campaign.client import CampaignClient
from shared.clients.campaign.events import JournalEvents
from shared.clients.campaign.export import reader
from shared.clients.campaign.log_files import LogFileReader
from shared.clients.campaign.metadata import ResourceMetadata
from shared.clients.dynamics.bulk import BulkReader
from shared.clients.dynamics.changes import ChangeTracking
from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.context import parse as parse_context
from shared.clients.dynamics.metadata import TableMetadata
from shared.clients.dynamics.sample import SampleRows
from shared.connections import Connections, campaign_config, connect, dynamics_config
from shared.domain.mapping import Mappings
from shared.domain.timeline import ActivityTables, Timeline
from shared.engine.change_sweep import ChangeSweep, SweepPolicy
from shared.engine.deliver import Engine, Patience
from shared.engine.event_files import EventFiles
from shared.engine.inbox import Inbox
from shared.engine.intake import Doorkeeper
from shared.engine.optout_timers import OptOutTimers
from shared.engine.pages import Pages
from shared.engine.resync import Resync
from shared.engine.timers import Timers
from shared.engine.webhook import Webhook
from shared.errors import Reason
from shared.mapping_file import MappingError
from shared.ports import Files, Ports
from shared.ports.sweep import SweepPorts
from shared.settings import Settings, SettingsError
from shared.stores.append_log import AppendLog
from shared.stores.budget import TableCallCounter
from shared.stores.clock import SystemClock
from shared.stores.dead_letters import DeadLetters
from shared.stores.deletions import HourlyDeletions
from shared.stores.family import TableFamily
from shared.stores.file_ledger import TableFileLedger
from shared.stores.id_lists import BlobIdLists
from shared.stores.journal import BlobJournal
from shared.stores.journal_archive import BlobArchive
from shared.stores.journal_proof import BlobSeals
from shared.stores.letter_desk import CONTAINER as LETTER_DESK
from shared.stores.letter_desk import LetterDesk
from shared.stores.live_mapping import LiveMapping
from shared.stores.mappings import BlobMappings
from shared.stores.recollections import TableRecollections
from shared.stores.resyncs import TableResyncs
from shared.stores.sweep import TableLedgerPages, TableOptOutNotes, TablePositions, TableTallies
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
    """What the triggers and the command line use. `close` ends every connection.

    `event_folder`: where the log files are; None where the events come from the journal.
    """

    settings: Settings
    ports: Ports
    engine: Engine
    webhook: Webhook
    inbox: Inbox
    sweep: ChangeSweep
    timers: Timers
    dynamics: DynamicsClient
    campaign: CampaignClient
    inspection: Inspection
    dead_letters: DeadLetters
    letter_desk: LetterDesk
    mappings: BlobMappings
    tables: ActivityTables
    archive: BlobArchive
    bulk: BulkReader
    resync: Resync
    close: Callable[[], Awaitable[None]]
    event_folder: Files | None = None

    @property
    def optout_timers(self) -> OptOutTimers:
        """The opt-out lane's own timers; they keep nothing between two runs."""
        return OptOutTimers(self.ports, polls=self.settings.optout_poll)

    @property
    def pages(self) -> Pages:
        """What works on a resync's pages; it keeps nothing between two of them."""
        return Pages(self.ports, self.engine, self.resync.runs, self.bulk, self.resync.ids)


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


@dataclass(frozen=True)
class _Parts:
    """What both the flows and the command line use."""

    dynamics: DynamicsClient
    campaign: CampaignClient
    mapping: LiveMapping
    timeline: Timeline
    telemetry: Telemetry


def build(config: Settings) -> App:
    """A new app; nothing is connected before use. Raises MappingError, SettingsError, ValueError (for a folder)."""
    connections = connect(config)
    mappings = BlobMappings(connections.blobs, SystemClock().now)
    parts = _parts(config, connections, mappings)
    ports, archive = _ports(config, connections, parts), BlobArchive(connections.blobs)
    return App(
        settings=config,
        ports=ports,
        engine=Engine(ports, parts.telemetry, _patience(config), connections.crowd),
        webhook=Webhook(ports, Doorkeeper(config.webhook_keys()), parse_context),
        inbox=Inbox(ports, parts.telemetry, parse_context),
        sweep=_sweep(config, connections, ports),
        timers=_timers(config, ports, archive, _event_files(config, connections, ports, parts.timeline)),
        dynamics=parts.dynamics,
        campaign=parts.campaign,
        inspection=_inspection(config, connections),
        dead_letters=connections.dead_letters,
        letter_desk=LetterDesk(AppendLog(connections.blobs, LETTER_DESK), SystemClock()),
        mappings=mappings,
        tables=parts.timeline.tables,
        archive=archive,
        bulk=BulkReader(dynamics_config(config), connections.to_dynamics, connections.entra, SystemClock().now),
        resync=Resync(ports, TableResyncs(connections.tables), BlobIdLists(connections.blobs)),
        close=connections.close,
        event_folder=connections.event_files,
    )


def _parts(config: Settings, connections: Connections, mappings: BlobMappings) -> _Parts:
    telemetry, timeline, now = Telemetry(), _timeline(config), SystemClock().now
    mapping = LiveMapping(mappings, _shipped(config), now, telemetry, unreadable=Reason.MAPPING_UNREADABLE)
    dynamics = _dynamics(config, connections, mapping, timeline)
    campaign = CampaignClient(campaign_config(config), connections.to_campaign, connections.ims, now)
    return _Parts(dynamics, campaign, mapping, timeline, telemetry)


def _ports(config: Settings, connections: Connections, parts: _Parts) -> Ports:
    now, tables = SystemClock().now, connections.tables
    return Ports(
        dynamics=parts.dynamics,
        campaign=parts.campaign,
        records=parts.campaign,
        events=_journal(config, connections, parts.timeline),
        files=connections.files,
        file_ledger=TableFileLedger(tables),
        read_export=reader(config.export_form()),
        ledger=TableLedger(tables, now),
        family=TableFamily(tables),
        journal=BlobJournal(connections.blobs, now, SystemRandom()),
        recollections=TableRecollections(tables),
        waiting_opt_outs=QueuedOptOuts(connections.broker),
        changed_profiles=parts.campaign,
        deletions=HourlyDeletions(partial(TableCallCounter, tables, "deletions"), now),
        watermarks=TableWatermarks(tables),
        bus=connections.bus,
        clock=SystemClock(),
        random=SystemRandom(),
        timings=config.timings(),
        telemetry=parts.telemetry,
        mappings=parts.mapping,
        refresh_mapping=parts.mapping.refresh,
        timeline=parts.timeline.rules,
        opt_out_notes=TableOptOutNotes(tables),
        tallies=TableTallies(tables),
    )


def _sweep(config: Settings, connections: Connections, ports: Ports) -> ChangeSweep:
    settled, tables = dynamics_config(config), connections.tables
    tracking = ChangeTracking(settled, connections.to_dynamics, connections.entra, SystemClock().now)
    tools = SweepPorts(tracking, TableLedgerPages(tables), TablePositions(tables), tracking)
    policy = SweepPolicy(
        run_s=config.sweep_run_seconds,
        grace_s=config.sweep_grace_seconds,
        stale_s=config.sweep_stale_hours * 3600,
        most_hints=config.sweep_limit_per_run,
    )
    return ChangeSweep(ports, tools, policy)


def _dynamics(config: Settings, connections: Connections, mapping: LiveMapping, timeline: Timeline) -> DynamicsClient:
    settled, now = dynamics_config(config), SystemClock().now
    return DynamicsClient(
        settled,
        connections.to_dynamics,
        connections.entra,
        mapping,
        now,
        tables=timeline.tables,
        crowd=lambda: connections.crowd.size,
    )


def _journal(config: Settings, connections: Connections, timeline: Timeline) -> JournalEvents:
    settled, now = campaign_config(config), SystemClock().now
    return JournalEvents(settled, connections.http, connections.ims, now, shape=timeline.journal)


def _timers(config: Settings, ports: Ports, archive: BlobArchive, event_files: EventFiles | None) -> Timers:
    return Timers(
        ports,
        config.file_policy(),
        BlobSeals(archive),
        event_limit=config.event_limit_per_run,
        event_run_s=config.event_run_seconds,
        event_files=event_files,
    )


def _event_files(config: Settings, connections: Connections, ports: Ports, timeline: Timeline) -> EventFiles | None:
    if connections.event_files is None:
        return None
    reader = LogFileReader(timeline.log_files, timeline.rules.events)
    return EventFiles(ports, connections.event_files, reader, config.event_files_settle_seconds)


def _inspection(config: Settings, connections: Connections) -> Inspection:
    now, dynamics, campaign = SystemClock().now, dynamics_config(config), campaign_config(config)
    return Inspection(
        tables=TableMetadata(dynamics, connections.to_dynamics, connections.entra, now),
        resources=ResourceMetadata(campaign, connections.to_campaign, connections.ims, now),
        sample=SampleRows(dynamics, connections.to_dynamics, connections.entra, now),
    )


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
