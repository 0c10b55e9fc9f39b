"""docs/reasons.md and docs/settings.md say what the code says: no reason and no setting without its row."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cli.setting_list import Setting, listed
from shared.errors import Reason
from tests.architecture.declared import ROOT, functions, triggers

DOCS = ROOT / "docs"
EXAMPLE: dict[str, str] = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
SETTINGS = listed({})


def rows(document: Path) -> dict[str, list[str]]:
    """The tables' rows by the name in their first cell; the other cells."""
    found = dict[str, list[str]]()
    for line in document.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"\| `(\w+)` \| (.*) \|", line)
        if match is not None:
            assert match[1] not in found, f"{document.name} explains {match[1]} twice"
            found[match[1]] = match[2].split(" | ")
    return found


def test_every_reason_has_its_own_stable_slug() -> None:
    """Two members with equal values would be one member under two names."""
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.slug) for reason in Reason)
    assert len({reason.slug for reason in Reason}) == len(Reason.__members__)
    assert all(reason.slug.upper() == name for name, reason in Reason.__members__.items())


def test_reasons_are_documented_in_the_registrys_order() -> None:
    documented = rows(DOCS / "reasons.md")
    assert documented == {reason.slug: [reason.meaning, reason.action] for reason in Reason}
    assert list(documented) == [reason.slug for reason in Reason]


def test_the_glossary_explains_no_word_twice() -> None:
    heads = re.findall(r"^\| (\*\*.+?) \|", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for head in heads for word in re.findall(r"\*\*(.+?)\*\*", head)]
    assert words
    assert sorted(set(words)) == sorted(words)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_is_documented_with_its_meaning_its_default_and_its_source(setting: Setting) -> None:
    documented = rows(DOCS / "settings.md")
    assert setting.name in documented
    meaning, default, where = documented[setting.name]
    assert meaning == setting.description
    assert default == _default(setting)
    assert where


def _default(setting: Setting) -> str:
    if setting.instead:
        return "or " + ", ".join(f"`{other}`" for other in setting.instead)
    if setting.needed:
        return "required"
    return "none" if setting.default is None else f"`{setting.default}`"


def test_what_the_host_reads_is_documented_too_and_nothing_else() -> None:
    schedules = {binding["schedule"].strip("%") for binding in triggers("timerTrigger").values()}
    own = {setting.name for setting in SETTINGS}
    assert rows(DOCS / "settings.md").keys() == own | schedules | {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"}
    assert all(name in json.dumps(functions()) for name in schedules)


def test_the_example_settings_hold_every_setting_that_is_needed() -> None:
    def held(setting: Setting) -> bool:
        return any(EXAMPLE.get(name) for name in (setting.name, *setting.instead))

    assert not [setting.name for setting in SETTINGS if setting.needed and not held(setting)]


def test_the_example_settings_hold_nothing_that_nobody_reads() -> None:
    """The last two are read by the libraries of Python and of MSAL, not by the app: where the sandbox's CA is."""
    read = rows(DOCS / "settings.md").keys() | {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
    assert EXAMPLE.keys() <= read
