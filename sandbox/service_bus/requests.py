"""Requests to the nodes `$cbs` and `$management`: from message to answer."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.service_bus import management
from sandbox.service_bus.addresses import Address, Kind
from sandbox.service_bus.amqp.messages import Request, encode_response, parse_request
from sandbox.service_bus.amqp.types import AmqpValue, Int, Symbol
from sandbox.service_bus.authority import TokenError
from sandbox.service_bus.errors import BrokerError, Condition
from sandbox.service_bus.links import ResponseLink

if TYPE_CHECKING:
    from sandbox.service_bus.connection import Connection
    from sandbox.service_bus.session import Session

logger = logging.getLogger(__name__)

_STATUS = {
    Condition.NOT_FOUND: 404,
    Condition.MESSAGE_NOT_FOUND: 404,
    Condition.MESSAGE_LOCK_LOST: 410,
    Condition.NOT_IMPLEMENTED: 501,
    Condition.SERVER_BUSY: 503,
    Condition.INTERNAL_ERROR: 500,
    Condition.UNAUTHORIZED: 401,
}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    description: str
    condition: Condition | None = None
    body: AmqpValue = field(default_factory=dict)


def answer_request(session: Session, address: Address, node: str, content: bytes) -> None:
    """Answers on the receiver link that the request names or, failing that, on one of the same node.

    Whatever goes wrong becomes an answer. Raises DecodeError if there is no request to answer, and BrokerError if
    there is no link to answer on.
    """
    request = parse_request(content)
    link = _response_link(session.connection, request.reply_to, node)
    if address.kind is Kind.CBS:
        result = _put_token(session.connection, request)
        names = ("status-code", "status-description", "error-condition")
    else:
        result = _manage(session.connection, address, request)
        names = ("statusCode", "statusDescription", "errorCondition")
    properties = dict(zip(names, (Int(result.status), result.description), strict=False))
    if result.condition is not None:
        properties[names[2]] = Symbol(result.condition)
    link.respond(encode_response(request.message_id, properties, result.body))


def _response_link(connection: Connection, reply_to: str | None, node: str) -> ResponseLink:
    links = [link for session in connection.sessions.values() for link in session.links.values()]
    for wanted in (reply_to, node):
        for link in links:
            if isinstance(link, ResponseLink) and wanted in link.addresses:
                return link
    raise BrokerError(Condition.NOT_FOUND, f"no receiver link for the responses of {node!r}")


def _put_token(connection: Connection, request: Request) -> _Answer:
    if request.properties.get("operation") != "put-token" or not isinstance(request.body, str):
        return _Answer(501, "only put-token with a token as text is offered")
    try:
        connection.grants.append(connection.authority.verify(request.body))
    except TokenError as error:
        return _Answer(401, str(error))
    return _Answer(202, "Accepted")


def _manage(connection: Connection, address: Address, request: Request) -> _Answer:
    operation = str(request.properties.get("operation", ""))
    try:
        queue = connection.namespace.queue(address.path)
        body = management.perform(connection.namespace, queue, operation, request.body)
    except BrokerError as error:
        return _Answer(_STATUS.get(error.condition, 400), error.description, error.condition)
    except Exception:
        logger.exception("the management operation %s failed", operation)
        return _Answer(500, "the broker failed on this request; its log says how", Condition.INTERNAL_ERROR)
    return _Answer(204, "No Content") if body is None else _Answer(200, "OK", body=body)
