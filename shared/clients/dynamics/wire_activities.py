"""E-mail events as activities of the timeline: created open, then completed, in one `$batch` that may be repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.clients.calls import Request, Response
from shared.clients.dynamics import batch
from shared.clients.dynamics.config import API_PATH, REASONS, SYSTEM, DynamicsConfig
from shared.clients.dynamics.wire import HEADERS, TAG
from shared.clients.dynamics.wire_errors import DOES_NOT_EXIST, DUPLICATE_KEY, UNKNOWN_RESOURCE, code, detail, refused
from shared.clients.outcomes import busy, is_unclear
from shared.domain.effects import RecordActivity
from shared.domain.fact import EmailEvent
from shared.errors import Halt, Retry
from shared.flows.engagement import subject
from shared.ports import Recorded

OPERATIONS_PER_ORDER = 2
_COMPLETED = {"statecode": 1, "statuscode": 2}
_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


@dataclass(frozen=True)
class ActivityTable:
    """One activity table, by logical name. The last two are derived from the name unless they are given."""

    name: str
    date_column: str
    entity_set: str = ""
    regarding: str = ""

    @property
    def entities(self) -> str:
        """The entity set: the name's plural, as Dataverse forms it."""
        return self.entity_set or self.name + ("es" if self.name.endswith(("s", "x", "ch", "sh", "z")) else "s")

    @property
    def regarding_contact(self) -> str:
        """The navigation property to the contact; each activity table has its own."""
        return self.regarding or f"regardingobjectid_contact_{self.name}"


def _adobe_tables() -> dict[EmailEvent, ActivityTable]:
    return {
        EmailEvent.SEND: ActivityTable("adobe_emailsend", "adobe_senton"),
        EmailEvent.OPEN: ActivityTable("adobe_emailopen", "adobe_openedon"),
        EmailEvent.CLICK: ActivityTable("adobe_emailurlclick", "adobe_clickedon"),
        EmailEvent.BOUNCE: ActivityTable("adobe_emailbounce", "adobe_bouncedon"),
    }


@dataclass(frozen=True)
class ActivityTables:
    """Where events go; the defaults are the tables of Adobe's solution. The click table alone has a tracking URL."""

    tables: Mapping[EmailEvent, ActivityTable] = field(default_factory=_adobe_tables)
    campaign_column: str = "adobe_campaignname"
    delivery_column: str = "adobe_deliveryname"
    mirror_page_column: str = "adobe_mirrorpageurl"
    tracking_column: str = "adobe_trackingurl"


ADOBE_TABLES = ActivityTables()


def activities_request(
    config: DynamicsConfig, orders: Sequence[RecordActivity], tables: ActivityTables, boundary: str
) -> Request:
    """All are created, then all completed. Repeatable: the ids are the caller's."""
    parts = [_create(order, tables) for order in orders] + [_complete(order, tables) for order in orders]
    headers = {**HEADERS, "Content-Type": batch.content_type(boundary), "Prefer": "odata.continue-on-error"}
    body = batch.build(parts, boundary)
    return Request(SYSTEM, "activities", "POST", f"{config.base}/$batch", headers, body, repeatable=True)


def read_activities(response: Response, orders: int, now: datetime) -> list[Recorded]:
    """What became of each order. Raises Outcome where a part asks for patience or failed without a reason."""
    if response.status not in (200, 202, 207):
        raise refused(response, write=False)
    answers = _answers(response, orders)
    for answer in answers:
        _raise_if_temporary(answer, now)
    return [
        _recorded(created, completed) for created, completed in zip(answers[:orders], answers[orders:], strict=True)
    ]


def _create(order: RecordActivity, tables: ActivityTables) -> batch.Part:
    table = tables.tables[order.fact.event]
    body = json.dumps(_row(order, tables, table)).encode()
    return batch.Part("POST", f"{API_PATH}/{table.entities}?tag={TAG}", _JSON, body)


def _row(order: RecordActivity, tables: ActivityTables, table: ActivityTable) -> dict[str, str]:
    fact = order.fact
    at = f"{fact.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    row = {
        "activityid": order.activity_id,
        "subject": subject(fact),
        f"{table.regarding_contact}@odata.bind": f"/contacts({fact.contact_id})",
        tables.campaign_column: fact.campaign,
        tables.delivery_column: fact.delivery,
        table.date_column: at,
        "actualend": at,
    }
    optional = {tables.mirror_page_column: fact.mirror_page_url, tables.tracking_column: fact.tracking_url}
    return row | {name: value for name, value in optional.items() if value is not None}


def _complete(order: RecordActivity, tables: ActivityTables) -> batch.Part:
    """If-Match keeps the PATCH from creating what the POST could not."""
    path = f"{API_PATH}/{tables.tables[order.fact.event].entities}({order.activity_id})?tag={TAG}"
    return batch.Part("PATCH", path, {**_JSON, "If-Match": "*"}, json.dumps(_COMPLETED).encode())


def _answers(response: Response, orders: int) -> list[Response]:
    try:
        answers = batch.read(response)
    except batch.UnreadableBatchError as error:
        raise Retry(REASONS.unreachable, f"activities: {error}") from None
    if len(answers) != orders * OPERATIONS_PER_ORDER:
        raise Retry(REASONS.unreachable, f"activities: {len(answers)} answers to {orders} orders")
    return answers


def _raise_if_temporary(answer: Response, now: datetime) -> None:
    if wait := busy(answer, REASONS, now):
        raise wait
    if is_unclear(answer.status):
        raise Retry(REASONS.unreachable, detail(answer))
    if answer.status in (401, 403):
        raise Halt(REASONS.credentials, detail(answer))


def _recorded(created: Response, completed: Response) -> Recorded:
    """An activity that was there before counts as done even if it cannot be completed again."""
    problem = code(created)
    if created.status == 412 or problem == DUPLICATE_KEY:
        return Recorded.DONE
    if problem == DOES_NOT_EXIST or (created.status == 404 and problem != UNKNOWN_RESOURCE):
        return Recorded.NO_CONTACT
    if created.status >= 300 or completed.status >= 300:
        return Recorded.REFUSED
    return Recorded.DONE
