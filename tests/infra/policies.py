"""`python -m tests.infra.policies`: checkov's rules over the template, in an environment of its own.

Its dependencies are many and pinned to old versions of what the bridge uses itself, hence the environment under .build.
checkov ends well when it could not read a file and when a rule crashed, so both are looked for here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.infra.bicep import INFRA, files

ROOT = INFRA.parent
REQUIREMENTS = ROOT / "requirements-policies.txt"
HOME = ROOT / ".build" / "policies"
TIMEOUT_S = 900
FEWEST_PASSED = 30

# Rules that fail, and why that is meant. One that no longer fails must leave this list.
EXPLAINED = {
    "CKV_AZURE_17": "Dataverse's webhook has no client certificate; it proves itself by the header's secret",
    "CKV_AZURE_35": "storage is closed to all networks with vnetEnabled; checkov cannot follow the condition",
    "CKV_AZURE_109": "the vault is closed to all networks with vnetEnabled; checkov cannot follow the condition",
    "CKV_AZURE_206": "copies over three zones; a second region would leave the region, and is a parameter",
    "CKV_AZURE_212": "Flex Consumption has no fixed number of instances",
    "CKV_AZURE_213": "Flex Consumption knows no health check path",
    "CKV_AZURE_222": "Dataverse calls the webhook over the internet",
    "CKV_AZURE_225": "a zone that fails loses no message; a redundant plan keeps two instances always ready",
}
# Rules that crash on a condition, so that checkov cannot run them at all.
CRASHING = {"CKV_AZURE_189": "the vault's publicNetworkAccess depends on vnetEnabled"}


def main() -> int:
    """0 if all is as explained."""
    _install()
    report = _run()
    problems = [*_unread(report), *_judged(report)]
    for problem in problems:
        print(f"checkov: {problem}")
    summary = report["summary"]
    if not problems:
        print(f"checkov: {summary['passed']} passed, {len(EXPLAINED)} rules fail as explained, nothing unread")
    return 1 if problems else 0


def _unread(report: dict[str, Any]) -> list[str]:
    """Whatever was not looked at at all."""
    summary, least = report["summary"], sum(len(file.resources) for file in files())
    found = [f"{place} was not understood" for place in report["results"]["parsing_errors"]]
    if summary["resource_count"] < least:
        found.append(f"{summary['resource_count']} resources seen, the template has {least}")
    if summary["passed"] < FEWEST_PASSED:
        found.append(f"only {summary['passed']} rules passed: it ran nearly empty")
    return found


def _judged(report: dict[str, Any]) -> list[str]:
    failed: dict[str, str] = {
        one["check_id"]: f"{one['check_name']}: {one['resource']} in {one['file_path']}"
        for one in report["results"]["failed_checks"]
    }
    unexplained = [f"{rule} {text}" for rule, text in failed.items() if rule not in EXPLAINED]
    return unexplained + [
        f"{rule} does not fail any more: its explanation can go" for rule in EXPLAINED.keys() - failed
    ]


def _run() -> dict[str, Any]:
    """checkov's report. Its own exit code says only that a rule failed."""
    command = [str(HOME / "bin" / "checkov"), "--framework", "bicep", "--directory", str(INFRA), "--output", "json"]
    options = ["--skip-download", "--compact", "--skip-check", ",".join(CRASHING)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=TIMEOUT_S)
    if "Traceback" in done.stderr:
        sys.exit(f"checkov: a rule crashed:\n{done.stderr[-2000:]}")
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"checkov: no report\n{done.stdout[-1000:]}\n{done.stderr[-1000:]}")
    return report


def _install() -> None:
    stamp, wanted = HOME / ".installed", hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(HOME, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True, timeout=TIMEOUT_S)
    pip = [str(HOME / "bin" / "pip"), "install", "-qq", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, "--require-hashes", "-r", str(REQUIREMENTS)], check=True, timeout=TIMEOUT_S)
    Path(stamp).write_text(wanted)


if __name__ == "__main__":
    sys.exit(main())
