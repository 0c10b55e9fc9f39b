"""One filter as a text of its own, in the mapping's syntax: `{column: statecode, is: equals, value: 0}`."""

from __future__ import annotations

from functools import lru_cache

from pydantic import Field, ValidationError

from shared.domain.filters import Filter
from shared.mapping_file import assembly, document, faults
from shared.mapping_file.finding import MappingError, errors
from shared.mapping_file.models import FilterNode, Model


class _Alone(Model):
    filters: FilterNode = Field(description="a condition or a group")


@lru_cache(maxsize=16)
def read(text: str) -> Filter:
    """YAML or JSON. Raises MappingError with every fault; the filter's text is never in it."""
    source = document.read("filters: " + text if text.lstrip().startswith(("{", "[")) else "filters:\n" + _inner(text))
    if source.value is None or errors(source.findings):
        raise MappingError("the filter does not do: " + "; ".join(one.reason for one in source.findings))
    try:
        return assembly.filter_tree(_Alone.model_validate(source.value).filters)
    except ValidationError as error:
        said = [f"{one.reason}. {one.remedy}" for one in faults.findings(error, source)]
        raise MappingError("the filter does not do: " + "; ".join(dict.fromkeys(said))) from None


def _inner(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
