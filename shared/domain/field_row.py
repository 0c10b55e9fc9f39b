"""A row of the mapping: where a field's value comes from, and what is done to it on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain import template
from shared.domain.contact import Contact, Value
from shared.domain.conversion import LOOKUPS, ColumnType, Refused, Target, TargetType, Types, convert, options, text


class Picklist(StrEnum):
    """How a choice column travels: under its label or its technical code."""

    LABEL = "label"
    CODE = "code"


class Lookup(StrEnum):
    """How a reference to another row travels: as that row's id or its name."""

    ID = "id"
    NAME = "name"


class TooLong(StrEnum):
    """What becomes of a text that is longer than its field."""

    PARK = "park"
    TRUNCATE = "truncate"


@dataclass(frozen=True)
class FromColumn:
    """One column's value. `lookup` None: not declared; a column that turns out to be a lookup travels as its id."""

    column: str
    picklist: Picklist = Picklist.CODE
    lookup: Lookup | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The one."""
        return (self.column,)

    def __str__(self) -> str:
        """For people: the column's name."""
        return self.column

    def raw(self, contact: Contact) -> Value:
        """As Dynamics has it."""
        return contact.columns.get(self.column)


@dataclass(frozen=True)
class FromTemplate:
    """Several columns' values in one text, e.g. `{firstname} {lastname}`. Raises ValueError for a bad template.

    `picklist` and `lookup` say how such columns are shown in it.
    """

    text: str
    picklist: Picklist = Picklist.CODE
    lookup: Lookup | None = None
    parts: tuple[template.Part, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Parsed once, used for every contact."""
        object.__setattr__(self, "parts", template.parse(self.text))

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that the text names, in its order."""
        return tuple(part.column for part in self.parts if isinstance(part, template.Slot))

    def __str__(self) -> str:
        """For people: the template."""
        return self.text

    def raw(self, contact: Contact) -> Value:
        """The text, its columns as Dynamics has them."""
        return _composed(self, contact, Types()) or None


@dataclass(frozen=True)
class Constant:
    """The same value for everyone."""

    value: Value

    @property
    def columns(self) -> tuple[str, ...]:
        """None."""
        return ()

    def __str__(self) -> str:
        """For people: the value after an equals sign."""
        return f"= {text(self.value)}"

    def raw(self, _contact: Contact) -> Value:
        """The value."""
        return self.value


@dataclass(frozen=True)
class Filled:
    """What a row of the mapping gives. `cut`: it was too long. `overlong`, `refused`: it must not be sent."""

    value: Value
    cut: bool = False
    overlong: bool = False
    refused: bool = False


@dataclass(frozen=True)
class FieldRow:
    """`target`: the field, dotted when nested. `apply_updates` False: written at creation and by a resync only.

    `replacements` apply to the column's value in words, before `default`, which stands in for an empty one. Both are
    sent as they are written here; a column's own value is converted to the field's type.
    """

    target: str
    value: FromColumn | FromTemplate | Constant
    apply_updates: bool = True
    replacements: Mapping[str, Value] = field(default_factory=dict)
    default: Value = None
    too_long: TooLong = TooLong.PARK

    @property
    def columns(self) -> tuple[str, ...]:
        """What must be read to fill the field."""
        return self.value.columns

    @property
    def wants_labels(self) -> bool:
        """Whether a value may travel as its label."""
        source = self.value
        return not isinstance(source, Constant) and (source.picklist is Picklist.LABEL or source.lookup is Lookup.NAME)

    @property
    def source(self) -> str:
        """Where the value comes from, for people: a column's name, a template or a constant."""
        return str(self.value)

    def raw(self, contact: Contact) -> Value:
        """What there is for the field before anything is done to it."""
        return self.value.raw(contact)

    def filled(self, contact: Contact, types: Types) -> Filled:
        """Total: every contact gives every row a value, or the reason why it must not be sent."""
        source, target = self.value, types.targets.get(self.target)
        if isinstance(source, FromColumn):
            return self._of_column(source, contact, types.columns.get(source.column), target)
        if isinstance(source, FromTemplate):
            return self._converted(_composed(source, contact, types), ColumnType.STRING, target)
        return self._fitting(source.value, target)

    def _of_column(
        self, source: FromColumn, contact: Contact, column: ColumnType | None, target: Target | None
    ) -> Filled:
        value, shown_as = _shown(source.column, source, contact, column)
        if column is ColumnType.MULTI_SELECT and isinstance(value, str):
            replaced = [text(self.replacements.get(option, option)) for option in options(value)]
            value = ";".join(filter(None, replaced))
        elif text(value) in self.replacements:
            return self._fitting(self.replacements[text(value)], target)
        return self._converted(value, shown_as, target)

    def _converted(self, value: Value, column: ColumnType | None, target: Target | None) -> Filled:
        converted = convert(value, column, target)
        if isinstance(converted, Refused):
            return Filled(value, refused=True)
        return self._fitting(self.default if converted is None else converted, target)

    def _fitting(self, value: Value, target: Target | None) -> Filled:
        length = target.length if target is not None and target.type is TargetType.STRING else None
        if length is None or not isinstance(value, str) or len(value) <= length:
            return Filled(value)
        if self.too_long is TooLong.PARK:
            return Filled(value, overlong=True)
        return Filled(value[:length], cut=True)


def _shown(
    column: str, source: FromColumn | FromTemplate, contact: Contact, kind: ColumnType | None
) -> tuple[Value, ColumnType | None]:
    """The value, or the label that stands for it, which is a text."""
    value = contact.columns.get(column)
    if column in contact.labels and _wants_label(source, kind) and value is not None:
        return contact.labels[column], ColumnType.MULTI_SELECT if kind is ColumnType.MULTI_SELECT else _LABEL
    return value, kind


def _wants_label(source: FromColumn | FromTemplate, kind: ColumnType | None) -> bool:
    """Numbers and dates come with labels, too: where the type is known, only choices and lookups use theirs."""
    by_name = source.lookup is Lookup.NAME
    by_label = source.picklist is Picklist.LABEL
    if kind is None:
        return by_label or by_name
    return (by_name and kind in LOOKUPS) or (by_label and kind in _CHOICES)


def _composed(source: FromTemplate, contact: Contact, types: Types) -> str:
    return template.fill(source.parts, lambda column: _words(column, source, contact, types.columns.get(column)))


def _words(column: str, source: FromTemplate, contact: Contact, kind: ColumnType | None) -> str:
    value, shown_as = _shown(column, source, contact, kind)
    converted = convert(value, shown_as, _TEXT)
    return "" if isinstance(converted, Refused) else text(converted)


_LABEL = ColumnType.STRING
_TEXT = Target(TargetType.STRING)
_CHOICES = frozenset(
    {ColumnType.BOOLEAN, ColumnType.PICKLIST, ColumnType.STATE, ColumnType.STATUS, ColumnType.MULTI_SELECT}
)
