"""A Service Bus message → a delivery."""

import hashlib

import azure.functions as func

from shared.domain.change import Lane
from shared.engine.deliver import Delivery


def unwrap(lane: Lane, message: func.ServiceBusMessage) -> Delivery:
    """The body as exact bytes; the broker counts deliveries from 1; a replayed copy names what it is a copy of.

    A message that somebody else sent without an id is named by its content.
    """
    body = message.get_body()
    message_id = message.message_id or hashlib.sha256(body).hexdigest()
    replayed = "replay_of" in (message.application_properties or {})
    return Delivery(lane, body, message_id, message.delivery_count or 1, replayed)
