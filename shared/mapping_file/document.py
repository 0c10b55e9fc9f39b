"""A YAML text as plain values, with the place of each: read safely, within bounds, scalars as in YAML 1.2."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from shared.domain.conversion import text as words
from shared.mapping_file.finding import Finding, Path, Severity

LARGEST = 1_000_000
DEEPEST = 20
Position = tuple[int, int]
_SYNTAX = "Look at the indentation, colons and quotes here and on the line before."
_SCALAR_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")}
_PLAIN_TAGS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


@dataclass
class Document:
    """`value`: dicts (with keys as text), lists and scalars. `positions`: of every value; `keys`: of every key."""

    value: Any = None
    positions: dict[Path, Position] = field(default_factory=lambda: {(): (1, 1)})
    keys: dict[Path, Position] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def finding(self, path: Path, reason: str, remedy: str, severity: Severity = Severity.ERROR) -> Finding:
        """About the value at the path, or about the nearest one around it that is there."""
        place = path
        while place not in self.positions:
            place = place[:-1]
        return Finding(*self.positions[place], path, severity, reason, remedy)

    def finding_of_key(self, path: Path, reason: str, remedy: str) -> Finding:
        """About the key at the end of the path."""
        return Finding(*self.keys[path], path, Severity.ERROR, reason, remedy)


def read(text: str) -> Document:
    """Total: a text that is no usable YAML gives a document without a value, and the finding that says why."""
    document = Document()
    if len(text) > LARGEST:
        size = document.finding((), f"the file is larger than {LARGEST:,} characters", "A mapping is never that large.")
        document.findings.append(size)
        return document
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        document.value = None if node is None else _Builder(loader, document).build(node, ())
    except _RefusedError as refused:
        document.findings.append(_at(refused.mark, refused.reason, refused.remedy))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.findings.append(
            _at(mark, f"not YAML: {' '.join(filter(None, (error.context, error.problem)))}", _SYNTAX)
        )
    except yaml.reader.ReaderError as error:
        place = (text.count("\n", 0, error.position) + 1, error.position - text.rfind("\n", 0, error.position))
        reason = "not YAML: a character that a text file does not hold"
        document.findings.append(Finding(*place, (), Severity.ERROR, reason, "Save the file as UTF-8 text."))
    return document


class _RefusedError(Exception):
    def __init__(self, mark: yaml.Mark, reason: str, remedy: str) -> None:
        self.mark, self.reason, self.remedy = mark, reason, remedy


class _Loader(yaml.SafeLoader):
    """`no`, `on`, `012`, `1:30` and dates stay the texts that they look like: only true, false and numbers are not."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Bounded: nesting is limited, and no alias can make a small text a huge document."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            raise _RefusedError(mark, "aliases (`*name`) are not offered", "Write the value out where it is needed.")
        if self.depth >= DEEPEST:
            raise _RefusedError(mark, f"nested deeper than {DEEPEST} levels", "Join nested groups of the filters.")
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {}  # none of the older YAML's
for _tag, _form, _first in (
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(0|-?[1-9][0-9]{0,17})$", list("-0123456789")),
    ("float", r"^-?[0-9]+\.[0-9]+$", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_form), _first)


class _Builder:
    """Values from nodes, noting the place of each."""

    def __init__(self, loader: _Loader, document: Document) -> None:
        self._loader, self._document = loader, document

    def build(self, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401 - any value that YAML can hold
        self._document.positions[path] = _place(node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node.tag not in _PLAIN_TAGS:
            raise _RefusedError(node.start_mark, f"the tag {node.tag} is not offered", "Leave it out.")
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _RefusedError(key_node.start_mark, "a key must be a single word or number", "Write `key: value`.")
            key = words(self._scalar(key_node))
            place = (*path, key)
            if key in built:
                self._twice(key_node, place)
                continue
            self._document.keys[place] = _place(key_node.start_mark)
            built[key] = self.build(value_node, place)
        return built

    def _twice(self, node: yaml.Node, path: Path) -> None:
        reason = f"`{path[-1]}` stands here twice"
        remedy = f"Keep one of them; the first is on line {self._document.keys[path][0]}."
        self._document.findings.append(Finding(*_place(node.start_mark), path, Severity.ERROR, reason, remedy))

    def _scalar(self, node: yaml.ScalarNode) -> str | float | bool | None:
        try:
            if node.tag in _SCALAR_TAGS:
                value: str | float | bool | None = self._loader.construct_object(node)
                return value
        except (ValueError, KeyError, IndexError):  # what the library raises for `!!bool perhaps` and the like
            pass
        raise _RefusedError(node.start_mark, f"a value with the tag {node.tag} is not offered", "Write it as text.")


def _place(mark: yaml.Mark) -> Position:
    return mark.line + 1, mark.column + 1


def _at(mark: yaml.Mark | None, reason: str, remedy: str) -> Finding:
    place = (1, 1) if mark is None else _place(mark)
    return Finding(*place, (), Severity.ERROR, reason, remedy)
