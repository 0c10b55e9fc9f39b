"""The shape of a table pair: contact and profile, or a custom table and a custom resource."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from shared.domain.mapping import DeleteMode, WhenFilteredOut
from shared.mapping_file.models import Column, FilterNode, Model, Row

ResourceName = Annotated[str, Field(pattern=r"^cus[A-Z0-9][A-Za-z0-9_]{0,99}$")]
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class EntityDeleteMode(StrEnum):
    """What follows when a row of a custom table is deleted."""

    DELETE = "delete"
    IGNORE = "ignore"


class Cardinality(StrEnum):
    """Campaign's two kinds of link from a child to its parent."""

    ONE = "1"
    NONE_OR_ONE = "0 or 1"


def _number(value: object) -> object:
    """Without quotes, 1 is a number."""
    return "1" if value == 1 and value is not True else value


class Privacy(Model):
    """What a privacy request names."""

    regulation: Annotated[str, Field(pattern=r"^[a-z]{2,20}$")] = Field(description="the law, in lower case, e.g. gdpr")
    namespace_name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")] = Field(
        description="the internal name of the namespace that an administrator of Campaign made for externalId"
    )


class ProfileKey(Model):
    """How a contact finds its profile."""

    dynamics: Literal["contactid"] = Field(description="contactid; no other key column is offered")
    campaign: Literal["externalId"] = Field(description="externalId; no other key field is offered")


class Key(Model):
    """How a row finds its record: an identification key of the resource."""

    dynamics: Column = Field(description="the table's id, or another column whose values are unique")
    campaign: FieldName = Field(description="the field of the resource's identification key, e.g. externalId")


class Filter(Model):
    """The custom filter that finds a record by its key."""

    name: Annotated[str, Field(pattern=r"^by[A-Za-z0-9_]+$")] = Field(
        description="by and the filter's name in Campaign, e.g. byExternalId"
    )
    parameter: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] = Field(
        description="the name of the filter's parameter, e.g. externalId_parameter"
    )


class Link(Model):
    """A lookup whose row is the parent, and the text field that carries the parent's id."""

    dynamics: Column = Field(description="a lookup column, e.g. new_contactid")
    campaign: FieldName = Field(description="the text field that the link in Campaign joins on")
    parent: Column = Field(description="the parent's table, which must be mapped, too, e.g. contact")
    cardinality: Annotated[Cardinality, BeforeValidator(_number)] = Field(
        Cardinality.ONE, description='"1": without its parent Campaign hides the record; "0 or 1": it does not'
    )
    cascade: bool = Field(True, strict=True, description="whether Campaign deletes the record with its parent")


class WrittenTable(Model):
    """What every kind of table pair says."""

    fields: list[Row] = Field(min_length=1, description="the field rows: column, template or constant → field")
    filters: FilterNode | None = Field(None, description="which rows take part; without filters every row does")
    when_filtered_out: WhenFilteredOut = Field(
        WhenFilteredOut.LEAVE, description="the record of a row that no longer passes: leave it, or delete it"
    )
    deletes_per_hour: int = Field(1000, gt=0, strict=True, description="more deletions than this wait for a person")


class ContactTable(WrittenTable):
    """Contacts and profiles."""

    dynamics: Literal["contact"] = Field(description="contact, or a custom table's logical name")
    campaign: Literal["profile"] = Field(description="profile: contacts have no other side")
    key: ProfileKey = Field(ProfileKey(dynamics="contactid", campaign="externalId"), description="the key pair")
    delete_mode: DeleteMode = Field(DeleteMode.PRIVACY_REQUEST, description="what follows when a row is deleted")
    privacy: Privacy | None = Field(None, description="needed where deletions are privacy requests")


class EntityTable(WrittenTable):
    """A custom table and a custom resource."""

    dynamics: Column = Field(description="the table's logical name, e.g. new_vehicle")
    campaign: ResourceName = Field(description="the custom resource's name with its prefix, e.g. cusVehicle")
    key: Key | None = Field(None, description="the key pair; without it the table's id and externalId")
    filter: Filter | None = Field(None, description="the filter on the key; without it byExternalId, for externalId")
    linked_to_profiles: bool = Field(
        True, strict=True, description="false: the resource has no link to profiles, not even over others"
    )
    links: list[Link] = Field(default=[], description="the links to parents")
    delete_mode: EntityDeleteMode = Field(EntityDeleteMode.DELETE, description="what follows when a row is deleted")


def _table_kind(table: object) -> str:
    keys = table if isinstance(table, dict) else {}
    contact = keys.get("dynamics", "contact") == "contact" or keys.get("campaign") == "profile"
    return "<contact>" if contact else "<entity>"


Table = Annotated[
    Annotated[ContactTable, Tag("<contact>")] | Annotated[EntityTable, Tag("<entity>")],
    Discriminator(_table_kind),
]
