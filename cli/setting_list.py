"""Every setting: what it is, whether it is needed, and whether it is set; never a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.settings import ALTERNATIVES, Settings


@dataclass(frozen=True)
class Setting:
    """`instead`: the settings of which one would do as well. `default` None: there is none."""

    name: str
    description: str
    needed: bool
    instead: tuple[str, ...]
    default: str | None
    secret: bool
    is_set: bool
    missing: bool


def listed(environment: Mapping[str, str]) -> tuple[Setting, ...]:
    """In the order of the settings' own definition. An empty text counts as not set."""
    return tuple(_setting(field, info, environment) for field, info in Settings.model_fields.items())


def _setting(field: str, info: FieldInfo, environment: Mapping[str, str]) -> Setting:
    name, others = name_of(field), tuple(map(name_of, _alternatives(field)))
    given = bool(environment.get(name))
    covered = given or any(environment.get(other) for other in others)
    needed = info.is_required() or bool(others)
    return Setting(
        name=name,
        description=info.description or "",
        needed=needed,
        instead=others,
        default=None if info.is_required() or info.default is None else str(info.default),
        secret=SecretStr in (info.annotation, *get_args(info.annotation)),
        is_set=given,
        missing=needed and not covered,
    )


def name_of(field: str) -> str:
    """As it is written in the environment."""
    return Settings.model_fields[field].alias or field.upper()


def _alternatives(field: str) -> tuple[str, ...]:
    """`Storage` stands in two groups, for the tables and for the blobs: the first counts."""
    group = next((group for group in ALTERNATIVES if field in group), ())
    return tuple(other for other in group if other != field)
