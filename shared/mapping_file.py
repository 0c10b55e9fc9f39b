"""`mapping.yaml` → the mapping: read, checked by pydantic, refused as a whole with the place of every fault."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.domain.mapping import FieldRow, Mapping, OptOutPair, Picklist, Privacy

Column = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
Target = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*)?$")]
Attribute = Annotated[
    str,
    BeforeValidator(lambda value: value.replace("denyList", "blackList", 1) if isinstance(value, str) else value),
    Field(pattern=r"^(blackList(Email|Fax|Mobile|Phone|PostalMail|Pushnotification)?|ccpaOptOut)$"),
]
# Written by the bridge itself, past the field rows: the key, and opt-outs, which have a rule of their own.
RESERVED = re.compile(r"externalId|PKey|(black|deny)List.*|ccpaOptOut.*")
Constant = str | int | float | bool | None


class MappingError(ValueError):
    """The file does not do. The text names every fault with its place."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Field(_Model):
    dynamics: Column
    campaign: Target
    picklist: Picklist = Picklist.CODE
    replacements: dict[str | int | bool, Constant] = {}
    default: Constant = None


class _Privacy(_Model):
    regulation: str
    namespace_name: str


class _Table(_Model):
    dynamics: Literal["contact"]
    campaign: Literal["profile"]
    privacy: _Privacy
    fields: Annotated[list[_Field], Field(min_length=1)]


class _Pair(_Model):
    dynamics: Column
    campaign: Attribute


class _File(_Model):
    version: Literal[1]
    tables: Annotated[list[_Table], Field(min_length=1, max_length=1)]
    opt_outs: list[_Pair] = []


def parse(text: str) -> Mapping:
    """Raises MappingError."""
    try:
        file = _File.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise MappingError(f"the mapping is not YAML: {error}") from None
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise MappingError("\n  ".join(["the mapping does not do:", *faults])) from None
    _refuse_targets(file)
    table = file.tables[0]
    return Mapping(
        version=hashlib.sha256(text.encode()).hexdigest()[:12],
        table=table.dynamics,
        field_rows=tuple(_row(row) for row in table.fields),
        opt_outs=tuple(OptOutPair(pair.dynamics, pair.campaign) for pair in file.opt_outs),
        privacy=Privacy(table.privacy.regulation, table.privacy.namespace_name),
    )


def _row(row: _Field) -> FieldRow:
    replacements = {str(key): value for key, value in row.replacements.items()}
    return FieldRow(row.dynamics, row.campaign, row.picklist, replacements, row.default)


def _refuse_targets(file: _File) -> None:
    targets = [row.campaign for row in file.tables[0].fields] + [pair.campaign for pair in file.opt_outs]
    reserved = [name for name in targets[: len(file.tables[0].fields)] if RESERVED.fullmatch(name)]
    if reserved:
        raise MappingError(f"the mapping does not do: no field row may write {', '.join(reserved)}")
    doubles = {name for name in targets if targets.count(name) > 1}
    objects = {name.partition(".")[0] for name in targets if "." in name} & set(targets)
    if doubles or objects:
        raise MappingError(f"the mapping does not do: more than one row writes {', '.join(sorted(doubles | objects))}")
