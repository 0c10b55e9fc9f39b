"""Sizes and names: what a newcomer has to hold in the head at once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.declared import ROOT, functions
from tests.architecture.sources import EVERYTHING, Source, python, tracked

LONGEST_MODULE, LONGEST_FUNCTION, LONGEST_TRIGGER = 300, 40, 30
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "service", "misc"}
EMPTY_BEGINNINGS = ("process_", "handle_")
# Written so that this file does not hold what it looks for.
# The template reads the list of queues in a folder of ours that has the same name as one beside the project.
BESIDE = r"\.\./sha" + r"red(?!/queues\.json)"
MACHINE_PATHS = re.compile("|".join([r"/wo" + r"rk/", BESIDE, r"/ro" + r"ot/", r"/ho" + r"me/\w"]))
REGISTRIES = re.compile("|".join([r"pypi\." + r"org", "python" + "hosted", r"registry\." + r"npm", "npm" + "js"]))


def functions_of(source: Source) -> Iterator[tuple[str, int]]:
    """Name and number of lines of every function, decorators left out."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_modules_are_short() -> None:
    found = {s.name: lines for s in python(*EVERYTHING) if (lines := len(s.text.splitlines())) > LONGEST_MODULE}
    assert not found


def test_functions_are_short() -> None:
    found = {
        f"{source.name}:{name}": lines
        for source in python(*EVERYTHING)
        for name, lines in functions_of(source)
        if lines > LONGEST_FUNCTION
    }
    assert not found


def test_every_module_says_what_is_in_it() -> None:
    found = [source.name for source in python(*EVERYTHING) if not ast.get_docstring(source.tree)]
    assert not found


def test_module_names_say_something() -> None:
    found = [
        source.name
        for source in python(*EVERYTHING, "tests")
        for part in source.name.removesuffix(".py").split("/")
        if part.rpartition("_")[2] in EMPTY_WORDS or part.startswith(EMPTY_BEGINNINGS)
    ]
    assert not found


@pytest.mark.parametrize("name", sorted(functions()))
def test_a_trigger_is_one_short_file_named_after_its_function(name: str) -> None:
    text = (ROOT / "functions" / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_TRIGGER
    defined = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert defined == [name]


def test_every_blueprint_is_registered() -> None:
    blueprints = {
        source.name.removeprefix("functions/").removesuffix(".py")
        for source in python("functions")
        if "func.Blueprint()" in source.text
    }
    assert blueprints == set(functions())


def test_no_file_names_a_machine_or_a_registry() -> None:
    """A checkout works wherever it lies, and whatever mirror its packages come from."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if ".ci" not in path.relative_to(ROOT).parts
        for match in _named(path.read_bytes().decode("utf-8", "replace"))
    ]
    assert not found


def _named(text: str) -> list[re.Match[str]]:
    return [match for pattern in (MACHINE_PATHS, REGISTRIES) if (match := pattern.search(text)) is not None]
