"""The Web API's front door: sends each request to what answers it, inside one transaction."""

from __future__ import annotations

from sandbox.dataverse.administration import Administration
from sandbox.dataverse.batch import Batches
from sandbox.dataverse.bulk import Bulk
from sandbox.dataverse.definitions import Definitions
from sandbox.dataverse.errors import ApiError, bad_query, method_not_allowed, not_offered, resource_not_found
from sandbox.dataverse.exchange import ApiRequest, ApiResponse
from sandbox.dataverse.organization import Organization
from sandbox.dataverse.records import Records
from sandbox.dataverse.resource import Segment, relative, split

_ACTION = "Microsoft.Dynamics.CRM."
_UNOFFERED = frozenset({"$metadata", "Merge", "RetrieveMetadataChanges", "CreateEntities", "DeleteEntities"})


class Api:
    """Answers requests synchronously: nothing else runs while a request does its work."""

    def __init__(self, org: Organization) -> None:
        self._org = org
        self._records = Records(org)
        self._bulk = Bulk(org, self._records)
        self._definitions = Definitions(org.schema, org.api_url, org.catalog)
        self._administration = Administration(org)
        self._batches = Batches(self._execute, org.store.transaction)

    def call(self, request: ApiRequest) -> ApiResponse:
        """Answer one request from the wire; errors become answers."""
        self._org.counters.http[_kind(request)] += 1
        try:
            answer = self._batches.answer if request.path.strip("/") == "$batch" else self._execute
            response = answer(request)
        except ApiError as error:
            response = ApiResponse.of_error(error)
        self._org.counters.answers[str(response.status)] += 1
        return response

    def _execute(self, request: ApiRequest) -> ApiResponse:
        """Answer one operation (also one inside a batch). Raises ApiError; then nothing of it was written."""
        self._org.counters.operations[_kind(request)] += 1
        segments = split(request.path)
        try:
            if request.method == "GET":
                return self._route(segments, request)
            with self._org.store.transaction():
                self._org.solutions.check(request)
                response = self._route(segments, request)
                self._org.solutions.note(request, response)
                return response
        except ApiError:
            self._org.pipeline.forget()
            raise

    def _route(self, segments: list[Segment], request: ApiRequest) -> ApiResponse:
        if not segments:
            return self._service_document()
        first = segments[0]
        if first.name == "WhoAmI":
            return self._who_am_i(request)
        if first.name == "BulkDelete":
            return self._bulk_delete(request)
        if (answer := self._administration.answers(segments, request.method)) is not None:
            return answer(segments, request)
        if first.name in ("EntityDefinitions", "RelationshipDefinitions"):
            self._org.security.check_metadata(request)
        if first.name == "EntityDefinitions":
            return self._definitions.answer(segments, request)
        if first.name == "RelationshipDefinitions":
            return self._definitions.relationships(segments, request)
        if first.name == "$batch":
            raise bad_query("A batch cannot hold another batch.")
        if first.name in _UNOFFERED:
            raise not_offered(f"'{first.name}'")
        return self._entity_set(segments, request)

    def _entity_set(self, segments: list[Segment], request: ApiRequest) -> ApiResponse:
        first, *rest = segments
        table = self._org.schema.entity_sets.get(first.name)
        if table is None:
            raise resource_not_found(first.name)
        if len(rest) > 1 or (rest and rest[0].key is not None):
            raise not_offered(f"the path '{request.path}'")
        self._org.security.check(table, rest[0].name.removeprefix(_ACTION) if rest else None, request)
        if first.key is not None:
            if rest:
                return self._records.related(table, first.key, rest[0].name, request)
            return self._records.single(table, first.key, request)
        if not rest:
            return self._records.collection(table, request)
        if rest[0].name == "$count":
            return self._records.count(table, request)
        return self._bulk.action(table, rest[0].name, request)

    def _service_document(self) -> ApiResponse:
        sets = [{"name": name, "kind": "EntitySet", "url": name} for name in self._org.schema.entity_sets]
        return ApiResponse(200, {"@odata.context": f"{self._org.api_url}$metadata", "value": sets})

    def _who_am_i(self, request: ApiRequest) -> ApiResponse:
        if request.method != "GET":
            raise method_not_allowed(request.method)
        body = {
            "@odata.context": f"{self._org.api_url}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
            "BusinessUnitId": self._org.config.business_unit_id,
            "UserId": request.operation.caller.user_id,
            "OrganizationId": self._org.config.organization_id,
        }
        return ApiResponse(200, body)

    def _bulk_delete(self, request: ApiRequest) -> ApiResponse:
        if request.method != "POST":
            raise method_not_allowed(request.method)
        return self._bulk.delete_job(request)


def _kind(request: ApiRequest) -> str:
    """`PATCH contacts`, `POST contacts/CreateMultiple`: the method and the resource without keys."""
    names = [segment.name.removeprefix("Microsoft.Dynamics.CRM.") for segment in _segments(request)]
    return f"{request.method} {'/'.join(names)}"


def _segments(request: ApiRequest) -> list[Segment]:
    try:
        return split(relative(request.path))
    except ApiError:
        return [Segment("(malformed)", None)]
