"""Every `bridge` command that a guide, a reason or an alarm names can be typed as it stands there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from cli.commands.resync import StartByDefault
from cli.main import app
from tests.architecture.declared import ROOT

GUIDES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
OTHERS = [
    ROOT / "shared" / "errors.py",
    *sorted((ROOT / "infra").rglob("*.bicep")),
    *sorted((ROOT / "cli").rglob("*.py")),
]
TYPED = re.compile(r"(?:^\$ |^|`)bridge ([a-z][^`\n#|]*)", re.MULTILINE)
OPTION = re.compile(r"--?[a-z][a-z-]*")


@cache
def whole() -> TyperGroup | TyperCommand:
    """The command with all below it, built once: that takes a tenth of a second."""
    return typer.main.get_command(app)  # type: ignore[return-value]


def fault(words: list[str]) -> str | None:
    """What cannot be typed; None if all can."""
    command = whole()
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        name, *words = words
        if name not in command.commands:
            if not isinstance(command, StartByDefault):
                return name
            name, words = command.by_default, [name, *words]
        command = command.commands[name]  # type: ignore[assignment]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return next((word for word in words if OPTION.fullmatch(word) and word not in {*known, "--help", "-h"}), None)


def typed(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    found = [match for match in TYPED.finditer(text) if not text[match.end() :].startswith("` is not built")]
    return [match[1] for match in found if "{" not in match[1]]


@pytest.mark.parametrize("path", GUIDES + OTHERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_that_is_named_exists_with_its_options(path: Path) -> None:
    assert {line: wrong for line in typed(path) if (wrong := fault(line.split()))} == {}


def test_a_command_or_option_that_does_not_exist_is_found() -> None:
    assert fault(["deadletters", "replay", "--all", "--wrong"]) == "--wrong"
    assert fault(["deadletters", "resend"]) == "resend"
    assert fault(["resync", "contact", "--wrong"]) == "--wrong"
    assert fault(["provision", "dynamics", "--dry-run"]) is None
