"""`mapping.yaml` → the mapping: taken whole or refused whole, with line, column, reason and remedy of every fault."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass

from pydantic import ValidationError

from shared.domain.mapping import Mapping
from shared.mapping_file import assembly, document, faults, rules
from shared.mapping_file.document import Position
from shared.mapping_file.finding import Finding, MappingError, Path, Severity, errors
from shared.mapping_file.models import File

__all__ = ["Finding", "MappingError", "Parsed", "Path", "Position", "Severity", "errors", "parse", "read"]


@dataclass(frozen=True)
class Parsed:
    """`mapping` is None where a finding is an error. `findings`: all of them, in the file's order.

    `positions`: line and column, from 1, of every value by its path. Field row number i is at `("tables", 0, "fields",
    i)`, opt-out pair number i at `("opt_outs", i)`, the filters' tree below `("tables", 0, "filters")` with the keys
    `all`, `any` (each with list places) and `not`. What the file leaves out has no position: use the one around it.
    """

    mapping: Mapping | None
    findings: tuple[Finding, ...]
    positions: MappingOf[Path, Position]


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
    made = None if file is None or errors(ordered) else assembly.mapping(file, version(text))
    return Parsed(made, ordered, source.positions)


def read(text: str) -> Mapping:
    """The mapping. Raises MappingError with all errors."""
    parsed = parse(text)
    if parsed.mapping is None:
        raise MappingError(errors(parsed.findings))
    return parsed.mapping


def version(text: str) -> str:
    """Names the content: twelve digits of its hash."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
