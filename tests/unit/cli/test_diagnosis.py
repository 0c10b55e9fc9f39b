"""Checks stand on their own: what fails says what to do, and stops no other."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cli.checks import NOBODY, all_checks, queues
from cli.diagnosis import Check, Finding, Status, Title, UnhealthyError, diagnose
from cli.wiring import Wiring
from shared.domain.change import Lane
from shared.errors import Halt, Reason, Retry
from shared.mapping_file import MappingError
from shared.ports import BusUnavailableError
from shared.stores.files import FilesUnavailableError
from tests.unit.cli.fakes import FakeApp, FakeFiles
from tests.unit.cli.samples import CONTACT_ID, a_letter


async def examined(fake: FakeApp, wiring: Wiring | None = None) -> dict[str, Finding]:
    found = await diagnose(wiring or fake.wiring(), None, all_checks(), timeout_s=5)
    return {finding.check: finding for finding in found}


def states(found: dict[str, Finding], status: Status) -> set[str]:
    return {name for name, finding in found.items() if finding.status is status}


async def test_a_sound_app_has_nothing_but_ok():
    fake = FakeApp()
    found = await examined(fake)
    assert states(found, Status.OK) == set(found)
    assert {"settings", "mapping", "dynamics", "timeline-tables", "optout-files", "ledger"} < set(found)
    assert {f"queue-{lane}" for lane in Lane} < set(found)
    assert not any(finding.remedy for finding in found.values())
    assert (fake.built, fake.closed, fake.campaign.calls) == (1, 1, ["ping"])


async def test_missing_settings_are_named_and_the_rest_is_skipped():
    fake = FakeApp()
    del fake.values["CAMPAIGN_URL"]
    found = await examined(fake)
    assert states(found, Status.FAILED) == {"settings"}
    assert states(found, Status.SKIPPED) == set(found) - {"settings"}
    assert "CAMPAIGN_URL: missing" in found["settings"].found
    assert fake.built == 0


async def test_a_bad_mapping_is_not_a_matter_of_settings():
    def refuse(_settings: object) -> None:
        raise MappingError("the mapping does not do: tables.0")

    fake = FakeApp()
    found = await examined(fake, replace(fake.wiring(), build=refuse))  # type: ignore[arg-type]
    assert found["settings"].status is Status.OK
    assert states(found, Status.FAILED) == {"mapping"}
    assert found["dynamics"].found == "needs mapping"


async def test_one_system_that_refuses_leaves_the_others():
    fake = FakeApp()
    fake.dynamics.failure = Halt(Reason.DYNAMICS_CREDENTIALS, "status 401, also with a new token")
    found = await examined(fake)
    assert states(found, Status.FAILED) == {"dynamics"}
    assert states(found, Status.SKIPPED) == {"dynamics-columns", "timeline-tables"}
    assert found["dynamics"].remedy == Reason.DYNAMICS_CREDENTIALS.action
    assert "status 401" in found["dynamics"].found


async def test_each_part_that_fails_is_found():
    fake = FakeApp()
    fake.campaign.failure = Retry(Reason.CAMPAIGN_UNREACHABLE, "not sent: TimeoutError")
    fake.files.failure = FilesUnavailableError(
        "sftp://files.example.com/exports", "its host key is not the pinned one."
    )
    fake.dead_letters.failure = BusUnavailableError("optout: ServiceBusAuthenticationError")
    fake.values["WEBHOOK_SECRETS"] = "short,long-enough-to-be-a-secret"
    found = await examined(fake)
    assert states(found, Status.FAILED) == {"campaign", "optout-files", "webhook-secrets"} | {
        f"queue-{lane}" for lane in Lane
    }
    assert all(found[name].remedy for name in states(found, Status.FAILED))
    assert "host key" in found["optout-files"].found
    assert "1 of 2 secrets shorter" in found["webhook-secrets"].found


async def test_the_folder_of_the_logs_is_looked_at_where_there_is_one():
    fake = FakeApp()
    assert "journal" in (await examined(fake))["event-files"].found
    fake.event_folder = FakeFiles()
    assert "1 files, the newest of" in (await examined(fake))["event-files"].found
    fake.event_folder.failure = FilesUnavailableError("sftp://files.example.com/logs", "permission denied")
    found = await examined(fake)
    assert states(found, Status.FAILED) == {"event-files"}
    assert "permission denied" in found["event-files"].found


@pytest.mark.parametrize(("secrets", "says"), [("a,b,c", "3 secrets"), ("a,b,c,d", "4 secrets")])
async def test_the_number_of_webhook_secrets_counts(secrets, says):
    fake = FakeApp()
    fake.values["WEBHOOK_SECRETS"] = secrets
    assert says in (await examined(fake))["webhook-secrets"].found


async def test_a_missing_timeline_table_is_named():
    fake = FakeApp()
    fake.dynamics.refused = frozenset({"click"})
    found = await examined(fake)
    assert states(found, Status.FAILED) == {"timeline-tables"}
    assert "there is no table acme_click" in found["timeline-tables"].found
    assert NOBODY != CONTACT_ID


async def test_waiting_messages_are_told_but_are_no_failure():
    fake = FakeApp()
    fake.dead_letters.letters_kept = [a_letter(1), a_letter(2)]
    found = await examined(fake)
    assert "bridge deadletters list" in found["queue-contact-upsert"].found
    assert found["queue-contact-upsert"].status is Status.OK
    assert fake.dead_letters.open_listings == 0


async def test_a_check_has_its_time_and_an_unexpected_error_its_type_only():
    async def hang(_app: object) -> str:
        await asyncio.Event().wait()
        return "never"

    async def bug(_app: object) -> str:
        raise KeyError("Canaria")

    async def fine(_app: object) -> str:
        return "fine"

    probes = {"hang": hang, "bug": bug, "fine": fine}
    checks = [Check(Title(name, "-", "look"), probe) for name, probe in probes.items()]
    found = await diagnose(FakeApp().wiring(), None, checks, timeout_s=0.05)
    told = {finding.check: finding.found for finding in found}
    assert told["hang"] == "no answer within 0.05 s"
    assert told["bug"] == "unexpected KeyError"
    assert told["fine"] == "fine"


async def test_unhealthy_says_the_checks_own_remedy():
    async def ill(_app: object) -> str:
        raise UnhealthyError("ill")

    check = Check(Title("ill", "-", "rest"), ill)
    found = await diagnose(FakeApp().wiring(), None, [check], timeout_s=1)
    assert (found[-1].status, found[-1].remedy) == (Status.FAILED, "rest")


def test_every_queue_of_the_deployment_is_looked_at():
    assert set(queues()) == set(Lane)
