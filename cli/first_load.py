"""What a first load of a table would do, told from some of its rows: each is rehearsed with the engine's own steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cli.evidence import Evidence, look_up, mapped
from cli.guardrails import Guardrail, guardrails, warnings
from cli.kinship import Kinship, gather_kin
from cli.load_rate import Rate, measured_rate
from cli.rehearsal import Rehearsal, rehearse
from shared.app import App
from shared.clients.budget import SHARE_OF_LAST
from shared.clients.dynamics.sample import Total
from shared.domain.change import Hint, RecordKey, Source, Why
from shared.domain.contact import Contact, Profile
from shared.domain.ledger import LedgerRow, Present
from shared.domain.mapping import Mapping, Mappings
from shared.domain.resync import rather_look
from shared.errors import Reason
from shared.flows.contact import Sight


class Kind(StrEnum):
    """What would become of a row."""

    INSERT = "insert"
    UPDATE = "update"
    ALIKE = "alike"
    UNCHANGED = "unchanged"
    KEPT_OUT = "kept_out"
    PARKED = "parked"
    LATER = "later"


@dataclass(frozen=True)
class Tally:
    """Rows of the sample of one kind, and the engine calls that they would cost together."""

    kind: Kind
    rows: int
    calls: int


@dataclass(frozen=True)
class FirstLoad:
    """`sampled`: rows that were tried, the last changed first. `engine_calls` and `seconds`: of all rows.

    `waiting`: rows of the sample that need a parent which is not in Campaign yet, and are counted as if it were.
    `create_first`: rows that the ledger has never seen are to be created without a look; what they cost is told so.
    `rate`, `seconds` None: nothing was measured. `per_day`: CAMPAIGN_CALLS_PER_DAY; 0: no budget. `days` is then set
    where the load does not fit into one, of whose calls it may use SHARE_OF_LAST. `asked`: engine calls that the plan
    itself made.
    """

    table: str
    mapping: str
    rows: Total
    sampled: int
    tallies: tuple[Tally, ...]
    waiting: int
    create_first: bool
    engine_calls: int
    rate: Rate | None
    seconds: float | None
    per_day: int
    days: float | None
    guardrails: tuple[Guardrail, ...]
    warnings: tuple[str, ...]
    asked: int


@dataclass
class _Sample:
    """What the rows of the sample gave; `looks_s`: how long Campaign took for each look.

    `calls`: if rows never seen are looked for first; `calls_created`: if they are created first. `fresh`: rows that
    the ledger has never seen and that would be sent; `there`: of these, those that Campaign shows.
    """

    rows: Counter[Kind] = field(default_factory=Counter)
    calls: Counter[Kind] = field(default_factory=Counter)
    calls_created: Counter[Kind] = field(default_factory=Counter)
    known: int = 0
    fresh: int = 0
    there: int = 0
    waiting: int = 0
    looks_s: list[float] = field(default_factory=list)

    @property
    def first_load(self) -> bool:
        """Neither the ledger nor Campaign knows any of the rows."""
        return self.fresh > 0 and self.known == self.there == 0

    def costs(self, *, create_first: bool) -> Counter[Kind]:
        """Where most creations would be refused a run looks first soon, whatever it was told."""
        return self.calls_created if create_first and not rather_look(self.fresh, self.there) else self.calls


@dataclass(frozen=True)
class Choice:
    """`sample`: rows to try. `per_second`: engine calls; None: as measured. `rows`: as told; None: as counted.

    `condition`: only rows for which it holds, in Dataverse's words. `ids`: only these rows. `create_first`: see
    FirstLoad; None: if neither the ledger nor Campaign knows any row of the sample.
    """

    sample: int
    per_second: float | None = None
    rows: int | None = None
    condition: str | None = None
    ids: Sequence[str] | None = None
    create_first: bool | None = None


async def plan(app: App, table: str, choice: Choice, progress: Callable[[], None]) -> FirstLoad:
    """Reads rows of Dynamics, and Campaign for those that the ledger cannot vouch for. Writes nothing.

    Raises Outcome, UnmappedTableError.
    """
    await app.ports.refresh_mapping()
    mappings = app.ports.mappings()
    mapping = mapped(mappings, table)
    before = app.campaign.engine_calls
    total, rows = await _rows(app, mapping, choice)
    sample = _Sample()
    for row in rows:
        await _try(app, mappings, mapping, row, sample)
        progress()
    create_first = sample.first_load if choice.create_first is None else choice.create_first
    costs = sample.costs(create_first=create_first)
    calls = round(total.rows * sum(costs.values()) / len(rows)) if rows else 0
    rate = measured_rate(app.settings, sample.looks_s, choice.per_second)
    per_day = app.settings.campaign_calls_per_day
    return FirstLoad(
        table=table,
        mapping=mapping.version,
        rows=total,
        sampled=len(rows),
        tallies=tuple(Tally(kind, sample.rows[kind], costs[kind]) for kind in Kind if sample.rows[kind]),
        waiting=sample.waiting,
        create_first=create_first,
        engine_calls=calls,
        rate=rate,
        seconds=calls / rate.per_second if rate else None,
        per_day=per_day,
        days=calls / (per_day * SHARE_OF_LAST) if per_day and calls > per_day * SHARE_OF_LAST else None,
        guardrails=guardrails(mappings, mapping),
        warnings=tuple(warnings(mappings, mapping)),
        asked=app.campaign.engine_calls - before,
    )


def bounded(found: FirstLoad, rows_per_second: float | None) -> FirstLoad:
    """The same where no more rows a second are worked on; rows in line do not count. Pure."""
    if rows_per_second is None or not found.sampled:
        return found
    share = sum(tally.rows for tally in found.tallies if tally.calls) / found.sampled
    seconds = found.rows.rows * share / rows_per_second
    if seconds <= (found.seconds or 0.0):
        return found
    return replace(found, rate=Rate(found.engine_calls / seconds, "as --rate bounds it"), seconds=seconds)


async def _rows(app: App, mapping: Mapping, choice: Choice) -> tuple[Total, list[Contact]]:
    """How many there are, and those to try."""
    if choice.ids is not None:
        found = await app.dynamics.read_many(mapping.table, choice.ids[: choice.sample])
        return Total(len(choice.ids), at_least=False), list(found.values())
    source, asked = app.inspection.sample, choice.condition
    rows = await source.rows(mapping.table, mapping.columns, mapping.lookup_columns, choice.sample, asked)
    if choice.rows is not None:
        return Total(choice.rows, at_least=False), rows
    return await source.total(mapping.table, asked), rows


async def _try(app: App, mappings: Mappings, mapping: Mapping, row: Contact, sample: _Sample) -> None:
    """Without a look at first: most rows of a table that is in line need none."""
    key = RecordKey(mapping.table, row.id)
    ledger = await app.ports.ledger.get(key)
    kin = await gather_kin(app.ports, mappings, ledger, row, below=False)
    evidence = Evidence(key, mappings, ledger, row, Sight.UNSEEN, app.ports.clock.now(), _as_if_there(kin))
    hint = Hint("rehearsal/resync", key, Why.UPSERT, Source.RESYNC, evidence.now)
    told = await rehearse(app.ports, evidence, Why.UPSERT, hint)
    if told.ending == "open":
        started = app.ports.clock.now()
        profile, former = await look_up(app.ports, mapping, ledger, row)
        sample.looks_s.append((app.ports.clock.now() - started).total_seconds() / (1 + len(former)))
        evidence = replace(evidence, profile=profile, former=former)
        told = await rehearse(app.ports, evidence, Why.UPSERT, hint)
    created = await rehearse(app.ports, evidence, Why.UPSERT, replace(hint, created=ledger.never_seen))
    kind = _kind(told, evidence)
    sample.rows[kind] += 1
    sample.calls[kind] += told.calls
    sample.calls_created[kind] += created.calls
    sample.known += not ledger.never_seen
    sample.fresh += ledger.never_seen and told.calls > 0
    sample.there += ledger.never_seen and isinstance(evidence.profile, Profile)
    sample.waiting += any(parent.missing and parent.link.required for parent in kin.parents if parent.record)


def _as_if_there(kin: Kinship) -> Kinship:
    """The parents are loaded first, so the plan of the child counts them as there."""
    return Kinship(ledger_rows=tuple(_present(row) for row in kin.ledger_rows))


def _present(row: LedgerRow) -> LedgerRow:
    return replace(row, state=Present(""), claim=None, etag=row.etag or "as if")


def _kind(told: Rehearsal, evidence: Evidence) -> Kind:
    if told.ending != "settled":
        return Kind.PARKED if told.ending == "parked" else Kind.LATER
    if evidence.contact is not None and evidence.mapping.kept_out(evidence.contact) is not None:
        return Kind.KEPT_OUT
    if told.reason != Reason.WRITTEN.slug:
        return Kind.ALIKE if told.calls else Kind.UNCHANGED
    unseen = evidence.profile is Sight.UNSEEN and isinstance(evidence.ledger.state, Present)
    return Kind.UPDATE if unseen or isinstance(evidence.profile, Profile) else Kind.INSERT
