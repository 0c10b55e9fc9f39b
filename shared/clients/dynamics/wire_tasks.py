"""Follow-up tasks on the wire, and who owns the contacts that they regard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.clients.calls import Request, Response
from shared.clients.dynamics import batch
from shared.clients.dynamics.config import API_PATH, REASONS, DynamicsConfig
from shared.clients.dynamics.wire import CONTACTS, HEADERS, TAG, rows_request
from shared.clients.dynamics.wire_activities import is_there_already, lacks_contact, moment
from shared.clients.dynamics.wire_rows import rows_in, unreadable
from shared.clients.outcomes import busy, is_unclear
from shared.domain.effects import FollowUpTask, RecordActivity
from shared.domain.timeline import APPLICATION_USER, CONTACT_OWNER
from shared.errors import Retry
from shared.ports import Recorded

_OWNER = "_ownerid_value"
_OWNER_TABLE = f"{_OWNER}@Microsoft.Dynamics.CRM.lookuplogicalname"
_JSON = {"Accept": "application/json", "Content-Type": "application/json"}
Owners = Mapping[str, str]


def contacts_with_owners(orders: Sequence[RecordActivity]) -> list[str]:
    """The contacts whose owner a task of these orders goes to."""
    wanted = (order.fact.contact_id for order in orders if order.task and order.task.owner == CONTACT_OWNER)
    return list(dict.fromkeys(wanted))


def owners_request(config: DynamicsConfig, ids: Sequence[str]) -> Request:
    """Who owns these contacts."""
    annotation = _OWNER_TABLE.partition("@")[2]
    headers = {**HEADERS, "Prefer": f'odata.include-annotations="{annotation}"'}
    return replace(rows_request(config, CONTACTS, [_OWNER], ids), headers=headers)


def read_owners(response: Response) -> dict[str, str]:
    """Links to users and teams, by contact. Raises Outcome."""
    owned = [row for row in rows_in(response, "contacts") if row.get(_OWNER)]
    try:
        return {str(row["contactid"]).lower(): _link(row) for row in owned}
    except KeyError:
        raise unreadable("contacts") from None


def task_parts(orders: Sequence[RecordActivity], owners: Owners) -> dict[str, batch.Part]:
    """A creation for every task that these orders ask for, by its id: events may share one."""
    return {order.task.id: _part(order.task, order.fact.contact_id, owners) for order in orders if order.task}


def read_task(answer: Response, now: datetime) -> Recorded:
    """A task that is refused, or that its owner may not be given, is a matter of its event alone. Raises Retry."""
    if wait := busy(answer, REASONS, now):
        raise wait
    if is_unclear(answer.status):
        raise Retry(REASONS.unreachable, f"task: status {answer.status}")
    if answer.status < 300 or is_there_already(answer):
        return Recorded.DONE
    return Recorded.NO_CONTACT if lacks_contact(answer) else Recorded.REFUSED


def _link(row: Mapping[str, Any]) -> str:
    return f"/{'teams' if row.get(_OWNER_TABLE) == 'team' else 'systemusers'}({row[_OWNER]})"


def _part(task: FollowUpTask, contact_id: str, owners: Owners) -> batch.Part:
    row = {
        "activityid": task.id,
        "subject": task.subject,
        "description": task.description,
        "scheduledend": moment(task.due),
        "regardingobjectid_contact_task@odata.bind": f"/contacts({contact_id})",
    }
    owner = _owner(contact_id, task.owner, owners)
    if owner is not None:
        row["ownerid@odata.bind"] = owner
    return batch.Part("POST", f"{API_PATH}/tasks?tag={TAG}", _JSON, json.dumps(row).encode())


def _owner(contact_id: str, owner: str, owners: Owners) -> str | None:
    """None: the caller. So too for a contact that was not found: binding it fails anyway."""
    if owner == APPLICATION_USER:
        return None
    return owners.get(contact_id.lower()) if owner == CONTACT_OWNER else f"/systemusers({owner})"
