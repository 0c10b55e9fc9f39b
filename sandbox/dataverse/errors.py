"""Errors of the Web API: an HTTP status, the platform's error code and its text."""

from __future__ import annotations

from dataclasses import dataclass, field

_PAYLOAD = "0x80048d19"
_QUERY = "0x8006088a"
_VALIDATION = "0x80040203"
_PAYLOAD_TEXT = (
    "Error identified in Payload provided by the user for Entity :'{entity_set}' ---->  InnerException : {inner}"
)


@dataclass
class ApiError(Exception):
    """A request that is answered with `{"error":{"code","message"}}`."""

    status: int
    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.message}"

    def body(self) -> dict[str, object]:
        return {"error": {"code": self.code, "message": self.message}}


def not_offered(what: str) -> ApiError:
    """For everything that the platform has and this stand-in has not."""
    return ApiError(501, "0x80060000", f"The sandbox does not offer {what}.")


def bad_query(message: str) -> ApiError:
    return ApiError(400, _QUERY, message)


def bad_payload(entity_set: str, inner: str) -> ApiError:
    return ApiError(400, _PAYLOAD, _PAYLOAD_TEXT.format(entity_set=entity_set, inner=inner))


def invalid_value(message: str) -> ApiError:
    return ApiError(400, _VALIDATION, message)


def unknown_property(entity_set: str, table: str, name: str) -> ApiError:
    """A value for a property that the table lacks; Dataverse words it as an undeclared, untyped value."""
    text = f"An undeclared property '{name}' was found: Invalid property in entity 'Microsoft.Dynamics.CRM.{table}'. "
    return bad_payload(entity_set, text + "Does not support untyped value in non-open type.")


def unknown_navigation(entity_set: str, name: str) -> ApiError:
    """A bind to a navigation property that does not exist (also when only the case is wrong)."""
    text = (
        f"An undeclared property '{name}' which only has property annotations in the payload but no property value "
        "was found in the payload. In OData, only declared navigation properties and declared named streams can be "
        "represented as properties without values."
    )
    return bad_payload(entity_set, text)


def too_long(table: str, column: str, limit: int) -> ApiError:
    text = f"The length of the '{column}' attribute of the '{table}' entity exceeded the maximum allowed length"
    return ApiError(400, "0x80044331", f"A validation error occurred. {text} of '{limit}'.")


def out_of_range(table: str, column: str, value: object, accepted: str) -> ApiError:
    text = f"The value '{value}' of '{column}' on record of type '{table}' is outside the valid range."
    return ApiError(400, "0x8004431a", f"A validation error occurred. {text} Accepted Values: {accepted}")


def does_not_exist(table: str, row_id: str) -> ApiError:
    return ApiError(404, "0x80040217", f"{table} With Id = {row_id} Does Not Exist")


def no_row_for_key(table: str) -> ApiError:
    return ApiError(404, "0x80060891", f"A record with the specified key values does not exist in {table} entity")


def has_dependants() -> ApiError:
    text = "The object you tried to delete is associated with another object and cannot be deleted."
    return ApiError(405, "0x80040227", text)


def not_tracked(table: str) -> ApiError:
    return ApiError(400, "0x80072491", f"Entity {table} isn't enabled for change tracking.")


def token_expired() -> ApiError:
    text = "Version stamp associated with the client has expired. Please perform a full sync."
    return ApiError(400, "0x80044352", text)


def resource_not_found(segment: str) -> ApiError:
    return ApiError(404, "0x80060888", f"Resource not found for the segment '{segment}'.")


def version_mismatch() -> ApiError:
    text = "The version of the existing record doesn't match the RowVersion property provided."
    return ApiError(412, "0x80060882", text)


def already_exists() -> ApiError:
    return ApiError(412, "0x80040237", "A record with matching key values already exists.")


def key_taken(key: str, columns: str) -> ApiError:
    text = f"A record that has the attribute values {columns} already exists. The entity key {key} requires that this "
    text += "set of attributes contains unique values. Select unique values and try again."
    return ApiError(412, "0x80060892", text)


def method_not_allowed(method: str) -> ApiError:
    return ApiError(405, "0x8006088a", f"The requested resource does not support http method '{method}'.")
