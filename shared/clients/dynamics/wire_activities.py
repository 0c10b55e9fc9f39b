"""E-mail events as activities, created open and then completed; a batch of them may be repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from shared.clients.calls import Request, Response
from shared.clients.dynamics import batch
from shared.clients.dynamics.config import API_PATH, REASONS, SYSTEM, DynamicsConfig
from shared.clients.dynamics.wire import HEADERS, TAG
from shared.clients.dynamics.wire_errors import DOES_NOT_EXIST, DUPLICATE_KEY, UNKNOWN_RESOURCE, code, detail, refused
from shared.clients.dynamics.wire_tables import Found
from shared.clients.outcomes import busy, is_unclear
from shared.domain.effects import RecordActivity
from shared.domain.fact import EmailEvent
from shared.domain.timeline import ActivityTables
from shared.errors import Halt, Retry
from shared.flows.engagement import subject
from shared.ports import Recorded

OPERATIONS_PER_ORDER = 2
_ACTION = "Microsoft.Dynamics.CRM."
_COMPLETED = {"statecode": 1, "statuscode": 2}
_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


@dataclass(frozen=True)
class Destination:
    """The configured names, and what Dataverse says of each table."""

    tables: ActivityTables
    found: Mapping[EmailEvent, Found]


def batch_request(config: DynamicsConfig, parts: Sequence[batch.Part], boundary: str) -> Request:
    """Each part is done whatever becomes of the others. Repeatable: the ids are the caller's."""
    headers = {**HEADERS, "Content-Type": batch.content_type(boundary), "Prefer": "odata.continue-on-error"}
    body = batch.build(parts, boundary)
    return Request(SYSTEM, "activities", "POST", f"{config.base}/$batch", headers, body, repeatable=True)


def read_batch(response: Response, parts: int) -> list[Response]:
    """The answers to the parts, in their order. Raises Outcome."""
    if response.status not in (200, 202, 207):
        raise refused(response, write=False)
    try:
        answers = batch.read(response)
    except batch.UnreadableBatchError as error:
        raise Retry(REASONS.unreachable, f"activities: {error}") from None
    if len(answers) != parts:
        raise Retry(REASONS.unreachable, f"activities: {len(answers)} answers to {parts} parts")
    return answers


def by_table(orders: Sequence[RecordActivity]) -> list[Sequence[RecordActivity]]:
    """Orders of one kind together, in a stable order."""
    ordered = sorted(orders, key=lambda order: order.fact.event)
    return [tuple(group) for _, group in groupby(ordered, key=lambda order: order.fact.event)]


def many_parts(to: Destination, orders: Sequence[RecordActivity]) -> list[batch.Part]:
    """Two parts for orders of one kind: all are created or none, then all completed or none."""
    found = to.found[orders[0].fact.event]
    kind = {"@odata.type": f"{_ACTION}{found.name}"}
    rows = [{**kind, **_row(order, to, found)} for order in orders]
    states = [{**kind, "activityid": order.activity_id, **_COMPLETED} for order in orders]
    return [_action(found, "CreateMultiple", rows), _action(found, "UpdateMultiple", states)]


def single_parts(to: Destination, orders: Sequence[RecordActivity]) -> list[batch.Part]:
    """A part of its own for every creation, then for every completion."""
    return [_create(order, to) for order in orders] + [_complete(order, to) for order in orders]


def were_all_recorded(answers: Sequence[Response], now: datetime) -> bool:
    """Of the parts for one kind; False: it is not known of which order. Raises Retry where patience is asked for."""
    for answer in answers:
        if wait := busy(answer, REASONS, now):
            raise wait
    return all(answer.status < 300 for answer in answers)


def read_singles(answers: Sequence[Response], now: datetime) -> list[Recorded]:
    """What became of each order. Raises Outcome where a part asks for patience or failed without a reason."""
    for answer in answers:
        raise_if_temporary(answer, now)
    half = len(answers) // OPERATIONS_PER_ORDER
    return [_recorded(created, completed) for created, completed in zip(answers[:half], answers[half:], strict=True)]


def raise_if_temporary(answer: Response, now: datetime) -> None:
    """Raises Retry for a part that may work later, Halt for one that is not allowed."""
    if wait := busy(answer, REASONS, now):
        raise wait
    if is_unclear(answer.status):
        raise Retry(REASONS.unreachable, detail(answer))
    if answer.status in (401, 403):
        raise Halt(REASONS.credentials, detail(answer))


def is_there_already(answer: Response) -> bool:
    """Whether a row was not created because one has its id."""
    return answer.status == 412 or code(answer) == DUPLICATE_KEY


def lacks_contact(answer: Response) -> bool:
    """Whether a row was not created because what it is bound to does not exist."""
    problem = code(answer)
    return problem == DOES_NOT_EXIST or (answer.status == 404 and problem != UNKNOWN_RESOURCE)


def _action(found: Found, name: str, targets: Sequence[Mapping[str, Any]]) -> batch.Part:
    path = f"{API_PATH}/{found.entity_set}/{_ACTION}{name}?tag={TAG}"
    return batch.Part("POST", path, _JSON, json.dumps({"Targets": targets}).encode())


def _create(order: RecordActivity, to: Destination) -> batch.Part:
    found = to.found[order.fact.event]
    body = json.dumps(_row(order, to, found)).encode()
    return batch.Part("POST", f"{API_PATH}/{found.entity_set}?tag={TAG}", _JSON, body)


def _row(order: RecordActivity, to: Destination, found: Found) -> dict[str, str]:
    fact, tables = order.fact, to.tables
    at = moment(fact.at)
    row = {
        "activityid": order.activity_id,
        "subject": subject(fact),
        f"{found.regarding}@odata.bind": f"/contacts({fact.contact_id})",
        tables.campaign_column: fact.campaign,
        tables.delivery_column: fact.delivery,
        tables.tables[fact.event].date_column: at,
        "actualend": at,
    }
    optional = {tables.mirror_page_column: fact.mirror_page_url, tables.tracking_column: fact.tracking_url}
    return row | {name: value for name, value in optional.items() if value is not None}


def moment(at: datetime) -> str:
    """As a date column takes it: UTC, whole seconds."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _complete(order: RecordActivity, to: Destination) -> batch.Part:
    """If-Match keeps the PATCH from creating what the POST could not."""
    path = f"{API_PATH}/{to.found[order.fact.event].entity_set}({order.activity_id})?tag={TAG}"
    return batch.Part("PATCH", path, {**_JSON, "If-Match": "*"}, json.dumps(_COMPLETED).encode())


def _recorded(created: Response, completed: Response) -> Recorded:
    """An activity that was there before counts as done even if it cannot be completed again."""
    if is_there_already(created):
        return Recorded.DONE
    if lacks_contact(created):
        return Recorded.NO_CONTACT
    if created.status >= 300 or completed.status >= 300:
        return Recorded.REFUSED
    return Recorded.DONE
