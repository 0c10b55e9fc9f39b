"""`$batch`: many requests in one, some of them in change sets that are written wholly or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from http import HTTPStatus
from uuid import uuid4

from sandbox.dataverse.errors import ApiError, method_not_allowed
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.multipart import (
    InnerRequest,
    Part,
    boundary,
    changeset_part,
    inner_request,
    join_parts,
    malformed,
    response_part,
    split_parts,
)
from sandbox.dataverse.resource import relative
from sandbox.dataverse.wishes import wished

MAX_OPERATIONS = 1000
Execute = Callable[[ApiRequest], ApiResponse]
Transaction = Callable[[], AbstractContextManager[None]]


class Batches:
    """Runs the parts in order. Without `odata.continue-on-error` the first error ends the batch with status 400."""

    def __init__(self, execute: Execute, transaction: Transaction) -> None:
        self._execute = execute
        self._transaction = transaction

    def answer(self, request: ApiRequest) -> ApiResponse:
        """Run a batch. Raises ApiError 400 when it is malformed or has more than 1000 operations."""
        if request.method != "POST":
            raise method_not_allowed(request.method)
        parts = _read(request)
        answered: list[str] = []
        failed = False
        for part in parts:
            text, ok = self._run(part, request)
            answered.append(text)
            failed = failed or not ok
            if not ok and not request.prefer.continue_on_error:
                break
        mark = f"batchresponse_{uuid4()}"
        status = 400 if failed and not request.prefer.continue_on_error else 200
        return ApiResponse(status, join_parts(mark, answered), content_type=f"multipart/mixed; boundary={mark}")

    def _run(self, part: Part, request: ApiRequest) -> tuple[str, bool]:
        if _is_changeset(part):
            return self._changeset(part, request)
        content_id = part.headers.get("content-id")
        try:
            response = self._execute(_request(inner_request(part), request, {}))
        except ApiError as error:
            return _shown(ApiResponse.of_error(error), content_id), False
        return _shown(response, content_id), True

    def _changeset(self, part: Part, request: ApiRequest) -> tuple[str, bool]:
        """All or nothing: an error is the change set's one answer."""
        references: dict[str, str] = {}
        answered: list[str] = []
        content_id: str | None = None
        try:
            with self._transaction():
                for inner_part in split_parts(part.content, boundary(part.headers["content-type"])):
                    inner = inner_request(inner_part)
                    content_id = inner_part.headers.get("content-id") or inner.headers.get("content-id")
                    if inner.method == "GET":
                        raise malformed("a change set cannot hold GET")
                    response = self._execute(_request(inner, request, references))
                    if content_id is not None and "OData-EntityId" in response.headers:
                        references[content_id] = response.headers["OData-EntityId"]
                    answered.append(_shown(response, content_id))
        except ApiError as error:
            return _shown(ApiResponse.of_error(error), content_id), False
        return changeset_part(f"changesetresponse_{uuid4()}", answered), True


def _read(request: ApiRequest) -> list[Part]:
    mark = boundary(request.headers.get("content-type", ""))
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        raise malformed("it is not UTF-8") from None
    parts = split_parts(text, mark)
    operations = sum(_size(part) for part in parts)
    if operations > MAX_OPERATIONS:
        raise ApiError(400, "0x80060873", f"Batch size {operations} is exceeding the maximum of {MAX_OPERATIONS}.")
    return parts


def _size(part: Part) -> int:
    """How many operations a part holds; a malformed one is found before anything is done."""
    inner = split_parts(part.content, boundary(part.headers["content-type"])) if _is_changeset(part) else [part]
    return len([inner_request(each) for each in inner])


def _is_changeset(part: Part) -> bool:
    return part.headers.get("content-type", "").lower().startswith("multipart/mixed")


def _request(inner: InnerRequest, outer: ApiRequest, references: dict[str, str]) -> ApiRequest:
    """The inner request as one of its own; its wishes add to those of the batch."""
    url = inner.url
    if url.startswith("$"):
        name, slash, rest = url[1:].partition("/")
        if name not in references:
            raise malformed(f"'${name}' does not name an earlier part of the change set")
        url = references[name] + slash + rest
    path, _, query_string = relative(url).partition("?")
    operation = replace(wished(outer.operation, inner.headers, query_string), request_id=str(uuid4()))
    return ApiRequest(inner.method, path, query_string, inner.headers, inner.body.encode(), operation, references)


def _shown(response: ApiResponse, content_id: str | None) -> str:
    body = json.dumps(response.body, ensure_ascii=False) if isinstance(response.body, dict) else response.body or ""
    headers = dict(response.headers)
    if body:
        headers = {"Content-Type": response.content_type, **headers}
    headers["OData-Version"] = "4.0"
    return response_part(f"{response.status} {HTTPStatus(response.status).phrase}", headers, body, content_id)
