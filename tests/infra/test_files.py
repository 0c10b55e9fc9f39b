"""Every file of the template is understood, and its parts fit together."""

from __future__ import annotations

import json
import re

import pytest

from tests.infra.bicep import INFRA, MAIN, Bicep, bicep, files

NAMES = [file.name for file in files()]


def test_the_template_is_there() -> None:
    assert {"main.bicep", "modules/app.bicep", "modules/service_bus.bicep", "modules/log_alerts.bicep"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_grammar_understands_every_line(name: str) -> None:
    assert not bicep(name).faults


def test_a_fault_would_be_seen(tmp_path) -> None:
    broken = tmp_path / "broken.bicep"
    broken.write_text("param a string\nresource x 'T@1' = {\n  name: \n")
    assert Bicep(broken).faults


def test_a_misplaced_loop_would_be_seen(tmp_path) -> None:
    misplaced = tmp_path / "misplaced.bicep"
    misplaced.write_text("param a array\nvar b = string({\n  c: [for d in a: d]\n})\n")
    assert not Bicep(misplaced).faults
    assert Bicep(misplaced).misplaced_loops == [3]


@pytest.mark.parametrize("name", NAMES)
def test_no_part_comes_from_a_registry(name: str) -> None:
    """What is deployed can be read here, whole."""
    assert all(module.path.is_file() for module in bicep(name).modules)


@pytest.mark.parametrize("name", NAMES)
def test_modules_are_given_what_they_need_and_nothing_else(name: str) -> None:
    for module in bicep(name).modules:
        wanted = Bicep(module.path).parameters
        assert module.given <= wanted.keys(), module.symbol
        assert {one for one, has_default in wanted.items() if not has_default} <= module.given, module.symbol


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_of_a_module_is_what_it_gives(name: str) -> None:
    file = bicep(name)
    given = {module.symbol: set(Bicep(module.path).outputs) for module in file.modules}
    read = set(re.findall(r"\b(\w+)\.outputs\.(\w+)", file.text))
    assert {symbol for symbol, _ in read} <= given.keys()
    for symbol, outputs in given.items():
        assert outputs == {output for module, output in read if module == symbol}, symbol


@pytest.mark.parametrize("name", NAMES)
def test_no_parameter_and_no_variable_is_there_for_nothing(name: str) -> None:
    file = bicep(name)
    unused = [one for one in (*file.parameters, *file.variables) if len(re.findall(rf"\b{one}\b", file.text)) < 2]
    assert not unused


@pytest.mark.parametrize("name", NAMES)
def test_a_loop_stands_where_the_compiler_takes_it(name: str) -> None:
    """As the value of a declaration or of a resource's property, but not inside a function's argument."""
    assert not bicep(name).misplaced_loops


def test_the_parameters_file_names_parameters_that_exist() -> None:
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    assert given.keys() <= Bicep(MAIN).parameters.keys()


def test_every_question_of_a_deployment_is_described() -> None:
    text = Bicep(MAIN).text
    for name in Bicep(MAIN).parameters:
        before = text.partition(f"\nparam {name} ")[0].rpartition("\nparam ")[2]
        assert "@description(" in before, name


def test_every_query_is_used() -> None:
    """Also none is used that is not there."""
    used = {
        (file.path.parent / path).resolve()
        for file in files()
        for path in re.findall(r"loadTextContent\('([^']+)'\)", file.text)
    }
    assert used == set((INFRA / "queries").rglob("*.kql"))
