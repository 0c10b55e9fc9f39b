"""Link addresses: what `amqps://localhost:5673/q1/$DeadLetterQueue` or `q1/$management` means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit

from sandbox.service_bus.errors import BrokerError, Condition

_MANAGEMENT = "/$management"
_NOT_OFFERED = ("/subscriptions/", "/$transfer", "$coordinator")


class Kind(Enum):
    """What kind of node an address names."""

    QUEUE = auto()
    MANAGEMENT = auto()
    CBS = auto()


@dataclass(frozen=True, slots=True)
class Address:
    """A node; `path` is that of its queue in lower case, empty for the claims node `$cbs`."""

    kind: Kind
    path: str


def parse_address(text: str) -> Address:
    """SDKs send whole URLs for queues and bare paths for `$cbs` and `$management`; case does not count.

    Raises BrokerError for nodes that Service Bus has and this stand-in does not.
    """
    path = path_of(text)
    if path == "$cbs":
        return Address(Kind.CBS, "")
    if any(part in path for part in _NOT_OFFERED):
        raise BrokerError(Condition.NOT_IMPLEMENTED, f"the stand-in has plain queues only: {text!r} is not offered")
    if path.endswith(_MANAGEMENT):
        return Address(Kind.MANAGEMENT, path.removesuffix(_MANAGEMENT))
    return Address(Kind.QUEUE, path)


def path_of(text: str) -> str:
    """The path of a URL or of a bare path, in lower case and without slashes around it."""
    path = urlsplit(text).path if "://" in text else text
    return path.strip("/").lower()
