"""The workflows hold no secret, may no more than they must, and run what exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.declared import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: path for path in sorted(FOLDER.glob("*.yml"))}
MAKE = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOWS[name].read_text())
    return found


def test_the_workflows_are_these() -> None:
    assert set(WORKFLOWS) == {"check", "deploy", "nightly", "release"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_may_write_unless_its_job_says_so(name: str) -> None:
    document = read(name)
    assert document["permissions"] == {"contents": "read"}
    wider = {job for job, body in document["jobs"].items() if "write" in body.get("permissions", {}).values()}
    assert wider <= {"deploy", "release"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_workflow_reads_a_stored_secret(name: str) -> None:
    """Azure is entered by OpenID Connect; the release uses the run's own short-lived token."""
    assert not re.search(r"\bsecrets\.", WORKFLOWS[name].read_text())


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(name: str) -> None:
    """A tag can be moved to other code, which would then run with the job's rights."""
    lines = [line for line in WORKFLOWS[name].read_text().splitlines() if "uses:" in line and "uses: ./" not in line]
    assert [line for line in lines if not re.search(r"@[0-9a-f]{40} # v\d+(\.\d+)*$", line)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_job_ends_by_itself(name: str) -> None:
    assert all("timeout-minutes" in job or "uses" in job for job in read(name)["jobs"].values())


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_a_workflow_runs_exists(name: str) -> None:
    text = WORKFLOWS[name].read_text()
    assert set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(re.findall(r"run: (.*)", text)))) <= MAKE
    for path in re.findall(r"(?:bash|--file|--requirement) (\S+)", text):
        assert (ROOT / path).is_file(), path
    for path in re.findall(r"uses: \./(\S+)", text):
        assert (ROOT / path).is_file(), path


def test_the_template_that_is_released_is_the_one_in_the_repository() -> None:
    """No compiled twin is kept that could differ from it."""
    assert "az bicep build --file infra/main.bicep --outfile azuredeploy.json" in WORKFLOWS["check"].read_text()
    assert "azuredeploy.json" in WORKFLOWS["release"].read_text()
    assert not [path for path in Path(ROOT / "infra").rglob("*.json") if path.name != "main.parameters.json"]


def test_a_deployment_comes_after_the_checks() -> None:
    for name in ("deploy", "release"):
        jobs = read(name)["jobs"]
        assert jobs["check"]["uses"] == "./.github/workflows/check.yml"
        assert jobs[name]["needs"] == "check"
