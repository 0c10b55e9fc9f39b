"""What `bridge doctor` looks at: both systems, the broker, the storage and the file server. Nothing is changed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from functools import partial

from cli.deadletters.listing import first
from cli.diagnosis import Check, Title, UnhealthyError, UnprovenError
from shared.app import ROOT, App
from shared.domain.change import CONTACT, Lane, RecordKey
from shared.flows import engagement
from shared.ports import Files
from shared.stores.letter import Box

# A row that no environment has: derived from a name, as all our own ids are.
NOBODY = str(uuid.uuid5(engagement.ACTIVITIES, "nobody"))
LONG_ENOUGH = 20
MOST_SECRETS = 2


def all_checks() -> tuple[Check, ...]:
    """What a check needs stands before it."""
    return (
        _check("webhook-secrets", "as many as needed, and long", "Set WEBHOOK_SECRETS anew.", webhook_secrets),
        _check("dynamics", "token and WhoAmI", "Check DYNAMICS_URL and the application user.", dynamics),
        _check(
            "dynamics-columns",
            "every mapped column can be read",
            "Compare the mapping with the table.",
            dynamics_columns,
            needs=("dynamics",),
        ),
        _check(
            "timeline-tables",
            "the activity tables, their columns and relationships exist",
            "Run `bridge provision dynamics`, or import Adobe's solution.",
            timeline_tables,
            needs=("dynamics",),
        ),
        _check("campaign", "token and metadata; one engine call", "Check CAMPAIGN_URL.", campaign),
        _check("optout-files", "the folder of the exports", "Check OPTOUT_FILES_URL.", optout_files),
        _check("event-files", "the folder of the logs, if there is one", "Check EVENT_FILES_URL.", event_files),
        *(
            _check(
                f"queue-{lane}",
                "it exists and can be read",
                "Deploy the queues of shared/queues.json.",
                partial(queue, lane),
            )
            for lane in queues()
        ),
        _check("ledger", "the table can be read", "Check Storage or Storage__tableServiceUri.", ledger),
        _check(
            "change-sweep",
            "every table's token is young enough",
            "Read `counted change_sweep_cut_short` in the log, and whether the timer runs; docs/flows/sweep.md.",
            change_sweep,
        ),
        _check("watermarks", "the table can be read", "Check Storage or Storage__tableServiceUri.", watermarks),
    )


def queues() -> tuple[Lane, ...]:
    """Those of the deployment's list."""
    document = json.loads((ROOT / "shared" / "queues.json").read_text(encoding="utf-8"))
    return tuple(Lane(queue["name"]) for queue in document["queues"])


async def webhook_secrets(app: App) -> str:
    """Raises UnhealthyError."""
    keys = app.settings.webhook_keys()
    if len(keys) > MOST_SECRETS:
        raise UnhealthyError(f"{len(keys)} secrets: one is needed, two during a rotation")
    short = sum(len(key) < LONG_ENOUGH for key in keys)
    if short:
        raise UnhealthyError(f"{short} of {len(keys)} secrets shorter than {LONG_ENOUGH} characters")
    return f"{len(keys)}, each of at least {LONG_ENOUGH} characters"


async def dynamics(app: App) -> str:
    """Raises Outcome."""
    return f"application user {await app.dynamics.whoami()}"


async def dynamics_columns(app: App) -> str:
    """A read of a row that does not exist names every mapped column all the same. Raises Outcome."""
    await app.ports.dynamics.read(RecordKey(CONTACT, NOBODY))
    return f"{len(app.ports.mappings().contact.columns)} columns"


async def timeline_tables(app: App) -> str:
    """Asks Dataverse to describe the tables that events go to. Raises Outcome."""
    names = [await app.dynamics.check_timeline_table(event) for event in sorted(app.ports.timeline.events)]
    return f"{len(names)} tables with every column: {', '.join(names)}"


async def campaign(app: App) -> str:
    """Raises Outcome."""
    await app.campaign.ping()
    return "answers"


async def optout_files(app: App) -> str:
    """Raises FilesUnavailableError."""
    return await _newest(app.ports.files)


async def event_files(app: App) -> str:
    """Raises FilesUnavailableError."""
    return "none: the events come from the journal" if app.event_folder is None else await _newest(app.event_folder)


async def _newest(folder: Files) -> str:
    files = await folder.list()
    newest = max((file.modified_at for file in files), default=None)
    return f"{len(files)} files" + (f", the newest of {newest:%Y-%m-%d %H:%MZ}" if newest else "")


async def queue(lane: Lane, app: App) -> str:
    """A look at the first message that waits for a person, which neither locks nor counts it.

    Raises BusUnavailableError.
    """
    box = Box(lane, "parked" if lane is Lane.PARKED else "dead")
    waits = await first(app.dead_letters.letters(box)) is not None
    return "messages wait for a person: `bridge deadletters list`" if waits else "nothing waits for a person"


async def ledger(app: App) -> str:
    """Raises Outcome."""
    await app.ports.ledger.get(RecordKey(app.ports.mappings().contact.table, NOBODY))
    return "answers"


async def change_sweep(app: App) -> str:
    """Raises Outcome; UnhealthyError for a stale token, UnprovenError where there is none yet."""
    tables = [mapping.table for mapping in app.ports.mappings().tables]
    positions = [await app.sweep.tools.positions.read(table) for table in tables]
    ages_s = {position.table: position.age_s(app.ports.clock.now()) for position in positions}
    stale = {table: age_s for table, age_s in ages_s.items() if age_s is not None and age_s > app.sweep.policy.stale_s}
    if stale:
        words = ", ".join(f"{table} {age_s / 3600:.0f} h" for table, age_s in sorted(stale.items()))
        raise UnhealthyError(f"tokens that are too old: {words}")
    if none := sorted(table for table, age_s in ages_s.items() if age_s is None):
        raise UnprovenError(f"no token yet: {', '.join(none)}; the sweep reads each table once first")
    oldest = max(age_s for age_s in ages_s.values() if age_s is not None)
    return f"{len(tables)} tables, the oldest token of {oldest / 60:.0f} min ago"


async def watermarks(app: App) -> str:
    """Raises Outcome."""
    await app.ports.watermarks.read("doctor")
    return "answers"


def _check(
    name: str, about: str, remedy: str, probe: Callable[[App], Awaitable[str]], needs: tuple[str, ...] = ()
) -> Check:
    return Check(Title(name, about, remedy), probe, needs)
