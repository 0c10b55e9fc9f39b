"""`bridge optouts` as typed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from shared.domain.journal import JournalEntry
from shared.domain.optout_file import FileRecord, FileState, Folder, RemoteFile
from shared.errors import Reason, Retry
from shared.stores.journal_archive import StoredChain
from shared.stores.journal_line import Link, encode, hash_of
from tests.component.cli.typed import Run, data
from tests.unit.cli.fakes import FakeApp
from tests.unit.cli.samples import CONTACT_ID, NOW

ENTRY = JournalEntry(
    at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    contact_id=CONTACT_ID,
    attribute="blackListEmail",
    dynamics_value=True,
    dynamics_at=datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
    campaign_value=False,
    campaign_at=None,
    configuration="bidirectional",
    policy="adobe",
    decision=False,
    effects=("dynamics:=false",),
    origin="recipients_20260301.txt:17",
    flag="opt_out_erased",
)
OTHER = replace(ENTRY, contact_id="00000000-0000-4000-8000-000000000001", flag="", at=ENTRY.at - timedelta(hours=1))


class FakeArchive:
    """A journal of chains by name, as `BlobArchive` shows it; no seals."""

    def __init__(self) -> None:
        self.stored: dict[str, list[bytes]] = {}
        self.failure: Exception | None = None

    def append(self, name: str, *entries: JournalEntry) -> None:
        written = self.stored.setdefault(name, [])
        for entry in entries:
            previous = hash_of(written[-1]) if written else ""
            written.append(encode(Link(name, len(written) + 1, previous, entry)))

    async def chains(self, day: date | None = None) -> AsyncIterator[StoredChain]:
        if self.failure is not None:
            raise self.failure
        for name, written in self.stored.items():
            yield StoredChain(name, date.fromisoformat(name.split("/")[1]), sum(len(line) + 1 for line in written))

    async def lines(self, chain: StoredChain) -> AsyncIterator[bytes]:
        for line in self.stored[chain.name]:
            yield line

    async def seals(self) -> AsyncIterator[tuple[str, bytes]]:
        none: list[tuple[str, bytes]] = []
        for seal in none:
            yield seal


@pytest.fixture
def archive(fake: FakeApp) -> FakeArchive:
    fake.archive = FakeArchive()
    fake.archive.append(f"entries/{NOW.date()}/b.jsonl", ENTRY)
    fake.archive.append(f"entries/{NOW.date()}/a.jsonl", OTHER)
    found: FakeArchive = fake.archive
    return found


def test_a_sound_journal_is_said_to_be_one(bridge: Run, archive: FakeArchive):
    result = bridge("optouts", "verify")
    assert result.exit_code == 0
    assert "2 entries in 2 chains, 0 sealed days." in result.stdout
    assert "Every chain holds together" in result.stdout


def test_a_changed_journal_fails_and_names_the_place(bridge: Run, archive: FakeArchive):
    name = f"entries/{NOW.date()}/b.jsonl"
    archive.append(name, ENTRY)
    archive.stored[name][0] = archive.stored[name][0].replace(b"false", b"true", 1)
    result = bridge("optouts", "verify", "--json")
    assert result.exit_code == 1
    assert data(result)["faults"] == [f"{name}:2: the line before is not the one it was written after"]
    assert "1 fault in the journal" in result.stderr
    assert "What to do:" in result.stderr


def test_a_seal_that_was_noted_and_is_not_there_is_a_fault(bridge: Run, archive: FakeArchive):
    result = bridge("optouts", "verify", "--anchor", "4f1c")
    assert (result.exit_code, "no seal has the hash 4f1c" in result.stdout) == (1, True)


def test_a_contacts_decisions_are_shown(bridge: Run, archive: FakeArchive):
    result = bridge("optouts", "show", CONTACT_ID.upper())
    assert result.exit_code == 0
    for words in (
        "2026-03-01 09:30:00Z  blackListEmail: opted in · opt_out_erased",
        "Dynamics out (2026-03-01 09:00:00Z), Campaign in · bidirectional, adobe",
        "dynamics:=false · from recipients_20260301.txt:17",
        "1 decision.",
    ):
        assert words in result.stdout
    (entry,) = data(bridge("optouts", "show", CONTACT_ID, "--json"))
    assert (entry["contact_id"], entry["decision"]) == (CONTACT_ID, False)


def test_an_id_that_is_none_is_a_matter_of_usage(bridge: Run, fake: FakeApp):
    assert (bridge("optouts", "show", "Ada").exit_code, fake.built) == (2, 0)


def test_conflicts_are_those_with_a_flag(bridge: Run, archive: FakeArchive):
    result = bridge("optouts", "conflicts")
    assert f"Contact {CONTACT_ID}" in result.stdout
    assert OTHER.contact_id not in result.stdout
    assert "1 conflict (opt_out_erased: 1)." in result.stdout
    day_after = (NOW.date() + timedelta(days=1)).isoformat()
    assert "0 conflicts." in bridge("optouts", "conflicts", "--since", day_after).stdout


@pytest.mark.parametrize("command", [("show", CONTACT_ID), ("conflicts",), ("export",)], ids=lambda words: words[0])
def test_days_that_end_before_they_begin_are_a_matter_of_usage(
    bridge: Run, archive: FakeArchive, fake: FakeApp, command: tuple[str, ...]
):
    result = bridge("optouts", *command, "--since", "2026-03-02", "--until", "2026-03-01")
    assert (result.exit_code, result.stdout, fake.built) == (2, "", 0)
    assert "2026-03-02 is after 2026-03-01" in result.stderr


def test_the_export_is_the_stored_lines(bridge: Run, archive: FakeArchive, tmp_path: Path):
    stored = [line.decode() for written in archive.stored.values() for line in written]
    result = bridge("optouts", "export")
    assert (result.stdout.splitlines(), result.stderr) == (stored, "2 lines\n")
    file = tmp_path / "journal.jsonl"
    bridge("optouts", "export", "--out", str(file), "--until", NOW.date().isoformat())
    assert file.read_text().splitlines() == stored


def test_an_export_that_cannot_be_written_says_where(bridge: Run, archive: FakeArchive, tmp_path: Path):
    for file, problem in ((tmp_path / "none" / "a.jsonl", "cannot be written"), (tmp_path, "is a directory")):
        result = bridge("optouts", "export", "--out", str(file))
        assert (result.exit_code, problem in " ".join(result.stderr.split())) == (2, True)


def test_storage_that_does_not_answer_is_told_with_its_remedy(bridge: Run, archive: FakeArchive):
    archive.failure = Retry(Reason.JOURNAL_UNREACHABLE)
    result = bridge("optouts", "show", CONTACT_ID)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "journal_unreachable" in result.stderr


def test_files_are_listed_with_their_state_and_what_is_wrong(bridge: Run, fake: FakeApp):
    for name, state, problem in (("a.csv", FileState.ARCHIVED, ""), ("b.csv", FileState.REFUSED, "the header lacks x")):
        record = FileRecord(RemoteFile(name, 9, NOW), NOW, state, rows=1204, finished_at=NOW, problem=problem)
        fake.file_ledger.records[name] = record
    fake.files.put("old", bytes(3000), NOW, Folder.ARCHIVE)
    result = bridge("optouts", "files")
    assert result.exit_code == 0
    for words in (
        f"{NOW:%Y-%m-%d %H:%M:%SZ}  a.csv: archived\n",
        "1,204 rows, 0 bad, 0 strangers, 0 hints",
        "b.csv: refused\n",
        "    the header lacks x\n",
        "2 files;",
        "archive 3,000 bytes",
    ):
        assert words in result.stdout
    found = data(bridge("optouts", "files", "--json"))
    assert [record["state"] for record in found["records"]] == ["archived", "refused"]
    assert found["sizes"] == {"inbox": 12, "archive": 3000, "quarantine": 0}
