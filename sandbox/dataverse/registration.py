"""Checks on rows that register endpoints, so that a registration which could never fire is refused at once."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

from sandbox.dataverse.errors import ApiError, invalid_value, not_offered
from sandbox.dataverse.schema import Schema
from sandbox.dataverse.store import Store
from sandbox.dataverse.values import Row

QUEUE, WEBHOOK = 2, 8
SAS_KEY_AUTH, KEY_AUTH, HEADER_AUTH, QUERY_AUTH = 2, 4, 5, 6
JSON_FORMAT = 2
MESSAGES = ("Create", "Update", "Delete")
PRE_IMAGE, POST_IMAGE, BOTH_IMAGES = 0, 1, 2
_POST_OPERATION, _ASYNCHRONOUS = 40, 1


def auth_pairs(authvalue: str) -> list[tuple[str, str]]:
    """The names and values in `<settings><setting name="…" value="…"/></settings>`. Raises ApiError 400."""
    try:
        root = ElementTree.fromstring(authvalue)  # noqa: S314 - the local tester's own text
    except ElementTree.ParseError:
        raise invalid_value("authvalue must be <settings><setting name='…' value='…'/></settings>.") from None
    pairs = [(item.get("name", ""), item.get("value", "")) for item in root.iter("setting")]
    if root.tag != "settings" or not pairs or not all(name for name, _ in pairs):
        raise invalid_value("authvalue must hold at least one <setting> with a name.")
    return pairs


def check(schema: Schema, store: Store, table: str, row: Row) -> None:
    """Check a whole row as it would be stored. Raises ApiError 400, or 501 for kinds of steps not offered."""
    checks: dict[str, Callable[[Schema, Store, Row], None]] = {
        "serviceendpoint": _check_endpoint,
        "sdkmessageprocessingstep": _check_step,
        "sdkmessageprocessingstepimage": _check_image,
    }
    if table in checks:
        checks[table](schema, store, row)


def _check_endpoint(_schema: Schema, _store: Store, row: Row) -> None:
    if row.get("contract") == QUEUE:
        return _check_queue(row)
    if row.get("contract") != WEBHOOK:
        raise not_offered(f"service endpoints of contract {row.get('contract')} (only 2, Queue, and 8, Webhook)")
    if row.get("authtype") not in (KEY_AUTH, HEADER_AUTH, QUERY_AUTH):
        raise invalid_value("A webhook's authtype is 4 (WebhookKey), 5 (HttpHeader) or 6 (HttpQueryString).")
    if not str(row.get("url") or "").startswith(("http://", "https://")):
        raise invalid_value("A webhook needs an absolute url.")
    if not row.get("authvalue"):
        raise invalid_value("A webhook needs an authvalue.")
    if row["authtype"] != KEY_AUTH:
        auth_pairs(row["authvalue"])


def _check_queue(row: Row) -> None:
    if row.get("authtype") != SAS_KEY_AUTH:
        raise not_offered(f"queues with authtype {row.get('authtype')} (only 2, SAS Key)")
    if row.get("messageformat") != JSON_FORMAT:
        raise not_offered(f"message format {row.get('messageformat')} (only 2, Json)")
    if not str(row.get("namespaceaddress") or "").startswith("sb://"):
        raise invalid_value("A queue needs a namespaceaddress, sb://NAMESPACE.")
    lacking = [name for name in ("path", "saskeyname", "saskey") if not row.get(name)]
    if lacking:
        raise invalid_value(f"A queue needs {', '.join(lacking)}.")


def _check_step(schema: Schema, store: Store, row: Row) -> None:
    message = _message(schema, store, row)
    if message not in MESSAGES:
        raise not_offered(f"webhook steps on the message '{message}'")
    if row.get("mode") != _ASYNCHRONOUS:
        raise not_offered("synchronous webhook steps (mode 0)")
    if row.get("stage") != _POST_OPERATION:
        raise invalid_value("An asynchronous step runs in stage 40 (post-operation).")
    if row.get("eventhandler") is None:
        raise invalid_value("A step needs an event handler.")
    _check_filter(schema, store, row, message)


def _check_filter(schema: Schema, store: Store, row: Row, message: str) -> None:
    columns = names(row.get("filteringattributes"))
    if columns and message != "Update":
        raise invalid_value("Filtering attributes are only for the message Update.")
    if row.get("sdkmessagefilterid") is None:
        return
    listed = store.get(schema.tables["sdkmessagefilter"], row["sdkmessagefilterid"])
    if listed is None or listed["sdkmessageid"] != row["sdkmessageid"]:
        raise invalid_value("The message filter belongs to another message.")
    _require_columns(schema, listed["primaryobjecttypecode"], columns)


def _check_image(schema: Schema, store: Store, row: Row) -> None:
    step = store.get(schema.tables["sdkmessageprocessingstep"], row.get("sdkmessageprocessingstepid") or "")
    if step is None:
        raise invalid_value("An image needs its sdkmessageprocessingstepid.")
    if not row.get("entityalias"):
        raise invalid_value("An image needs an entityalias.")
    message = _message(schema, store, step)
    if message == "Create" and row.get("imagetype") != POST_IMAGE:
        raise invalid_value("The message Create has no pre-image.")
    if message == "Delete" and row.get("imagetype") != PRE_IMAGE:
        raise invalid_value("The message Delete has no post-image.")
    if row.get("messagepropertyname") != ("Id" if message == "Create" else "Target"):
        raise ApiError(400, "0x8004416c", f"Message property name is not valid on message {message}.")
    listed = store.get(schema.tables["sdkmessagefilter"], step["sdkmessagefilterid"] or "")
    if listed is not None:
        _require_columns(schema, listed["primaryobjecttypecode"], names(row.get("attributes")))


def _message(schema: Schema, store: Store, step: Row) -> str:
    message = store.get(schema.tables["sdkmessage"], step.get("sdkmessageid") or "")
    if message is None:
        raise invalid_value("A step needs its sdkmessageid.")
    return str(message["name"])


def names(listed: str | None) -> tuple[str, ...]:
    """Column names of a comma-separated list."""
    return tuple(name.strip() for name in (listed or "").split(",") if name.strip())


def _require_columns(schema: Schema, table: str, columns: tuple[str, ...]) -> None:
    unknown = [name for name in columns if not schema.tables[table].has(name)]
    if unknown:
        raise ApiError(400, "0x80041103", f"'{table}' entity doesn't contain attribute with Name = '{unknown[0]}'.")
