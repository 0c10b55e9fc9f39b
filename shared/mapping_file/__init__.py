"""`mapping.yaml` → the mappings: taken whole or refused whole, with line, column, reason and remedy of every fault."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field

from pydantic import ValidationError

from shared.domain.mapping import Mappings
from shared.mapping_file import assembly, document, faults, rules
from shared.mapping_file.document import Position
from shared.mapping_file.file_models import File
from shared.mapping_file.finding import Finding, MappingError, Path, Severity, errors

__all__ = ["Finding", "MappingError", "Parsed", "Path", "Position", "Severity", "errors", "parse", "read"]


@dataclass(frozen=True)
class Parsed:
    """`mappings` is None where a finding is an error. `findings`: all of them, in the file's order.

    `positions`: line and column, from 1, of every value by its path. Field row number i of table number t is at
    `("tables", t, "fields", i)`, opt-out pair number i at `("opt_outs", i)`, the filters' tree below `("tables", t,
    "filters")` with the keys `all`, `any` (each with list places) and `not`. What the file leaves out has no position:
    use the one around it. `numbers`: t of each Dynamics table.
    """

    mappings: Mappings | None
    findings: tuple[Finding, ...]
    positions: MappingOf[Path, Position]
    numbers: MappingOf[str, int] = field(default_factory=dict)


def parse(text: str) -> Parsed:
    """Total: any text gives findings or a mapping, or both where the findings are warnings."""
    source = document.read(text)
    if source.findings and source.value is None:
        return Parsed(None, tuple(source.findings), source.positions)
    found = [*source.findings, *rules.findings(source)]
    file = None
    try:
        file = File.model_validate(source.value)
    except ValidationError as error:
        found += faults.findings(error, source)
    ordered = tuple(sorted(found, key=lambda finding: (finding.line, finding.column)))
    made = None if file is None or errors(ordered) else assembly.mappings(file, version(text))
    numbers = {table.dynamics: number for number, table in enumerate(file.tables)} if file else {}
    return Parsed(made, ordered, source.positions, numbers)


def read(text: str) -> Mappings:
    """All table pairs. Raises MappingError with all errors."""
    parsed = parse(text)
    if parsed.mappings is None:
        raise MappingError(errors(parsed.findings))
    return parsed.mappings


def version(text: str) -> str:
    """Names the content: twelve digits of its hash."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
