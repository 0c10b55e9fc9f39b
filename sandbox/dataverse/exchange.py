"""One API request and its answer, free of HTTP machinery, so that a batch can run its parts like calls of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.dataverse.errors import ApiError
from sandbox.dataverse.operation import Operation
from sandbox.dataverse.query import Preferences, options, preferences


@dataclass(frozen=True)
class ApiRequest:
    """`path` and `query_string` as they stood in the URL below the API's root; header names are lower case.

    `references`: Content-ID → URL of the row that an earlier part of the same change set wrote.
    """

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    operation: Operation
    references: Mapping[str, str] = field(default_factory=dict)

    @property
    def query(self) -> dict[str, str]:
        return options(self.query_string)

    @property
    def prefer(self) -> Preferences:
        return preferences(self.headers.get("prefer", ""))

    def at(self, path: str, query_string: str) -> ApiRequest:
        """The same request for another resource."""
        return replace(self, path=path, query_string=query_string)


@dataclass(frozen=True)
class ApiResponse:
    """`body`: an object to be sent as JSON, a text (multipart, plain number), or None."""

    status: int
    body: dict[str, Any] | str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; odata.metadata=minimal"

    @classmethod
    def of_error(cls, error: ApiError) -> ApiResponse:
        return cls(error.status, error.body(), dict(error.headers))
