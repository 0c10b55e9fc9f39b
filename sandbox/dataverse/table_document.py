"""A table described in JSON: what a tester posts to add one while the stand-in runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.dataverse.schema import Attribute, Behavior, Key, Kind, OnDelete, Option, Table, Target, read_only
from sandbox.dataverse.schema_columns import YES_NO, currency, money
from sandbox.dataverse.schema_vehicles import custom_table

_CUSTOM = r"^[a-z][a-z0-9]{1,7}_[a-z0-9_]{1,90}$"
_KINDS = (
    Kind.STRING, Kind.MEMO, Kind.BOOLEAN, Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.DOUBLE, Kind.MONEY,
    Kind.DATETIME, Kind.PICKLIST, Kind.MULTISELECT, Kind.LOOKUP,
)  # fmt: skip
_WITH_OPTIONS = (Kind.PICKLIST, Kind.MULTISELECT)
CustomName = Annotated[str, Field(pattern=_CUSTOM)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnDocument(_Strict):
    """A column; a lookup has a `target`, a choice its `options` (value → label).

    `schema_name` gives a lookup its navigation property, whose case then matters; `collection` names the way back.
    """

    name: CustomName
    kind: Kind
    label: str = ""
    schema_name: str = ""
    max_length: int = Field(default=100, ge=1, le=1_048_576)
    behavior: Behavior = Behavior.USER_LOCAL
    precision: int = Field(default=2, ge=0, le=10)
    minimum: float | None = None
    maximum: float | None = None
    default: bool | int | None = None
    options: dict[int, str] = Field(default_factory=dict)
    target: str | None = None
    collection: str = ""
    on_delete: OnDelete = OnDelete.REMOVE_LINK

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind not in _KINDS:
            raise ValueError(f"a custom column cannot be of the kind {self.kind}")
        if (self.kind is Kind.LOOKUP) != (self.target is not None):
            raise ValueError("a lookup needs its target, and no other column has one")
        if (self.kind in _WITH_OPTIONS) != bool(self.options):
            raise ValueError("a choice needs its options, and no other column has any")
        if self.schema_name and self.schema_name.lower() != self.name:
            raise ValueError(f"the schema name {self.schema_name} is not {self.name} in another case")
        return self

    def attributes(self) -> Iterator[Attribute]:
        """The column, and beside a sum of money the same sum in the organization's currency."""
        options = tuple(Option(value, label) for value, label in self.options.items())
        yield Attribute(
            self.name,
            self.kind,
            self.label,
            self.schema_name,
            max_length=self.max_length,
            behavior=self.behavior,
            options=YES_NO if self.kind is Kind.BOOLEAN else options,
            default=self.default,
            precision=self.precision,
            minimum=self.minimum,
            maximum=self.maximum,
            targets=self._targets(),
        )
        if self.kind is Kind.MONEY:
            yield read_only(money(f"{self.name}_base"))

    def _targets(self) -> tuple[Target, ...]:
        if self.target is None:
            return ()
        return (Target(self.target, self.schema_name or self.name, self.collection, self.on_delete),)


class KeyDocument(_Strict):
    """An alternate key."""

    name: str = Field(min_length=1, max_length=100)
    columns: tuple[str, ...] = Field(min_length=1)


class TableDocument(_Strict):
    """A user-owned table. Beside `columns` it has its id (`<name>id`), `<prefix>_name`, state, owner and history."""

    name: CustomName
    schema_name: str = ""
    columns: tuple[ColumnDocument, ...] = ()
    keys: tuple[KeyDocument, ...] = ()
    change_tracking: bool = False

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        names = [column.name for column in self.columns]
        taken = {f"{self.name}id", f"{self._prefix}_name", *names}
        if len(taken) != len(names) + 2:
            raise ValueError("two columns have the same name")
        unknown = [name for key in self.keys for name in key.columns if name not in taken]
        if unknown:
            raise ValueError(f"a key names the column {unknown[0]}, which the table does not have")
        return self

    @property
    def _prefix(self) -> str:
        return self.name.partition("_")[0]

    def targets(self) -> list[str]:
        """The tables that the lookups point at."""
        return [column.target for column in self.columns if column.target is not None]

    def table(self, object_type_code: int) -> Table:
        """The table as the schema holds it."""
        attributes = tuple(attribute for column in self.columns for attribute in column.attributes())
        with_money = any(column.kind is Kind.MONEY for column in self.columns)
        return custom_table(
            self.name,
            self.schema_name or self.name,
            (*attributes, *(currency() if with_money else ())),
            code=object_type_code,
            keys=tuple(Key(key.name, key.columns) for key in self.keys),
            tracked=self.change_tracking,
        )
