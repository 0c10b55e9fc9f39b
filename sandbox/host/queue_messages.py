"""From a message of the Service Bus SDK to the one that a function receives, with exactly the metadata Azure sends."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from azure.functions.meta import Datum
from azure.functions.servicebus import ServiceBusMessage
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

# What the .NET client says of a message without time to live.
_NEVER = datetime.max.replace(tzinfo=UTC)


def decode_message(message: ServiceBusReceivedMessage) -> ServiceBusMessage:
    """Build the function's message, equal to what the library's converter makes of the metadata that Azure sends.

    As on Azure: `delivery_count` starts at 1, times are naive and in UTC, `scheduled_enqueue_time_utc`, `locked_until`,
    `state` and `time_to_live` stay None because the extension does not send them, and application properties have been
    through JSON (times and UUIDs become text, binary values base64). Raises ValueError for a body of AMQP sequences.

    The converter itself is not called: it tries a dozen date formats on each message, the costliest step of all.
    """
    sent = _sent_by_azure(message)
    return ServiceBusMessage(
        body=_body(message),
        trigger_metadata={name: _datum(value) for name, value in sent.items() if value is not None},
        application_properties=sent["ApplicationProperties"],
        user_properties=dict(sent["UserProperties"]),
        content_type=sent["ContentType"],
        correlation_id=sent["CorrelationId"],
        dead_letter_source=sent["DeadLetterSource"],
        delivery_count=sent["DeliveryCount"],
        enqueued_time_utc=sent["EnqueuedTimeUtc"],
        expires_at_utc=sent["ExpiresAtUtc"],
        label=sent["Label"],
        lock_token=sent["LockToken"],
        message_id=sent["MessageId"],
        partition_key=sent["PartitionKey"],
        reply_to=sent["ReplyTo"],
        reply_to_session_id=sent["ReplyToSessionId"],
        sequence_number=sent["SequenceNumber"],
        session_id=sent["SessionId"],
        subject=sent["Subject"],
        to=sent["To"],
    )


def _sent_by_azure(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    properties = _jsonable(message.application_properties or {})
    return {
        # The .NET client counts this delivery too; on the wire, and in the Python SDK, the first one is 0.
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "DeadLetterSource": message.dead_letter_source,
        "LockToken": str(message.lock_token) if message.lock_token else None,
        "ExpiresAtUtc": _naive(message.expires_at_utc or _NEVER),
        "ExpiresAt": message.expires_at_utc or _NEVER,
        "EnqueuedTimeUtc": _naive(message.enqueued_time_utc),
        "EnqueuedTime": message.enqueued_time_utc,
        "MessageId": message.message_id,
        "ContentType": message.content_type,
        "ReplyTo": message.reply_to,
        "SequenceNumber": message.sequence_number,
        "To": message.to,
        "Subject": message.subject,
        "Label": message.subject,
        "CorrelationId": message.correlation_id,
        "ApplicationProperties": properties,
        "UserProperties": properties,
        "SessionId": message.session_id,
        "ReplyToSessionId": message.reply_to_session_id,
        "PartitionKey": message.partition_key,
    }


def _datum(value: object) -> Datum:
    if isinstance(value, str):
        return Datum(value, "string")
    return Datum(json.dumps(_jsonable(value)), "json")


def _naive(moment: datetime | None) -> datetime | None:
    # The extension hands over DateTimeOffset.DateTime, whose JSON form has no offset.
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _jsonable(value: object) -> Any:  # noqa: ANN401 - JSON has no narrower type
    if isinstance(value, Mapping):
        return {_text(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, bytes):
        return _text_or_base64(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _text_or_base64(value: bytes) -> str:
    # The SDK gives AMQP text as bytes, indistinguishable from AMQP binary, which Azure's JSON carries as base64.
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _text(key: object) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)


def _body(message: ServiceBusReceivedMessage) -> bytes:
    if message.body_type == AmqpMessageBodyType.DATA:
        return b"".join(message.body)
    if message.body_type == AmqpMessageBodyType.VALUE and isinstance(message.body, str | bytes):
        return message.body if isinstance(message.body, bytes) else message.body.encode()
    raise ValueError(f"a message body of kind {message.body_type} cannot be handed to a function")
