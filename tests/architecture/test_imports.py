"""Who may import, read and name what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.declared import ROOT, functions
from tests.architecture.sources import EVERYTHING, PRODUCT, Source, imports, python

VENDOR_WORDS = re.compile(
    r"\b(donot[a-z]+|(black|deny)List\w*|ccpaOptOut|emailaddress1|adobe_\w+|RemoteExecutionContext|PKey|sdkmessage\w*"
    r"|x-api-key|@odata\.\w+)\b"
)
VENDOR_MODULES = re.compile(
    r"shared/clients/.*/wire\w*\.py|shared/clients/dynamics/context\.py|shared/clients/campaign/export\.py"
    r"|shared/mapping_file/\w+\.py|shared/timeline_file\.py"
)


def offenders(found: list[str], rule: str) -> str:
    return f"{rule}: {', '.join(found)}"


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_app_is_imported_and_indexed_with_an_empty_environment() -> None:
    """Settings are read at the first call: neither the worker's indexing nor a deployment may depend on them."""
    assert "dataverse_webhook" in functions()


def test_only_the_triggers_know_azure_functions() -> None:
    allowed = ("function_app.py", "functions/", "sandbox/host/")
    found = [s.name for s in python(*EVERYTHING) if imports(s, "azure.functions") and not s.name.startswith(allowed)]
    assert not found, offenders(found, "azure.functions belongs in functions/")


def test_only_one_module_knows_the_http_library() -> None:
    found = [s.name for s in python("shared") if imports(s, "aiohttp") and s.name != "shared/clients/http.py"]
    assert not found, offenders(found, "aiohttp belongs in shared/clients/http.py")


@pytest.mark.parametrize("folder", ["domain", "flows"])
def test_the_pure_core_imports_nothing_that_can_call_out(folder: str) -> None:
    allowed = {"__future__", "collections", "dataclasses", "datetime", "enum", "hashlib", "json", "re", "shared"}
    allowed |= {"typing", "uuid"}
    for source in python("shared"):
        if source.name.startswith(f"shared/{folder}/"):
            roots = {name.partition(".")[0] for name in _imports_of(source)}
            assert roots <= allowed, f"{source.name} imports {roots - allowed}"


def _imports_of(source: Source) -> set[str]:
    found = set[str]()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_only_the_composition_root_reads_the_environment() -> None:
    reads = re.compile(r"\bos\.environ\b|\bgetenv\b|from os import .*environ")
    found = [s.name for s in python(*PRODUCT) if reads.search(s.text) and s.name != "shared/app.py"]
    assert not found, offenders(found, "settings are read once, in shared/app.py")


def test_only_the_clock_reads_the_time() -> None:
    reads = re.compile(r"\b(datetime|date)\.(now|utcnow|today)\(|\btime\.(time|sleep|monotonic)\(")
    found = [
        s.name for s in python("shared", "functions") if reads.search(s.text) and s.name != "shared/stores/clock.py"
    ]
    assert not found, offenders(found, "time comes from shared.ports.Clock")


def test_the_vendors_words_stop_at_the_edge() -> None:
    found = [
        f"{source.name} ({match[0]})"
        for source in python(*PRODUCT)
        if not VENDOR_MODULES.fullmatch(source.name)
        for match in [VENDOR_WORDS.search(source.text)]
        if match is not None
    ]
    assert not found, offenders(found, "the vendors' words belong in the wire modules and the mapping")


def test_the_vendor_modules_that_are_excepted_exist() -> None:
    """An exception for a module that has moved would hide the next offender."""
    excepted = {s.name for s in python("shared") if VENDOR_MODULES.fullmatch(s.name) and VENDOR_WORDS.search(s.text)}
    assert {
        "shared/mapping_file/models.py",
        "shared/clients/dynamics/context.py",
        "shared/clients/campaign/export.py",
    } <= excepted
