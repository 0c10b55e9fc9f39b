"""The errors that Campaign answers with, in its own words.

Campaign reports data errors as text, not as an object, and mostly as status 500: a client must read the text.
Texts marked "assumed" are modelled on their documented neighbours; nobody has published the real one.
"""

from __future__ import annotations

GENERIC = "RST-360011 An error has occurred - please contact your administrator."


class Problem(Exception):
    """An answer other than success: an HTTP status and the text of the body."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def unknown_key(path: str, key: str) -> Problem:
    """No document has this key; `path` is the document's label, as `Profile`."""
    return Problem(404, f"{GENERIC} Unable to find document with path '{path}' from key '{key}'.")


class HiddenRecord(Problem):
    """A record that exists and cannot be reached, because a parent that it needs is missing.

    That it cannot be read, and that writing to it is an error, is documented; the status and the text of the error
    are not (assumed: those of a key that does not exist).
    """

    def __init__(self, path: str, key: str) -> None:
        unknown = unknown_key(path, key)
        super().__init__(unknown.status, unknown.text)


def garbage_key(key: str, schema: str) -> Problem:
    """A PKey that this instance never issued: the server takes its text for an attribute name of the schema."""
    bare = key.removeprefix("@")
    return Problem(
        500,
        f"{GENERIC} '{bare}' attribute unknown (see definition of '{schema}' schema). "
        f"XTK-170036 Unable to parse expression '@id = @{bare}'.",
    )


def key_conflict(resource: str, stored: str, sent: str) -> Problem:
    """The body names another key than the URI, or tries to change a key that is set."""
    return Problem(
        500,
        f"{GENERIC} RST-360012 Inconsistent operation on resource '{resource}' - "
        f"Cannot update key '{stored}' to '{sent}'.",
    )


def duplicate_key(label: str, key: str, constraint: str) -> Problem:
    """A unique key exists already."""
    return Problem(
        500,
        f"{GENERIC} A '{label}' with the same key '{key}' already exists. PGS-220000 PostgreSQL error: "
        f'ERROR: duplicate key value violates unique constraint "{constraint}".',
    )


def bad_enumeration(field: str, value: object, schema: str) -> Problem:
    """A value outside an enumeration, which is written by name."""
    return Problem(
        500,
        f"{GENERIC} The value '{value}' is not valid for the '{schema}:{field}' enumeration of the '@{field}' field.",
    )


def read_only(field: str) -> Problem:
    """A property that only Campaign writes."""
    return Problem(500, f"{GENERIC} Cannot update the '{field}' property that is read-only.")


def unknown_property(field: str, resource: str) -> Problem:
    """A property that the resource does not have, or not at this endpoint."""
    return Problem(500, f"{GENERIC} '{field}' property is not valid for the '{resource}' resource.")


def mandatory(field: str) -> Problem:
    """A field that every record needs (assumed text)."""
    return Problem(500, f"{GENERIC} The '@{field}' field is mandatory.")


def too_long(field: str, length: int) -> Problem:
    """A text over the field's length in characters (assumed text)."""
    return Problem(
        500, f"{GENERIC} XTK-170041 The value of the '@{field}' field exceeds its length ({length} characters)."
    )


def bad_value(field: str, kind: str) -> Problem:
    """A value that is not of the field's type (assumed text)."""
    return Problem(500, f"{GENERIC} XTK-170038 The value of the '@{field}' field is not a valid {kind}.")


def bad_email(field: str) -> Problem:
    """A value that the e-mail data policy rejects (documented code, assumed wording)."""
    return Problem(500, f"{GENERIC} XTK-170049 The value of the '@{field}' field is not a valid e-mail address.")


def no_json(body: str) -> Problem:
    """A body that cannot be read, in the words that Adobe's own tests expect (status assumed)."""
    return Problem(500, f"{GENERIC} '{body}' is not a valid constant.")


def bad_body() -> Problem:
    """A body that is not a JSON object (assumed text)."""
    return Problem(500, f"{GENERIC} RST-360003 The body of the request is not a valid JSON object.")


def bad_parameter(name: str, reason: str) -> Problem:
    """A query parameter that cannot be used (assumed text, with the documented expression code)."""
    return Problem(500, f"{GENERIC} XTK-170036 Unable to parse the '{name}' parameter: {reason}.")


def not_offered(what: str) -> Problem:
    """Something that real Campaign may have and this stand-in has not."""
    return Problem(501, f"This stand-in of Adobe Campaign Standard does not offer {what}.")


def unknown_resource() -> Problem:
    """A custom resource that does not exist or is not published: 404 as Adobe's own tests note it, with the text that
    was seen with a 404.
    """
    return Problem(404, f"{GENERIC} Error rc=-2003")


def bad_uri() -> Problem:
    """A path that leads nowhere."""
    return Problem(500, "Oops. Something went wrong. Check your URI and try again.")
