"""What the engine needs of the world, as protocols. Clients and stores implement them; so do the tests' fakes.

Every method may raise an `Outcome` (shared/errors.py). Methods that write raise `Uncertain` when a request was sent
and its answer is not known; everything else they raise means that nothing was written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from shared.domain.ledger import Timings
from shared.domain.mapping import Mappings
from shared.domain.timeline import TimelineRules
from shared.ports.event_logs import LogBatch, LogReader
from shared.ports.optouts import ChangedProfile, ChangedProfiles, Recollections, WaitingOptOuts
from shared.ports.process import Bus, BusUnavailableError, Clock, Outgoing, Telemetry
from shared.ports.stores import (
    Deletions,
    Family,
    FileLedger,
    Files,
    Journal,
    JournalSeals,
    Ledger,
    ReadExport,
    SealedDay,
    Watermarks,
)
from shared.ports.sweep import NoNotes, NoTallies, OptOutNotes, Tallies
from shared.ports.systems import BadEvent, Campaign, Dynamics, EmailEvents, EventPage, Recorded, Records

__all__ = [
    "BadEvent",
    "Bus",
    "BusUnavailableError",
    "Campaign",
    "ChangedProfile",
    "ChangedProfiles",
    "Clock",
    "Deletions",
    "Dynamics",
    "EmailEvents",
    "EventPage",
    "Family",
    "FileLedger",
    "Files",
    "Journal",
    "JournalSeals",
    "Ledger",
    "LogBatch",
    "LogReader",
    "Outgoing",
    "Ports",
    "ReadExport",
    "Recollections",
    "Recorded",
    "Records",
    "SealedDay",
    "Telemetry",
    "WaitingOptOuts",
    "Watermarks",
    "unchanged",
]


async def unchanged() -> None:
    """For a mapping that never changes."""


@dataclass(frozen=True)
class Ports:
    """All of them, as one flow's work needs them.

    `mappings` is asked anew for every message: it can change. `refresh_mapping` comes before every piece of work and
    raises Retry while it is not known which mapping is in force.
    """

    dynamics: Dynamics
    campaign: Campaign
    records: Records
    events: EmailEvents
    files: Files
    file_ledger: FileLedger
    read_export: ReadExport
    ledger: Ledger
    family: Family
    deletions: Deletions
    journal: Journal
    recollections: Recollections
    waiting_opt_outs: WaitingOptOuts
    changed_profiles: ChangedProfiles
    watermarks: Watermarks
    bus: Bus
    clock: Clock
    random: Random
    timings: Timings
    telemetry: Telemetry
    mappings: Callable[[], Mappings]
    refresh_mapping: Callable[[], Awaitable[None]] = unchanged
    timeline: TimelineRules = field(default_factory=TimelineRules)
    opt_out_notes: OptOutNotes = field(default_factory=NoNotes)
    tallies: Tallies = field(default_factory=NoTallies)
