"""When webhooks fire, how they are sent, what is retried, what becomes a failed job, and what a restart keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.dataverse import ADMIN, DataverseConfig, start
from tests.contract.dataverse.conftest import Client, Clock, Receiver, sign_in, until
from tests.contract.dataverse.webhooks import Hook, register, target

ADA = {"firstname": "Ada", "lastname": "Example"}


async def jobs(client: Client) -> list[tuple[str, int]]:
    """State and attempts of every job."""
    return [(job["state"], job["attempts"]) for job in (await client.get("/_sandbox/jobs")).json["jobs"]]


async def settled(client: Client) -> bool:
    return all(state != "ready" for state, _ in await jobs(client))


async def test_headers_and_key(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create", auth=(4, "a b&c")))
    await admin.post("contacts", ADA, x_ms_correlation_id="11112222-3333-4444-5555-666677778888")
    await until(lambda: len(receiver.calls) == 1)
    headers, path, _ = receiver.calls[0]
    assert path == "/api/dataverse?code=a+b%26c"
    assert headers["Content-Type"] == "application/json"
    assert headers["x-ms-dynamics-organization"] == admin.url.removeprefix("https://")
    assert headers["x-ms-dynamics-entity-name"] == "contact"
    assert headers["x-ms-dynamics-request-name"] == "Create"
    assert headers["x-ms-correlation-request-id"] == "11112222-3333-4444-5555-666677778888"
    assert "x-request-id" not in headers


SETTINGS = '<settings><setting name="x-secret" value="s1"/><setting name="x-more" value="&lt;2&gt;"/></settings>'


async def test_header_and_query_secrets(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create", auth=(5, SETTINGS)))
    await register(admin, receiver, Hook("Create", auth=(6, SETTINGS)))
    await admin.create("contacts", ADA)
    await until(lambda: len(receiver.calls) == 2)
    (by_header, plain, _), (_, by_query, _) = sorted(receiver.calls, key=lambda call: call[1])
    assert (by_header["x-secret"], by_header["x-more"]) == ("s1", "<2>")
    assert plain == "/api/dataverse"
    assert by_query == "/api/dataverse?x-secret=s1&x-more=%3C2%3E"


async def test_authvalue_is_write_only_and_rotates(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create"))
    row = (await admin.get("serviceendpoints")).json["value"][0]
    assert row["isauthvalueset"] is True
    assert "authvalue" not in row
    assert (await admin.get("serviceendpoints?$select=authvalue")).status == 400
    await admin.patch(f"serviceendpoints({row['serviceendpointid']})", {"authvalue": "two"})
    await admin.create("contacts", ADA)
    await until(lambda: len(receiver.calls) == 1)
    assert receiver.calls[0][1].endswith("?code=two")


async def test_filtering_attributes_fire_on_submission(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook(filtering="firstname, donotemail"))
    row_id = await admin.create("contacts", ADA)
    await admin.patch(f"contacts({row_id})", {"jobtitle": "x"})
    await admin.patch(f"contacts({row_id})", {"firstname": "Ada"})
    await until(lambda: len(receiver.calls) == 1)
    await until(lambda: settled(admin))
    assert [target(body)["firstname"] for body in receiver.bodies] == ["Ada"]


async def test_only_registered_tables_and_enabled_steps_fire(admin: Client, receiver: Receiver):
    step_id = await register(admin, receiver, Hook("Create"))
    await admin.create("accounts", {"name": "Acme"})
    await admin.patch(f"sdkmessageprocessingsteps({step_id})", {"statecode": 1})
    await admin.create("contacts", ADA)
    await admin.patch(f"sdkmessageprocessingsteps({step_id})", {"statecode": 0})
    await admin.create("contacts", {"firstname": "Eve"})
    await until(lambda: len(receiver.calls) == 1)
    assert target(receiver.bodies[0])["firstname"] == "Eve"
    await until(lambda: settled(admin))
    assert await jobs(admin) == [("succeeded", 1)]


async def test_bypass_headers(admin: Client, receiver: Receiver):
    step_id = await register(admin, receiver, Hook("Create"))
    await admin.post("contacts", ADA, **{"MSCRM.BypassBusinessLogicExecutionStepIds": step_id})
    await admin.post("contacts", ADA, **{"MSCRM.BypassBusinessLogicExecution": "CustomSync,CustomAsync"})
    assert await jobs(admin) == []
    four = ",".join([step_id] * 4)
    assert (await admin.post("contacts", ADA, **{"MSCRM.BypassBusinessLogicExecutionStepIds": four})).status == 400


@pytest.mark.parametrize(
    ("statuses", "calls", "state"),
    [
        ([204], 1, "succeeded"),
        ([503], 2, "succeeded"),
        ([502, 200], 2, "succeeded"),
        ([504, 504], 2, "failed"),
        ([503, 500], 2, "failed"),
        ([500], 1, "failed"),
        ([429], 1, "failed"),
        ([404], 1, "failed"),
        ([302], 1, "failed"),
    ],
)
async def test_one_more_attempt_only_after_gateway_errors(
    admin: Client, receiver: Receiver, statuses: list[int], calls: int, state: str
):
    receiver.statuses = statuses
    await register(admin, receiver, Hook("Create"))
    await admin.create("contacts", ADA)
    await until(lambda: settled(admin))
    assert (len(receiver.calls), await jobs(admin)) == (calls, [(state, calls)])
    assert len({body for _, _, body in receiver.calls}) == 1


async def test_a_failed_job_is_found_among_the_system_jobs(admin: Client, receiver: Receiver):
    step_id = await register(admin, receiver, Hook("Create"))
    receiver.statuses = [500]
    await admin.create("contacts", ADA)
    await until(lambda: settled(admin))
    await admin.create("contacts", ADA)
    await until(lambda: settled(admin))
    query = (
        f"$filter=statuscode eq 31 and _owningextensionid_value eq {step_id}&$select=name,friendlymessage,completedon"
    )
    found = (await admin.get(f"asyncoperations?{query}")).json["value"]
    assert [(row["name"], row["completedon"]) for row in found] == [("Sync: Create of contact", "2025-01-02T03:04:05Z")]
    assert "500" in found[0]["friendlymessage"]
    assert (await admin.get("asyncoperations/$count")).text == "1"


async def test_successful_jobs_stay_without_auto_delete(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create", auto_delete=False))
    await admin.create("contacts", ADA)
    await until(lambda: settled(admin))
    row = (await admin.get("asyncoperations")).json["value"][0]
    assert (row["statecode"], row["statuscode"], row["friendlymessage"]) == (3, 30, None)


async def test_an_unreachable_receiver_fails_the_job(admin: Client, receiver: Receiver):
    receiver.url = "http://127.0.0.1:9/"
    await register(admin, receiver, Hook("Create"))
    await admin.create("contacts", ADA)
    await until(lambda: settled(admin))
    assert await jobs(admin) == [("failed", 1)]


class TestTimeout:
    @pytest.fixture
    def config(self, tls) -> DataverseConfig:
        return DataverseConfig(tls=tls, webhook_timeout_s=0.1)

    async def test_a_call_without_answer_is_not_repeated(self, admin: Client, receiver: Receiver):
        receiver.hang = True
        await register(admin, receiver, Hook("Create"))
        await admin.create("contacts", ADA)
        await until(lambda: settled(admin))
        assert (len(receiver.calls), await jobs(admin)) == (1, [("failed", 1)])

    def test_the_default_is_a_minute(self, tls):
        assert DataverseConfig(tls=tls).webhook_timeout_s == 60


async def test_bulk_rows_raise_events_of_their_own(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create"))
    await register(admin, receiver, Hook("Delete"))
    rows = [{"firstname": name, "@odata.type": "Microsoft.Dynamics.CRM.contact"} for name in "ab"]
    ids = (await admin.post("contacts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": rows})).json["Ids"]
    await admin.delete(f"contacts({ids[0]})")
    await until(lambda: len(receiver.calls) == 3)
    assert sorted((body["MessageName"], body["PrimaryEntityId"]) for body in receiver.bodies) == sorted(
        [("Create", ids[0]), ("Create", ids[1]), ("Delete", ids[0])]
    )


async def test_what_was_rolled_back_raises_nothing(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create"))
    rows = [{"firstname": name, "@odata.type": "Microsoft.Dynamics.CRM.contact"} for name in ("a", "b" * 51)]
    assert (await admin.post("contacts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": rows})).status == 400
    assert (await admin.get("contacts/$count")).text == "0"
    assert await jobs(admin) == []


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"mode": 0}, 501),
        ({"stage": 20}, 400),
        ({"filteringattributes": "nosuchcolumn"}, 400),
        ({"SdkMessageId@odata.bind": "/sdkmessages(9ebdbb1b-ea3e-db11-86a7-000a3a5473e8)"}, 400),
    ],
)
async def test_steps_that_cannot_work_are_refused(admin: Client, receiver: Receiver, more: dict[str, Any], status: int):
    with pytest.raises(AssertionError):
        await register(admin, receiver, Hook(more=more))
    answers = (await admin.get("/_sandbox/counters")).json["answers"]
    assert answers[str(status)] == 1


async def test_images_follow_their_message(admin: Client, receiver: Receiver):
    for message, kind in (("Create", 0), ("Delete", 1)):
        with pytest.raises(AssertionError, match=f"The message {message} has no"):
            await register(admin, receiver, Hook(message, images=(("x", kind, "firstname"),)))


async def test_steps_of_an_endpoint_are_listed(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook(filtering="firstname"))
    endpoint = (await admin.get("serviceendpoints")).json["value"][0]["serviceendpointid"]
    query = "$select=name,filteringattributes,mode,stage&$expand=sdkmessagefilterid($select=primaryobjecttypecode)"
    path = f"serviceendpoints({endpoint})/serviceendpoint_sdkmessageprocessingstep?{query},sdkmessageid($select=name)"
    (row,) = (await admin.get(path)).json["value"]
    assert (row["sdkmessagefilterid"]["primaryobjecttypecode"], row["sdkmessageid"]["name"]) == ("contact", "Update")
    assert (row["filteringattributes"], row["mode"], row["stage"]) == ("firstname", 1, 40)


async def test_a_restart_keeps_rows_registrations_tokens_and_unsent_calls(
    tls, tmp_path: Path, session, receiver: Receiver, clock: Clock
):
    config = DataverseConfig(tls=tls, state=tmp_path / "rows.sqlite")
    first = await start(config, now=clock)
    admin = await sign_in(session, first, ADMIN)
    await register(admin, receiver, Hook("Create"))
    await admin.fault("webhook", "delay", seconds=60)
    row_id = await admin.create("contacts", ADA)
    await first.stop()
    clock.forward(61)
    second = await start(replace(config, port=first.port), now=clock)
    await until(lambda: len(receiver.calls) == 1)
    assert (await admin.get(f"contacts({row_id})")).json["firstname"] == "Ada"
    await until(lambda: settled(admin))
    await second.stop()


async def test_events_that_are_apart_arrive_in_order(admin: Client, receiver: Receiver):
    await register(admin, receiver, Hook("Create"))
    for n in range(5):
        await admin.create("contacts", {"firstname": str(n)})
        await until(lambda: settled(admin))
    assert [target(body)["firstname"] for body in receiver.bodies] == list("01234")
