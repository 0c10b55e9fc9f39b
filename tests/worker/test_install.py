"""The worker library comes with checked hashes, once, and says in one line why it cannot be had."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.worker import install


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place to install into, and a pip that knows of no packages."""
    monkeypatch.setattr(install, "BUILD", tmp_path)
    monkeypatch.setattr(install, "LIBRARY", tmp_path / "worker")
    monkeypatch.setattr(install, "PROTOS", tmp_path / "worker-protos")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return tmp_path


def test_without_packages_it_says_why_in_one_line(elsewhere: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        install.main()
    text = str(ended.value)
    assert "azure-functions-runtime" in text
    assert "\n" not in text
    assert not install.installed()


def test_what_is_installed_is_not_installed_again(elsewhere: Path) -> None:
    install.LIBRARY.mkdir()
    (install.LIBRARY / ".installed").write_text("of other requirements")
    assert not install.installed()
    (install.LIBRARY / ".installed").write_text(install._wanted())
    install.install()  # pip would fail here
    assert install.installed()


def test_every_package_is_pinned_with_hashes() -> None:
    text = install.REQUIREMENTS.read_text()
    pinned = re.findall(r"^([a-z0-9-]+)==[\d.]+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert pinned == [
        "azure-functions-runtime",
        "azure-functions-runtime-v1",
        "azurefunctions-extensions-base",
        "protobuf",
    ]


def test_our_own_tests_are_not_those_of_the_messages() -> None:
    """Both packages are called `tests`; theirs is on the driver's path only."""
    assert Path(install.__file__).is_relative_to(install.ROOT / "tests")
    assert (install.PROTOS / "tests" / "protos" / "FunctionRpc_pb2.py").is_file()
    assert not (install.LIBRARY / "tests").exists()
