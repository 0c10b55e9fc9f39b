"""Reads and writes `multipart/mixed` bodies whose parts are HTTP requests, responses or change sets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.dataverse.errors import ApiError

_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)
_REQUEST_LINE = re.compile(r"(GET|POST|PATCH|PUT|DELETE)\s+(\S.*?)(?:\s+HTTP/\d(?:\.\d)?)?\s*")
CRLF = "\r\n"


@dataclass(frozen=True)
class Part:
    """A part's MIME headers (lower case) and its content."""

    headers: dict[str, str]
    content: str


@dataclass(frozen=True)
class InnerRequest:
    """An HTTP request that was written into a part."""

    method: str
    url: str
    headers: dict[str, str]
    body: str


def malformed(what: str) -> ApiError:
    return ApiError(400, "0x80048d19", f"The batch request is malformed: {what}.")


def boundary(content_type: str) -> str:
    """The boundary of a multipart content type. Raises ApiError 400."""
    match = _BOUNDARY.search(content_type)
    if match is None or not content_type.lower().startswith("multipart/mixed"):
        raise malformed("Content-Type must be multipart/mixed with a boundary")
    return match[1]


def split_parts(body: str, mark: str) -> list[Part]:
    """The parts between the boundary lines; text before the first is ignored. Raises ApiError 400."""
    pieces = re.split(rf"(?:\A|\r?\n)--{re.escape(mark)}(--)?[ \t]*(?:\r?\n|\Z)", body)
    if "--" not in pieces[1::2]:
        raise malformed("the closing boundary is missing")
    closing = pieces[1::2].index("--")
    return [_part(text) for text in pieces[2 : 2 + 2 * closing : 2]]


def _part(text: str) -> Part:
    head, content = _split_head(text)
    return Part(_headers(head), content)


def _split_head(text: str) -> tuple[str, str]:
    """Headers end at the first blank line; a part may also begin with it."""
    if match := re.match(r"\r?\n", text):
        return "", text[match.end() :]
    head, *content = re.split(r"\r?\n\r?\n", text, maxsplit=1)
    return head, content[0] if content else ""


def _headers(head: str) -> dict[str, str]:
    lines = (line.partition(":") for line in head.splitlines() if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def inner_request(part: Part) -> InnerRequest:
    """The HTTP request that a part holds. Raises ApiError 400."""
    if not part.headers.get("content-type", "").lower().startswith("application/http"):
        raise malformed("a part must be application/http")
    line, *rest = re.split(r"\r?\n", part.content.lstrip("\r\n"), maxsplit=1)
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise malformed(f"'{line[:80]}' is not a request line")
    head, body = _split_head(rest[0] if rest else "")
    return InnerRequest(match[1], match[2], _headers(head), body.strip("\r\n"))


def response_part(status_line: str, headers: dict[str, str], body: str, content_id: str | None) -> str:
    """One response, as it stands between two boundaries."""
    mime = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    mime += [f"Content-ID: {content_id}"] if content_id is not None else []
    inner = [f"HTTP/1.1 {status_line}", *(f"{name}: {value}" for name, value in headers.items())]
    return CRLF.join([*mime, "", *inner, "", body])


def changeset_part(mark: str, parts: list[str]) -> str:
    """The responses of a change set as one part."""
    return CRLF.join([f"Content-Type: multipart/mixed; boundary={mark}", "", join_parts(mark, parts)])


def join_parts(mark: str, parts: list[str]) -> str:
    return "".join(f"--{mark}{CRLF}{part}{CRLF}" for part in parts) + f"--{mark}--{CRLF}"
