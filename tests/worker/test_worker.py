"""The real app under Azure's own worker library: every function is indexed, and calls reach the app and come back.

Nothing that the app needs answers here (every address is a closed port), so what is asserted is the handing over, and
what each way in says when the world is down.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.architecture import declared
from tests.unit.contexts import CREATED
from tests.worker import install
from tests.worker.driver import Answer

DRIVER = Path(__file__).with_name("driver.py")
APP_PARTS = ("function_app.py", "functions", "shared", "host.json", "mapping.yaml")
CONTEXT = CREATED.decode()

CALLS: dict[str, dict[str, Any]] = {
    "wrong key": {
        "function": "dataverse_webhook",
        "argument": "req",
        "kind": "http",
        "payload": {"headers": {"x-bridge-key": "guessed"}, "body": CONTEXT},
    },
    "no key": {
        "function": "dataverse_webhook",
        "argument": "req",
        "kind": "http",
        "payload": {"headers": {}, "body": CONTEXT},
    },
    "malformed": {
        "function": "dataverse_webhook",
        "argument": "req",
        "kind": "http",
        "payload": {"headers": {"x-bridge-key": "first-key"}, "body": "nonsense"},
    },
    "valid": {
        "function": "dataverse_webhook",
        "argument": "req",
        "kind": "http",
        "payload": {"headers": {"x-bridge-key": "second-key"}, "body": CONTEXT},
    },
    "hint": {
        "function": "contact_upsert",
        "argument": "message",
        "kind": "service_bus",
        "payload": {"message_id": "m1", "body": '{"v": 1, "kind": "nonsense"}'},
    },
    "custom hint": {
        "function": "custom_entity_sync",
        "argument": "message",
        "kind": "service_bus",
        "payload": {"message_id": "m3", "body": '{"v": 1, "kind": "nonsense"}'},
    },
    "facts": {
        "function": "timeline_activity",
        "argument": "message",
        "kind": "service_bus",
        "payload": {"message_id": "m2", "body": "nonsense"},
    },
    "change_sweep": {"function": "change_sweep", "argument": "timer", "kind": "timer", "payload": {}},
    "dataverse_inbox": {
        "function": "dataverse_inbox",
        "argument": "message",
        "kind": "service_bus",
        "payload": {"message_id": "m3", "body": "nonsense"},
    },
    "event_egress": {"function": "event_egress", "argument": "timer", "kind": "timer", "payload": {}},
    "journal_seal": {"function": "journal_seal", "argument": "timer", "kind": "timer", "payload": {}},
    "ledger_checks": {"function": "ledger_checks", "argument": "timer", "kind": "timer", "payload": {}},
    "optout_deadlines": {"function": "optout_deadlines", "argument": "timer", "kind": "timer", "payload": {}},
    "optout_file": {"function": "optout_file", "argument": "timer", "kind": "timer", "payload": {}},
    "optout_poll": {"function": "optout_poll", "argument": "timer", "kind": "timer", "payload": {}},
}


@dataclass(frozen=True)
class Run:
    """What the worker said, and what the app logged."""

    loaded: str
    functions: dict[str, list[dict[str, Any]]]
    answers: dict[str, Answer]
    log: str


def run(app: Path, settings: dict[str, str], calls: dict[str, dict[str, Any]]) -> Run:
    """`settings` are the process's whole environment."""
    if not install.installed():
        pytest.fail("Azure's worker library is not installed: python -m tests.worker.install")
    command = [sys.executable, "-P", str(DRIVER), str(install.LIBRARY), str(install.PROTOS), str(app)]
    done = subprocess.run(
        command, input=json.dumps(list(calls.values())), capture_output=True, text=True, env=settings, timeout=100
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    answers = dict(zip(calls, (Answer(**answer) for answer in said["answers"]), strict=True))
    return Run(said["loaded"], said["functions"], answers, done.stderr)


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """A port of this machine that refuses connections: it is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def settings(closed_port: int) -> dict[str, str]:
    nowhere = f"http://127.0.0.1:{closed_port}"
    key = asyncssh.generate_private_key("ssh-ed25519")
    return {
        "DYNAMICS_URL": nowhere,
        "DYNAMICS_AUTHORITY": f"{nowhere}/tenant",
        "DYNAMICS_CLIENT_ID": "application",
        "DYNAMICS_CLIENT_SECRET": "secret",
        "CAMPAIGN_URL": f"{nowhere}/organisation/campaign",
        "CAMPAIGN_TOKEN_URL": f"{nowhere}/ims/token/v3",
        "CAMPAIGN_CLIENT_ID": "project",
        "CAMPAIGN_CLIENT_SECRET": "secret",
        "CAMPAIGN_ORGANIZATION_ID": "0123@AdobeOrg",
        "CAMPAIGN_EVENTS_URL": f"{nowhere}/events",
        "WEBHOOK_SECRETS": "first-key,second-key",
        "OPTOUT_FILES_URL": f"sftp://user@127.0.0.1:{closed_port}/export",
        "OPTOUT_SFTP_KEY": key.export_private_key().decode(),
        "OPTOUT_SFTP_HOST_KEY": key.export_public_key().decode().strip(),
        "ServiceBus": f"Endpoint=sb://127.0.0.1:{closed_port};SharedAccessKeyName=app;SharedAccessKey=c2VjcmV0;"
        "UseDevelopmentEmulator=true",
        "Storage": "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=c2VjcmV0;"
        f"TableEndpoint={nowhere}/devstoreaccount1;",
    }


@pytest.fixture(scope="module")
def real(settings: dict[str, str]) -> Run:
    return run(install.ROOT, settings, CALLS)


def test_every_function_is_indexed(real: Run) -> None:
    assert not real.loaded
    assert set(real.functions) == set(declared.functions())


def test_the_worker_reports_the_bindings_that_the_app_declares(real: Run) -> None:
    assert real.functions == declared.functions()


@pytest.mark.parametrize("call", ["wrong key", "no key"])
def test_the_webhook_refuses_who_does_not_know_a_key(real: Run, call: str) -> None:
    assert real.answers[call] == Answer("", "401", '{"error": "wrong or missing x-bridge-key"}')


def test_the_webhook_refuses_what_is_no_context(real: Run) -> None:
    assert real.answers["malformed"] == Answer("", "400", '{"error": "body: not JSON"}')


def test_the_webhook_asks_dataverse_to_come_back_while_the_broker_is_down(real: Run) -> None:
    answer = real.answers["valid"]
    assert (answer.error, answer.status) == ("", "503")


@pytest.mark.parametrize("call", ["hint", "custom hint", "facts", "dataverse_inbox"])
def test_a_message_that_cannot_be_parked_fails_so_that_the_broker_keeps_it(real: Run, call: str) -> None:
    assert real.answers[call].error.startswith("BusUnavailableError: parked")


@pytest.mark.parametrize("timer", ["change_sweep", "event_egress", "journal_seal", "ledger_checks", "optout_file"])
def test_a_timer_that_reaches_nobody_ends_early_and_says_so(real: Run, timer: str) -> None:
    assert real.answers[timer] == Answer("")
    assert re.search(rf'bridge counted {{"what": "{timer}_cut_short", "reason": "\w+_unreachable"', real.log)


def test_nothing_personal_or_secret_is_logged(real: Run) -> None:
    assert not [canary for canary in ("Ada", "ada@example.org", "first-key", "second-key") if canary in real.log]


def test_without_settings_the_app_is_indexed_and_every_call_says_what_is_missing() -> None:
    """503, because Dataverse tries again after nothing else."""
    bare = run(install.ROOT, {}, {name: CALLS[name] for name in ("valid", "hint")})
    assert not bare.loaded
    assert (bare.answers["valid"].error, bare.answers["valid"].status) == ("", "503")
    assert bare.answers["hint"].error.startswith("SettingsError: ")
    assert bare.log.count("WEBHOOK_SECRETS: missing") == 1


def test_a_builtin_generic_in_one_annotation_costs_the_whole_app(tmp_path: Path) -> None:
    """The trap that the linter's exception for functions/ guards against: the worker takes typing's List only."""
    for part in APP_PARTS:
        source = install.ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / part)
    trigger = tmp_path / "functions" / "contact_upsert.py"
    changed, times = re.subn(
        r"message: func\.ServiceBusMessage", "message: list[func.ServiceBusMessage]", trigger.read_text()
    )
    assert times == 1
    trigger.write_text(changed)
    refused = run(tmp_path, {}, {})
    assert "contact_upsert" in refused.loaded
    assert "has invalid non-type annotation" in refused.loaded
    assert refused.functions == {}
