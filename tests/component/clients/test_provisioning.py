"""Provisioning against the Dataverse stand-in: everything once, nothing twice, and all of it away again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.provisioning import Deed, Step, preview, provision, remove
from sandbox import dataverse as stand_in
from sandbox.tls import Tls, ensure_tls
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.changes import ChangeTracking
from shared.clients.dynamics.client import DynamicsClient
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.provisioning import Desk
from shared.clients.dynamics.wire_blueprint import Blueprint
from shared.clients.dynamics.wire_provisioning import NotAllowedError, ProvisioningError
from shared.clients.http import Http
from shared.domain.change import RecordKey
from shared.domain.effects import FollowUpTask, RecordActivity
from shared.domain.fact import EmailEvent, Fact
from shared.domain.mapping import FieldRow, FromColumn, Mapping, Mappings, OptOutPair
from shared.domain.timeline import CONTACT_OWNER
from shared.errors import Halt, Reason
from shared.ports import Recorded
from shared.timeline_file import ADOBE_TABLES, read

SECRET = "a-webhook-secret-of-the-tests"
MAPPING = Mapping(
    "1", "contact", (FieldRow("n", FromColumn("firstname")),), (OptOutPair("donotemail", "blackListEmail"),)
)

CONTACT = {"contact": ("firstname", "donotemail")}
TWO_TABLES = {**CONTACT, "new_vehicle": ("new_vin",)}


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Company:
    """An environment without anything of the bridge's: its administrator's desk, and the bridge's own client."""

    server: stand_in.Dataverse
    http: Http
    desk: Desk
    dynamics: DynamicsClient
    own: Desk
    login: tuple[Any, ...]
    tracking: ChangeTracking

    def blueprint(self, **changes: Any) -> Blueprint:
        wanted = {
            "tables": ADOBE_TABLES,
            "mapped": CONTACT,
            "written": ("contact",),
            "client_id": stand_in.INTEGRATION.client_id,
            "webhook_url": "https://app.example.net/api/dataverse",
            "webhook_secret": SECRET,
        }
        return Blueprint(**{**wanted, **changes})

    def stored(self, table: str) -> list[dict[str, Any]]:
        return self.server.org.store.select(self.server.org.schema.tables[table], "1", [], "1", 1000)

    async def provision(self, **changes: Any) -> list[Step]:
        return await provision(self.desk, self.blueprint(**changes).parts(), lambda step: None)

    async def add_contact(self) -> str:
        contact_id = await self.desk.write("POST", "contacts", {"firstname": "Ada"})
        assert contact_id is not None
        return contact_id


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return ensure_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def company(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
    users = (stand_in.ADMIN, replace(stand_in.INTEGRATION, administrator=False))
    server = await stand_in.start(stand_in.DataverseConfig(tls=tls, users=users, email_activities=False))
    authority = f"{server.url}/{server.org.config.tenant_id}"
    own, admin = (
        DynamicsConfig(server.url, authority, u.client_id, u.secret, timeout_s=20) for u in (users[1], users[0])
    )
    http, tokens, admins = Http(), MsalTokens(own), MsalTokens(admin)
    dynamics = DynamicsClient(own, http, tokens, lambda: Mappings(MAPPING), now)
    login = (admin, http, admins, now)
    tracking = ChangeTracking(own, http, tokens, now)
    yield Company(server, http, Desk(*login), dynamics, Desk(own, http, tokens, now), login, tracking)
    for each in (tokens, admins, http):
        await each.close()
    await server.stop()


def deeds(steps: list[Step]) -> dict[str, Deed]:
    return {step.part: step.deed for step in steps}


async def test_a_preview_writes_nothing(company: Company) -> None:
    before = dict(company.server.org.counters.operations)
    steps = await preview(company.desk, company.blueprint(mapped=TWO_TABLES).parts(), lambda step: None)
    writes = set(company.server.org.counters.operations) - set(before)
    assert all(kind.startswith("GET ") for kind in writes)
    found = deeds(steps)
    assert found["table adobe_emailsend"] is Deed.WOULD_CREATE
    assert found["change tracking of contact"] is Deed.NOTHING
    assert found["security role Dynamics-Campaign bridge"] is Deed.WOULD_CREATE
    assert found["image of the step for Delete of new_vehicle"] is Deed.WOULD_CREATE


async def test_everything_once_and_nothing_twice(company: Company) -> None:
    first = await company.provision()
    assert Deed.OPEN not in deeds(first).values()
    assert deeds(first)["table adobe_emailurlclick"] is Deed.CREATED
    assert set(deeds(await company.provision()).values()) == {Deed.NOTHING}


async def test_all_of_it_belongs_to_the_solution(company: Company) -> None:
    await company.provision(mapped=TWO_TABLES)
    kinds = sorted(row["componenttype"] for row in company.stored("solutioncomponent"))
    assert {kind: kinds.count(kind) for kind in kinds} == {1: 4, 2: 17, 20: 1, 92: 6, 93: 6, 95: 1}
    assert [row["customizationprefix"] for row in company.stored("publisher")] == ["adobe"]


async def test_the_steps_are_asynchronous_and_hear_only_of_mapped_columns(company: Company) -> None:
    await company.provision(mapped=TWO_TABLES)
    steps = {row["name"].partition(": ")[2]: row for row in company.stored("sdkmessageprocessingstep")}
    assert set(steps) == {f"{m} of {t}" for m in ("Create", "Update", "Delete") for t in ("contact", "new_vehicle")}
    assert {(row["stage"], row["mode"], row["asyncautodelete"]) for row in steps.values()} == {(40, 1, 1)}
    assert steps["Update of contact"]["filteringattributes"] == "donotemail,firstname"
    assert steps["Delete of contact"]["filteringattributes"] is None
    images = company.stored("sdkmessageprocessingstepimage")
    assert {(row["imagetype"], row["attributes"]) for row in images} == {
        (kind, table) for kind in (0, 1) for table in ("contactid", "new_vehicleid")
    }


async def test_what_somebody_changed_is_put_right_again(company: Company) -> None:
    await company.provision()
    (endpoint,) = company.stored("serviceendpoint")
    await company.desk.write("PATCH", f"serviceendpoints({endpoint['serviceendpointid']})", {"url": "https://old.test"})
    (solution,) = company.stored("solution")
    await company.desk.write("PATCH", f"solutions({solution['solutionid']})", {"version": "2.0.0.0"})
    steps = await company.provision(mapped={"contact": ("firstname", "donotemail", "lastname")})
    changed = {step.part: (step.deed, step.detail) for step in steps if step.deed is not Deed.NOTHING}
    assert changed == {
        "service endpoint Dynamics-Campaign bridge": (Deed.CORRECTED, "url"),
        "step for Update of contact": (Deed.CORRECTED, "filteringattributes"),
    }
    assert company.stored("serviceendpoint")[0]["url"] == "https://app.example.net/api/dataverse"
    assert company.stored("solution")[0]["version"] == "2.0.0.0"


class BreakingDesk(Desk):
    """Breaks off at one write: before it was sent, or after it was carried out."""

    def break_at(self, *, after: bool) -> None:
        self.ids.clear()
        self.after, self.broken = after, False

    async def write(self, method: str, path: str, body: Any = None, **options: Any) -> str | None:
        if self.broken:
            return await super().write(method, path, body, **options)
        self.broken = True
        if self.after:
            await super().write(method, path, body, **options)
        raise ProvisioningError("broken off")


@pytest.mark.parametrize("after", [False, True])
async def test_a_run_that_broke_off_goes_on_where_it_was(company: Company, after: bool) -> None:
    """Every run but the last breaks at its first write or just after it, so every write is the last one once."""
    desk = BreakingDesk(*company.login)
    for run in range(100):
        desk.break_at(after=after or run % 2 == 0)
        try:
            await provision(desk, company.blueprint().parts(), lambda step: None)
        except ProvisioningError as error:
            assert str(error) == "broken off"  # noqa: PT017 - any other is a failure
            continue
        break
    assert run > 30
    assert set(deeds(await company.provision()).values()) == {Deed.NOTHING}
    assert len(company.stored("sdkmessageprocessingstepimage")) == 3


async def test_the_form_shows_the_columns_and_keeps_what_people_did(company: Company) -> None:
    await company.provision()
    (form,) = (row for row in company.stored("systemform") if row["objecttypecode"] == "adobe_emailurlclick")
    fields = ["subject", "adobe_campaignname", "adobe_deliveryname", "adobe_clickedon"]
    assert [name for name in fields if f'datafieldname="{name}"' in form["formxml"]] == fields
    edited = form["formxml"].replace('description="Subject"', 'description="Betreff"')
    edited = edited.replace('datafieldname="adobe_clickedon"', 'datafieldname="actualstart"')
    await company.desk.write("PATCH", f"systemforms({form['formid']})", {"formxml": edited})
    steps = await company.provision()
    assert deeds(steps)["main form of adobe_emailurlclick"] is Deed.CORRECTED
    (form,) = (row for row in company.stored("systemform") if row["objecttypecode"] == "adobe_emailurlclick")
    assert 'description="Betreff"' in form["formxml"]
    assert 'datafieldname="adobe_clickedon"' in form["formxml"]


async def test_the_role_is_enough_for_all_that_the_bridge_does(company: Company) -> None:
    contact_id = await company.add_contact()
    with pytest.raises(Halt) as refused:
        await company.dynamics.read(RecordKey("contact", contact_id))
    assert refused.value.reason is Reason.DYNAMICS_CREDENTIALS
    await company.provision()
    contact = await company.dynamics.read(RecordKey("contact", contact_id))
    assert contact is not None
    assert await company.dynamics.write_opt_outs(contact_id, {"donotemail": True}, contact.version)
    assert await company.dynamics.whoami() == stand_in.INTEGRATION.user_id
    for event in EmailEvent:
        await company.dynamics.check_timeline_table(event)
    task = FollowUpTask("c1c1c1c1-0000-5000-8000-000000000001", "Call", "", now(), CONTACT_OWNER)
    facts = [Fact(str(event), event, contact_id, "c", "d", now()) for event in EmailEvent]
    ids = [f"c1c1c1c1-0000-5000-8000-00000000001{number}" for number in range(4)]
    orders = [RecordActivity(fact, key, task) for fact, key in zip(facts, ids, strict=True)]
    for _ in range(2):
        assert await company.dynamics.record_activities(orders) == [Recorded.DONE] * 4
    assert contact_id in (await company.tracking.page("contact", None, 100)).changed
    failed = await company.tracking.since(now() - timedelta(minutes=5), 10)
    assert all(job.table == "contact" for job in failed)
    entries = await company.dynamics.timeline(contact_id)
    assert sorted(entry.kind for entry in entries) == sorted([*(t.name for t in ADOBE_TABLES.tables.values()), "task"])
    assert {entry.state for entry in entries} == {"open", "completed"}


async def test_the_role_is_not_enough_for_anything_else(company: Company) -> None:
    contact_id = await company.add_contact()
    await company.provision()
    for method, path, body in (
        ("DELETE", f"contacts({contact_id})", None),
        ("POST", "contacts", {"firstname": "x"}),
        ("POST", "accounts", {"name": "x"}),
        ("PATCH", f"systemusers({stand_in.INTEGRATION.user_id})", {"firstname": "x"}),
        ("POST", "EntityDefinitions", {}),
        ("POST", "PublishXml", {"ParameterXml": "<entity>contact</entity>"}),
    ):
        with pytest.raises(ProvisioningError, match="403"):
            await company.own.write(method, path, body)
    for path in ("accounts?$select=name", "serviceendpoints?$select=name", "systemusers?$select=fullname"):
        with pytest.raises(ProvisioningError, match="403"):
            await company.own.rows(path)


async def test_the_secret_is_written_and_never_said(company: Company) -> None:
    parts = company.blueprint().parts()
    assert SECRET not in repr(parts)
    await provision(company.desk, parts, lambda step: None)
    (endpoint,) = company.stored("serviceendpoint")
    assert endpoint["authvalue"] == f'<settings><setting name="x-bridge-key" value="{SECRET}"/></settings>'
    await company.blueprint(webhook_secret="another-secret").endpoint().refresh(company.desk)
    assert 'value="another-secret"' in company.stored("serviceendpoint")[0]["authvalue"]
    with pytest.raises(ProvisioningError) as caught:
        await replace(company.blueprint().endpoint(), once={"authvalue": SECRET}).refresh(company.desk)
    assert SECRET not in str(caught.value)


async def test_removal_takes_away_what_was_made_but_not_activities_that_nobody_gave_up(company: Company) -> None:
    contact_id = await company.add_contact()
    await company.provision()
    fact = Fact("1", EmailEvent.SEND, contact_id, "c", "d", now())
    order = RecordActivity(fact, "c1c1c1c1-0000-5000-8000-000000000001")
    assert await company.dynamics.record_activities([order]) == [Recorded.DONE]
    parts = company.blueprint().parts()
    assert await remove(company.desk, parts, lambda step: None, dry_run=True)
    assert len(company.stored("sdkmessageprocessingstep")) == 3
    steps = {step.part: step for step in await remove(company.desk, parts, lambda step: None, dry_run=False)}
    assert "--delete-activities" in steps["table adobe_emailsend"].detail
    assert steps["table adobe_emailopen"].deed is Deed.REMOVED
    for table in ("serviceendpoint", "sdkmessageprocessingstep", "sdkmessageprocessingstepimage", "role"):
        assert company.stored(table) == []
    assert steps["solution DynamicsCampaignBridge"].detail == "it stays with adobe_emailsend"
    await remove(company.desk, company.blueprint(delete_activities=True).parts(), lambda step: None, dry_run=False)
    assert "adobe_emailsend" not in company.server.org.schema.tables
    assert company.stored("solution") == []


async def test_removal_with_activities_leaves_nothing(company: Company) -> None:
    await company.provision()
    await remove(company.desk, company.blueprint(delete_activities=True).parts(), lambda step: None, dry_run=False)
    assert not [name for name in company.server.org.schema.tables if name.startswith("adobe_")]
    for table in ("solution", "publisher", "solutioncomponent", "systemform"):
        assert company.stored(table) == []
    assert (await company.add_contact()) is not None


async def test_tables_by_other_names(company: Company) -> None:
    text = """
tables:
  send: {table: acme_send, date: acme_at}
  open: {table: acme_open, date: acme_at}
  click: {table: acme_click, date: acme_at}
  bounce: {table: acme_bounce, date: acme_at}
columns: {campaign: acme_campaign, delivery: acme_delivery, mirror_page: acme_mirror, tracking: acme_url}
"""
    tables = read(text).tables
    await company.provision(tables=tables)
    assert {name for name in company.server.org.schema.tables if name.startswith("acme_")} >= {
        "acme_send",
        "acme_click",
    }
    two = replace(tables, tables={**tables.tables, EmailEvent.SEND: ADOBE_TABLES.tables[EmailEvent.SEND]})
    with pytest.raises(ProvisioningError, match="several prefixes"):
        company.blueprint(tables=two).parts()


async def test_a_table_that_is_no_activity_is_refused(company: Company) -> None:
    other = replace(ADOBE_TABLES.tables[EmailEvent.SEND], name="new_vehicle")
    with pytest.raises(ProvisioningError, match="no activity table"):
        await company.provision(tables=replace(ADOBE_TABLES, tables=dict.fromkeys(EmailEvent, other)))


async def test_a_missing_application_user_is_said_with_its_remedy(company: Company) -> None:
    with pytest.raises(ProvisioningError, match="Add the app registration"):
        await company.provision(client_id="11111111-aaaa-4000-8000-00000000ffff")


async def test_a_preview_without_the_application_user_leaves_open_what_depends_on_it(company: Company) -> None:
    parts = company.blueprint(client_id="11111111-aaaa-4000-8000-00000000ffff").parts()
    steps = await preview(company.desk, parts, lambda step: None)
    found = deeds(steps)
    assert found["application user"] is Deed.OPEN
    assert found["role Dynamics-Campaign bridge of the application user"] is Deed.OPEN


async def test_without_an_administrators_rights_nothing_is_said_but_that(company: Company) -> None:
    """Above all a removal must not pass for one that found nothing."""
    parts = company.blueprint().parts()
    for work in (preview(company.own, parts, print), remove(company.own, parts, print, dry_run=True)):
        with pytest.raises(NotAllowedError, match="prvReadPublisher"):
            await work
