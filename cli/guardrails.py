"""Adobe's guardrails for its own integration, held against the mapping; and personal data out of reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.domain.mapping import Mapping, Mappings
from shared.mapping_check.link_checks import personal_columns, reached_by_privacy
from shared.mapping_file.rules import MOST_COLUMNS
from shared.mapping_file.table_rules import MOST_DEPTH, MOST_ENTITIES, MOST_LINKS

SOURCE = "Adobe's guardrails page of its own Dynamics 365 integration; it says of none that more is refused"


@dataclass(frozen=True)
class Guardrail:
    """`here`: as the mapping has it; `most`: as Adobe's page names it."""

    what: str
    here: int
    most: int
    source: str = SOURCE

    @property
    def touched(self) -> bool:
        """More than Adobe's own integration is meant for."""
        return self.here > self.most


def guardrails(mappings: Mappings, mapping: Mapping) -> tuple[Guardrail, ...]:
    """All four, touched or not. Pure."""
    columns = {column for row in mapping.field_rows[len(mapping.links) :] for column in row.columns}
    return (
        Guardrail("custom tables", len(mappings.entities), MOST_ENTITIES),
        Guardrail("columns", len(columns), MOST_COLUMNS),
        Guardrail("links", len(mapping.links), MOST_LINKS),
        Guardrail("links above one another", _depth(mappings, mapping), MOST_DEPTH),
    )


def warnings(mappings: Mappings, mapping: Mapping) -> Iterator[str]:
    """One sentence each. Pure."""
    for one in guardrails(mappings, mapping):
        if one.touched:
            yield f"{one.here} {one.what}, more than {one.most} ({one.source})."
    if (personal := personal_columns(mapping)) and not reached_by_privacy(mapping, mappings):
        yield (
            f"{', '.join(personal)}: perhaps personal data, in a resource that no line of cascading links leads to a"
            " profile: a privacy request in Campaign would leave it there."
        )


def _depth(mappings: Mappings, mapping: Mapping, below: frozenset[str] = frozenset()) -> int:
    above = [mappings.of(link.parent) for link in mapping.links if link.parent not in below]
    return max((1 + _depth(mappings, one, below | {mapping.table}) for one in above if one), default=0)
