"""What .funcignore lets into the package is enough to run, and holds nothing that stays at home."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.architecture.declared import ROOT, functions

INDEX = """
import sys
sys.path.insert(0, ".")
import function_app
print(*sorted(f.get_function_name() for f in function_app.app.get_functions()))
"""


def listed(*options: str) -> set[str]:
    command = ["git", "ls-files", "--cached", "--others", "-z", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in done.stdout.split("\0") if name}


@pytest.fixture(scope="module")
def packaged() -> set[str]:
    kept = listed("--exclude-standard")
    return kept - listed("--ignored", "--exclude-from=.funcignore")


def test_the_package_indexes_every_function(packaged: set[str], tmp_path: Path) -> None:
    for name in packaged:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    done = subprocess.run(
        [sys.executable, "-P", "-c", INDEX], cwd=tmp_path, capture_output=True, text=True, env={}, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == sorted(functions())


def test_the_package_holds_what_the_app_reads_beside_code(packaged: set[str]) -> None:
    assert {"host.json", "requirements.txt", "mapping.yaml", "function_app.py", "shared/queues.json"} <= packaged


def test_nothing_that_stays_at_home_is_packaged(packaged: set[str]) -> None:
    folders = {name.partition("/")[0] for name in packaged if "/" in name}
    assert folders == {"functions", "shared"}
    assert not [name for name in packaged if name.startswith(("local.settings", "."))]


def test_azd_deploys_this_folder_to_the_app_of_the_template() -> None:
    document = yaml.safe_load((ROOT / "azure.yaml").read_text())
    (name,) = document["services"]
    assert document["services"][name] == {"project": ".", "language": "python", "host": "function"}
    assert f"'azd-service-name': '{name}'" in (ROOT / "infra" / "main.bicep").read_text()
    assert (ROOT / document["infra"]["path"] / f"{document['infra']['module']}.bicep").is_file()
