"""A received message as plain values, to compare with what was sent."""

from __future__ import annotations

from azure.servicebus import ServiceBusReceivedMessage

Plain = tuple[str, bytes, dict[str, str | int | float]]


def plain(message: ServiceBusReceivedMessage) -> Plain:
    """Id, body, application properties."""
    properties = {text(name): number_or_text(value) for name, value in (message.application_properties or {}).items()}
    return message.message_id or "", b"".join(message.body), properties


def number_or_text(value: object) -> str | int | float:
    return value if isinstance(value, int | float) else text(value)


def text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
