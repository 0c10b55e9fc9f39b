"""The ways in which the broker says no, as the AMQP error conditions that the SDKs turn into exceptions."""

from __future__ import annotations

from enum import StrEnum


class Condition(StrEnum):
    """Error conditions of Service Bus and of AMQP 1.0."""

    NOT_FOUND = "amqp:not-found"
    NOT_ALLOWED = "amqp:not-allowed"
    NOT_IMPLEMENTED = "amqp:not-implemented"
    UNAUTHORIZED = "amqp:unauthorized-access"
    DECODE_ERROR = "amqp:decode-error"
    INTERNAL_ERROR = "amqp:internal-error"
    FRAMING_ERROR = "amqp:connection:framing-error"
    CONNECTION_FORCED = "amqp:connection:forced"
    UNATTACHED_HANDLE = "amqp:session:unattached-handle"
    MESSAGE_TOO_LARGE = "amqp:link:message-size-exceeded"
    ARGUMENT_ERROR = "com.microsoft:argument-error"
    SERVER_BUSY = "com.microsoft:server-busy"
    MESSAGE_LOCK_LOST = "com.microsoft:message-lock-lost"
    MESSAGE_NOT_FOUND = "com.microsoft:message-not-found"


class BrokerError(Exception):
    """A refusal that the peer is told about."""

    def __init__(self, condition: Condition, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition = condition
        self.description = description
