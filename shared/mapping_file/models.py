"""The shape of field rows and filters, as pydantic models."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from shared.domain import template
from shared.domain.conversion import moment
from shared.domain.field_row import Lookup, Picklist, TooLong
from shared.domain.filters import DATES, EMPTINESS, LISTS, NUMBERS, TEXTS, Operator

# Written by the bridge itself, past the field rows: opt-outs, which have a rule of their own.
RESERVED = re.compile(r"PKey|(black|deny)List.*|ccpaOptOut.*")


def fault(reason: str, remedy: str, at: str = "") -> PydanticCustomError:
    """A finding of a validator. `at`: the key inside the checked object that it is about."""
    return PydanticCustomError("mapping", "{reason}", {"reason": reason, "remedy": remedy, "at": at})


def _not_reserved(target: str) -> str:
    if RESERVED.fullmatch(target):
        remedy = "Leave the row out: the bridge writes the key by itself, and opt-outs are paired under `opt_outs`."
        raise fault(f"no field row may write `{target}`", remedy)
    return target


def _plain(value: object) -> object:
    if isinstance(value, dict | list):
        raise fault("this must be one text, number, true, false or null", "Write a single value.")
    if isinstance(value, float) and value - value != 0:
        raise fault("this number is too large", "Write it in quotes, as text.")
    return value


def _plain_or_list(value: object) -> object:
    return [_plain(item) for item in value] if isinstance(value, list) else _plain(value)


def _checked_template(text: str) -> str:
    try:
        parts = template.parse(text)
    except template.TemplateError as error:
        remedy = "Name columns as {firstname}, in lower case; write {{ and }} for braces that should be shown."
        raise fault(f"the template does not do: {error} (character {error.at + 1})", remedy) from None
    if not any(isinstance(part, template.Slot) for part in parts):
        raise fault("the template names no column", "Name one, as in {firstname}, or use `constant`.")
    return text


Column = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
TargetName = Annotated[
    str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)?$"), AfterValidator(_not_reserved)
]
Plain = Annotated[str | int | float | bool | None, BeforeValidator(_plain)]
Operand = Annotated[
    str | int | float | bool | list[str | int | float | bool | None] | None, BeforeValidator(_plain_or_list)
]
Template = Annotated[str, AfterValidator(_checked_template)]

COLUMN = "a column's logical name in lower case, e.g. emailaddress1 (a lookup's own name, without _ and _value)"
TARGET = "a field of Campaign's profile, dotted when nested, e.g. location.city"


class Model(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Written(Model):
    """What every kind of field row says."""

    campaign: TargetName = Field(description=TARGET)
    apply_updates: bool = Field(True, strict=True, description="false: written at creation and by a resync only")


class Shown(Written):
    """What the rows that read columns say besides."""

    picklist: Picklist = Field(Picklist.CODE, description="choices as their label or their code")
    lookup: Lookup | None = Field(None, description="a reference to another row as its id or its name")
    default: Plain = Field(None, description="instead of an empty value; sent as it is written here")
    too_long: TooLong = Field(
        TooLong.PARK, description="a text longer than its field: park the message, or truncate it"
    )

    @model_validator(mode="after")
    def _whole_addresses(self) -> Shown:
        if self.too_long is TooLong.TRUNCATE and self.campaign == "email":
            remedy = "Use park: what is left of an address is another address."
            raise fault("an e-mail address cannot be truncated", remedy, "too_long")
        return self


class ColumnRow(Shown):
    """One column into one field."""

    dynamics: Column = Field(description=COLUMN)
    replacements: dict[str, Plain] = Field(
        default={}, description="value (as text; the label, where labels travel): what to send instead"
    )


class TemplateRow(Shown):
    """Several columns into one field."""

    template: Template = Field(description='columns in braces, e.g. "{firstname} {lastname}"')


class ConstantRow(Written):
    """The same value for everyone."""

    constant: Plain = Field(description="the value, sent as it is written here")


def _row_kind(row: object) -> str:
    keys = row if isinstance(row, dict) else {}
    return "<template>" if "template" in keys else "<constant>" if "constant" in keys else "<column>"


Row = Annotated[
    Annotated[ColumnRow, Tag("<column>")]
    | Annotated[TemplateRow, Tag("<template>")]
    | Annotated[ConstantRow, Tag("<constant>")],
    Discriminator(_row_kind),
]


class Condition(Model):
    """One comparison."""

    column: Column = Field(description=COLUMN)
    operator: Operator = Field(alias="is", description="how the column is compared")
    value: Operand = Field(None, description="what it is compared with; a list for in and not_in")

    @model_validator(mode="after")
    def _operand(self) -> Condition:
        remedy = _operand_fault(self.operator, self.value)
        if remedy:
            raise fault(f"this value does not go with `{self.operator}`", remedy, "value")
        return self


def _operand_fault(operator: Operator, value: object) -> str | None:
    """What to do about an operator's value, or None where it fits."""
    text, number = isinstance(value, str), isinstance(value, int | float) and not isinstance(value, bool)
    if operator in EMPTINESS:
        return None if value is None else "Leave `value` out."
    if operator in LISTS:
        fits = isinstance(value, list) and value and all(item is not None for item in value)
        return None if fits else "Write a list, e.g. [1, 2]; for empty columns use is_empty."
    if operator in NUMBERS:
        return None if number else "Write a number; for dates use on_or_after or before."
    if operator in DATES:
        fits = isinstance(value, str) and moment(value) is not None
        return None if fits else "Write a date or a time, e.g. 2026-01-31 or 2026-01-31T12:00:00Z."
    if operator in TEXTS:
        return None if text and value else "Write a text."
    if operator in (Operator.CONTAINS, Operator.NOT_CONTAINS):
        return None if (text and value) or number else "Write a text, or a code of a multi-select column."
    plain = value is not None and value != "" and not isinstance(value, list)
    return None if plain else "Write one value; use in for a list, is_empty for empty columns."


class AllOf(Model):
    """Every one of these must hold."""

    of: list[FilterNode] = Field(alias="all", min_length=1, description="conditions or groups")


class AnyOf(Model):
    """At least one of these must hold."""

    of: list[FilterNode] = Field(alias="any", min_length=1, description="conditions or groups")


class NotOf(Model):
    """This must not hold."""

    of: FilterNode = Field(alias="not", description="a condition or a group")


def _filter_kind(node: object) -> str:
    keys = node if isinstance(node, dict) else {}
    return next((f"<{name}>" for name in ("all", "any", "not") if name in keys), "<condition>")


FilterNode = Annotated[
    Annotated[AllOf, Tag("<all>")]
    | Annotated[AnyOf, Tag("<any>")]
    | Annotated[NotOf, Tag("<not>")]
    | Annotated[Condition, Tag("<condition>")],
    Discriminator(_filter_kind),
]
