"""OData `$batch` as multipart/mixed: many requests in one body, many answers in one body. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.clients.calls import Response

OPERATIONS_MAX = 1000
_BOUNDARY = re.compile(r'\bboundary="?([^";]+)"?', re.IGNORECASE)
_STATUS_LINE = re.compile(rb"HTTP/\d\.\d (\d{3})\b")


class UnreadableBatchError(ValueError):
    """The answer is not a whole multipart body."""


@dataclass(frozen=True)
class Part:
    """One request inside a batch. `path` is absolute on the host, percent-encoded."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


def build(parts: Sequence[Part], boundary: str) -> bytes:
    """The body; `boundary` must occur in no part. Raises ValueError above the 1000 operations that Dataverse takes."""
    if len(parts) > OPERATIONS_MAX:
        raise ValueError(f"a batch holds at most {OPERATIONS_MAX} operations, not {len(parts)}")
    if any(boundary.encode() in part.body for part in parts):
        raise ValueError("the boundary occurs in a part")
    opening = f"--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n".encode()
    return b"".join(opening + _http(part) + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


def content_type(boundary: str) -> str:
    """The value of the whole request's Content-Type."""
    return f'multipart/mixed; boundary="{boundary}"'


def read(response: Response) -> list[Response]:
    """The answers in the order of the requests (change sets are not offered). Raises UnreadableBatchError."""
    found = _BOUNDARY.search(response.headers.get("content-type", ""))
    if found is None:
        raise UnreadableBatchError("the answer names no boundary")
    delimiter = b"\r\n--" + found[1].strip().encode()
    _preamble, *pieces = (b"\r\n" + response.body).split(delimiter)
    if not pieces or not pieces[-1].startswith(b"--"):
        raise UnreadableBatchError("the answer ends early")
    return [_answer(piece) for piece in pieces[:-1]]


def _http(part: Part) -> bytes:
    lines = [f"{part.method} {part.path} HTTP/1.1", *(f"{name}: {value}" for name, value in part.headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + part.body


def _answer(piece: bytes) -> Response:
    """A piece is the rest of the delimiter's line, MIME headers, an empty line, and the HTTP answer."""
    _mime, separator, message = piece.partition(b"\r\n\r\n")
    head, _, body = message.partition(b"\r\n\r\n")
    status_line, _, lines = head.partition(b"\r\n")
    status = _STATUS_LINE.match(status_line)
    if not separator or status is None:
        raise UnreadableBatchError("a part of the answer is not an HTTP answer")
    pairs = (line.decode("latin-1").partition(":") for line in lines.split(b"\r\n") if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Response(int(status[1]), headers, body)
