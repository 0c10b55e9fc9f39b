"""The file's shape, as pydantic models: they check it, and the JSON Schema for editors is made from them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from shared.domain.optout import Configuration, Policy
from shared.mapping_file.models import (
    AllOf,
    AnyOf,
    Column,
    ColumnRow,
    Condition,
    ConstantRow,
    Model,
    NotOf,
    TemplateRow,
    fault,
)
from shared.mapping_file.table_models import ContactTable, EntityTable, Filter, Key, Link, Privacy, ProfileKey, Table

Regulations = dict[str, Annotated[int, Field(gt=0, strict=True)]]

ATTRIBUTE = "one of Campaign's opt-outs, e.g. blackListEmail or ccpaOptOut"


def attribute(name: str) -> str:
    """Campaign's newer word for an opt-out is an alias of the older one, which is what its interface takes."""
    return re.sub("^denyList", "blackList", name)


def _version(value: object) -> object:
    if value is not True and value == 1:
        return value
    raise fault("this version of the format is not known", "Write 1, without quotes.")


Attribute = Annotated[
    str,
    Field(pattern=r"^((black|deny)List(Email|Fax|Mobile|Phone|PostalMail|Pushnotification)?|ccpaOptOut)$"),
    AfterValidator(attribute),
]


class Pair(Model):
    """A boolean column and the opt-out that means the same."""

    dynamics: Column = Field(description="a boolean column; true means opted out, e.g. donotbulkemail")
    campaign: Attribute = Field(description=ATTRIBUTE)
    inverse: bool = Field(False, strict=True, description="true: in the column false is opted out, as in followemail")
    regulation: str | None = Field(None, description="one of `regulations`; without it the strictest counts")


class OptOutRules(Model):
    """Which way opt-outs travel, who prevails, and by when they must have arrived."""

    configuration: Configuration = Field(Configuration.BIDIRECTIONAL, description="which way opt-outs travel")
    policy: Policy = Field(Policy.ADOBE, description="who prevails when both sides are heard")
    regulations: Regulations = Field(default={}, description="days until an opt-out must be in both systems, by law")


class File(Model):
    """The whole file."""

    version: Annotated[Literal[1], BeforeValidator(_version)] = Field(description="1, the version of this format")
    tables: list[Table] = Field(min_length=1, description="the table pairs; one of them contact and profile")
    opt_outs: list[Pair] = Field(default=[], description="the opt-out pairs")
    opt_out_rules: OptOutRules = Field(OptOutRules(), description="how the two sides are brought into line")


OWNERS: dict[tuple[str, ...], type[Model]] = {
    (): File,
    ("tables", "<contact>", "key"): ProfileKey,
    ("tables", "<contact>", "privacy"): Privacy,
    ("tables", "<entity>", "key"): Key,
    ("tables", "<entity>", "filter"): Filter,
    ("tables", "<entity>", "links"): Link,
    ("opt_outs",): Pair,
    ("opt_out_rules",): OptOutRules,
}
TAGGED: dict[str, type[Model]] = {
    "<contact>": ContactTable,
    "<entity>": EntityTable,
    "<column>": ColumnRow,
    "<template>": TemplateRow,
    "<constant>": ConstantRow,
    "<all>": AllOf,
    "<any>": AnyOf,
    "<not>": NotOf,
    "<condition>": Condition,
}
