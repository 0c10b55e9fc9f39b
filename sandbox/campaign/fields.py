"""The fields of a profile: types, lengths, enumerations, what is read-only, and when an opt-out flag was last set.

Names, types and the lengths of the plain fields follow Adobe's data-model pages. Assumed, because unpublished: a
limit of 255 characters for the parts of an address and for every other text field without a documented length; that
`blackListAllLastModified` and `blackListLastModified` both follow the flag `blackList`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "string", "boolean", "integer", "float", "date", "datetime", "enumeration", "object", "link", "collection"
]

DEFAULT_LENGTH = 255


@dataclass(frozen=True)
class Field:
    """One field; `length` in characters (0: not limited), `values` for an enumeration, `parts` for an object.

    `target` is what a link or a collection leads to, `schema` where an enumeration is declared.
    """

    name: str
    kind: Kind = "string"
    length: int = 0
    read_only: bool = False
    values: tuple[str, ...] = ()
    parts: tuple[Field, ...] = ()
    target: str = ""
    extension: bool = False
    mandatory: bool = False
    schema: str = "nms:recipient"

    @property
    def empty(self) -> object:
        """Return the value of a field that nobody set."""
        if self.kind == "enumeration":
            return self.values[0] if self.values else ""
        if self.kind == "object":
            return {part.name: part.empty for part in self.parts}
        return {"boolean": False, "integer": 0, "float": 0.0}.get(self.kind, "")


FLAGS = (
    "blackList",
    "blackListEmail",
    "blackListFax",
    "blackListMobile",
    "blackListPhone",
    "blackListPostalMail",
    "blackListPushnotification",
    "ccpaOptOut",
)
STAMPS: Mapping[str, tuple[str, ...]] = {
    flag: (f"{flag}LastModified", "blackListAllLastModified") if flag == "blackList" else (f"{flag}LastModified",)
    for flag in FLAGS
}


def _texts(lengths: Mapping[str, int]) -> Iterable[Field]:
    return (Field(name, length=length) for name, length in lengths.items())


def _parts(names: str, read_only: str = "") -> tuple[Field, ...]:
    writable = tuple(Field(name, length=DEFAULT_LENGTH) for name in names.split())
    return writable + tuple(Field(name, read_only=True) for name in read_only.split())


_POSTAL = "line1 line2 line3 line4 line5 line6 serialized addrDefined addrErrorCount addrLastCheck addrQuality"

PROFILE_FIELDS: tuple[Field, ...] = (
    Field("PKey", read_only=True),
    Field("href", read_only=True),
    *_texts({"email": 128, "externalId": 100, "fax": 32, "firstName": 30, "lastName": 50, "middleName": 30}),
    *_texts({"mobilePhone": 32, "phone": 32, "salutation": 20, "preferredLanguage": 255, "timeZone": 255}),
    Field("birthDate", "date"),
    Field("age", "integer", read_only=True),
    Field("emailFormat", "enumeration", values=("unknown", "text", "html")),
    Field("gender", "enumeration", values=("unknown", "male", "female")),
    Field("isExternal", "boolean"),
    *(Field(flag, "boolean") for flag in FLAGS),
    *(Field(stamp, "datetime", read_only=True) for stamps in STAMPS.values() for stamp in stamps),
    Field("location", "object", parts=_parts("address1 address2 address3 address4 city countryCode stateCode zipCode")),
    Field("postalAddress", "object", read_only=True, parts=_parts("", _POSTAL)),
    Field("created", "datetime", read_only=True),
    Field("lastModified", "datetime", read_only=True),
    *(Field(name, read_only=True) for name in ("cryptedId", "domain", "thumbnail", "title")),
    Field("createdBy", "link", read_only=True, target="user"),
    Field("country", "link", target="country"),
    Field("stateLink", "link", target="state"),
    *(
        Field(name, "collection", read_only=True, target=name)
        for name in ("logs", "tracking", "excludeLogs", "subHisto", "subscriptions", "appSubscription")
    ),
)


class Catalogue:
    """The fields of one resource: built-in ones everywhere, extension fields at the Ext endpoint only."""

    def __init__(self, built_in: Iterable[Field], extension: Iterable[Field]) -> None:
        self._all = {field.name: field for field in (*built_in, *extension)}
        self._built_in = {name: field for name, field in self._all.items() if not field.extension}

    def at(self, extended: bool) -> Mapping[str, Field]:
        """Return the fields by name that the endpoint shows: all at the Ext one, else the built-in ones."""
        return self._all if extended else self._built_in
