"""Both metadata clients against both stand-ins: what a mapping is checked against."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import sandbox.campaign as campaign_stand_in
import sandbox.dataverse as dataverse_stand_in
from sandbox.campaign.config import CustomField
from sandbox.tls import ensure_tls
from shared.clients.calls import CallRecord
from shared.clients.campaign.auth import ImsTokens
from shared.clients.campaign.config import CampaignConfig
from shared.clients.campaign.metadata import ResourceMetadata
from shared.clients.dynamics.auth import MsalTokens
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.metadata import TableMetadata
from shared.clients.http import Http
from shared.domain.conversion import ColumnType, Target, TargetType
from shared.domain.metadata import ColumnInfo
from shared.errors import Halt, Reason


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def tables(http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TableMetadata]:
    tls = ensure_tls(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
    server = await dataverse_stand_in.start(dataverse_stand_in.DataverseConfig(tls=tls))
    user = dataverse_stand_in.INTEGRATION
    authority = f"{server.url}/{server.org.config.tenant_id}"
    config = DynamicsConfig(server.url, authority, user.client_id, user.secret, timeout_s=5)
    tokens = MsalTokens(config)
    yield TableMetadata(config, http, tokens, now)
    await tokens.close()
    await server.stop()


@pytest.fixture
async def resources(http: Http) -> AsyncIterator[ResourceMetadata]:
    hobby = CustomField("cusHobby", "string", 40)
    server = await campaign_stand_in.start(campaign_stand_in.CampaignConfig(custom_fields=(hobby,)))
    client = server.config.clients[0]
    config = CampaignConfig(
        url=f"{server.url}/{server.config.org}/campaign",
        token_url=f"{server.url}/ims/token/v3",
        client_id=client.client_id,
        client_secret=client.client_secret,
        scopes="openid,campaign_sdk",
        organization_id=server.config.ims_org,
        events_url=server.url,
        timeout_s=5,
    )
    yield ResourceMetadata(config, http, ImsTokens(config, http, now), now)
    await server.stop()


async def test_a_table_as_dataverse_describes_it(tables: TableMetadata) -> None:
    contact = await tables.table("contact")
    assert contact.change_tracking is True
    assert contact.columns["firstname"] == ColumnInfo(ColumnType.STRING, max_length=50)
    assert contact.columns["gendercode"] == ColumnInfo(ColumnType.PICKLIST, {1: "Male", 2: "Female"})
    assert contact.columns["donotemail"].options == {1: "Do Not Allow", 0: "Allow"}
    kinds = {
        "birthdate": ColumnType.DATE,
        "modifiedon": ColumnType.DATETIME,
        "statecode": ColumnType.STATE,
        "statuscode": ColumnType.STATUS,
        "acme_interests": ColumnType.MULTI_SELECT,
        "parentcustomerid": ColumnType.CUSTOMER,
        "ownerid": ColumnType.OWNER,
        "creditlimit": ColumnType.MONEY,
        "versionnumber": ColumnType.BIGINT,
        "contactid": ColumnType.UNIQUEIDENTIFIER,
    }
    assert {name: contact.columns[name].type for name in kinds} == kinds
    assert all(column.readable for column in contact.columns.values())
    assert contact.columns["acme_interests"].options[100000001] == "Sport"


async def test_an_unknown_table_halts(tables: TableMetadata) -> None:
    with pytest.raises(Halt) as caught:
        await tables.table("acme_nothing")
    assert caught.value.reason is Reason.DYNAMICS_MISCONFIGURED


async def test_a_resource_as_campaign_describes_it(resources: ResourceMetadata) -> None:
    fields = (await resources.resource("profile", extended=False)).fields
    assert fields["firstName"].target == Target(TargetType.STRING, 30)
    assert fields["gender"].target == Target(TargetType.ENUMERATION, None, ("unknown", "male", "female"))
    assert fields["age"].target == Target(TargetType.INTEGER, read_only=True)
    assert fields["location.city"].target.length == 255
    assert (fields["email"].data_policy, fields["location"].parts_known) == ("email", True)
    assert {fields[name].target.type for name in ("location", "country", "subscriptions")} == {TargetType.OBJECT}
    assert "cusHobby" not in fields


async def test_fields_that_the_customer_added_come_with_a_second_call(
    resources: ResourceMetadata, calls: list[CallRecord]
) -> None:
    fields = (await resources.resource("profile", extended=True)).fields
    assert fields["cusHobby"].target == Target(TargetType.STRING, 40)
    assert fields["firstName"].target.length == 30
    assert [call.kind for call in calls if call.kind == "metadata"] == ["metadata", "metadata"]
