"""A Bicep file as data: what it declares, and the values of what is written out literally."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import tree_sitter
import tree_sitter_bicep
from tree_sitter import Node

from tests.architecture.declared import ROOT

INFRA = ROOT / "infra"
MAIN = INFRA / "main.bicep"
PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))
WRAPPERS = ("if_statement", "for_statement")


@dataclass(frozen=True)
class Resource:
    """`type` without its version; `body` as `value` gives it; `loop` holds the text of what it is repeated over."""

    symbol: str
    type: str
    body: Mapping[str, Any]
    loop: str | None


@dataclass(frozen=True)
class Module:
    """`path` of the other file; `given`: the names of the parameters it is given."""

    symbol: str
    path: Path
    given: frozenset[str]


class Bicep:
    """One file. What the grammar does not understand stands in `faults`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self._root = PARSER.parse(self.text.encode()).root_node

    @property
    def name(self) -> str:
        """From the template's folder."""
        return self.path.relative_to(INFRA).as_posix()

    @cached_property
    def faults(self) -> list[str]:
        """`line: what`; empty if every part was understood."""
        return [
            f"{node.start_point.row + 1}: {_text(node)[:40]!r}"
            for node in _walk(self._root)
            if node.type == "ERROR" or node.is_missing
        ]

    @cached_property
    def misplaced_loops(self) -> list[int]:
        """Lines of loops inside a function's argument, which Resource Manager has no form for."""
        calls = [node for node in _walk(self._root) if node.type == "call_expression"]
        loops = [inner for call in calls for inner in _walk(call) if inner.type == "for_statement"]
        return [loop.start_point.row + 1 for loop in loops]

    @cached_property
    def parameters(self) -> dict[str, bool]:
        """By name: whether it has a default."""
        return {_symbol(node): len(node.named_children) > 2 for node in self._declared("parameter_declaration")}

    @cached_property
    def variables(self) -> dict[str, Any]:
        """By name, as `value` gives them."""
        return {_symbol(node): value(node.named_children[-1]) for node in self._declared("variable_declaration")}

    @cached_property
    def outputs(self) -> list[str]:
        return [_symbol(node) for node in self._declared("output_declaration")]

    @cached_property
    def resources(self) -> list[Resource]:
        return [_resource(node) for node in self._declared("resource_declaration")]

    @cached_property
    def modules(self) -> list[Module]:
        return [self._module(node) for node in self._declared("module_declaration")]

    def resource(self, symbol: str) -> Resource:
        """The one of that name."""
        return next(resource for resource in self.resources if resource.symbol == symbol)

    def _module(self, node: Node) -> Module:
        params = value(_body(node)).get("params", {})
        return Module(_symbol(node), self.path.parent / _spec(node), frozenset(params))

    def _declared(self, kind: str) -> Iterator[Node]:
        return (node for node in self._root.named_children if node.type == kind)


@cache
def files() -> tuple[Bicep, ...]:
    """Every file of the template."""
    return tuple(Bicep(path) for path in sorted(INFRA.rglob("*.bicep")))


@cache
def bicep(name: str) -> Bicep:
    """By its path from the template's folder."""
    return next(file for file in files() if file.name == name)


def value(node: Node) -> Any:
    """Objects, arrays, texts, numbers, truth values as Python's; a loop as its body's value; the rest as its text."""
    match node.type:
        case "object":
            pairs = (child.named_children for child in node.named_children if child.type == "object_property")
            return {_key(key): value(content) for key, content in pairs}
        case "array" if node.named_children and node.named_children[0].type == "for_statement":
            return [value(node.named_children[0].named_children[-1])]
        case "array":
            return [value(child) for child in node.named_children if child.type != "comment"]
        case "string":
            return _inner(node)
        case "number":
            return int(_text(node))
        case "boolean":
            return _text(node) == "true"
        case _:
            return _text(node)


def _resource(node: Node) -> Resource:
    loop = next((child for child in node.named_children if child.type == "for_statement"), None)
    over = None if loop is None else _text(loop.named_children[-2])
    return Resource(_symbol(node), _spec(node).partition("@")[0], value(_body(node)), over)


def _body(node: Node) -> Node:
    for child in reversed(node.named_children):
        if child.type == "object":
            return child
        if child.type in WRAPPERS:
            return _body(child)
    raise AssertionError(f"{_symbol(node)} has no body")


def _symbol(node: Node) -> str:
    return _text(next(child for child in node.named_children if child.type == "identifier"))


def _spec(node: Node) -> str:
    return _inner(next(child for child in node.named_children if child.type == "string"))


def _key(node: Node) -> str:
    return _inner(node) if node.type == "string" else _text(node)


def _inner(node: Node) -> str:
    return re.sub(r"\\(.)", r"\1", _text(node)[1:-1])


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)
