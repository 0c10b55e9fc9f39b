"""The Campaign client against the stand-in's custom resources: found, hidden, duplicate, unpublished, misdirected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

import sandbox.campaign as stand_in
from shared.clients.campaign.auth import ImsTokens
from shared.clients.campaign.client import CampaignClient
from shared.clients.campaign.config import CampaignConfig
from shared.clients.campaign.metadata import ResourceMetadata
from shared.clients.http import Http
from shared.domain.contact import Value
from shared.domain.conversion import TargetType
from shared.domain.mapping import Resource
from shared.errors import Halt, Park, Reason

CONTACT = "1b2c3d4e-0000-4000-8000-000000000001"
VEHICLE = "1b2c3d4e-0000-4000-8000-000000000002"
VISIT = "1b2c3d4e-0000-4000-8000-000000000003"
VEHICLES = Resource("cusVehicle", "byExternalId", "externalId_parameter")
VISITS = Resource("cusServiceVisit", "byExternalId", "externalId_parameter")
DEALERS = Resource("cusDealer", "byExternalId", "externalId_parameter", linked=False)
OWNED: dict[str, Value] = {
    "externalId": VEHICLE,
    "profileExternalId": CONTACT,
    "VIN": "V1",
    "modelYear": 2020,
    "color": None,
}

BY_ID = frozenset({"externalId_parameter"})


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def server() -> AsyncIterator[stand_in.Campaign]:
    unpublished = replace(stand_in.EXAMPLE_RESOURCES[0], name="cusDraft", label="Draft", published=False)
    running = await stand_in.start(stand_in.CampaignConfig(custom_resources=(*stand_in.EXAMPLE_RESOURCES, unpublished)))
    yield running
    await running.stop()


@pytest.fixture
def config(server: stand_in.Campaign) -> CampaignConfig:
    client = server.config.clients[0]
    return CampaignConfig(
        url=f"{server.url}/{server.config.org}/campaign",
        token_url=f"{server.url}/ims/token/v3",
        client_id=client.client_id,
        client_secret=client.client_secret,
        scopes="openid,campaign_sdk",
        organization_id=server.config.ims_org,
        events_url=server.url,
        timeout_s=5,
    )


@pytest.fixture
def campaign(config: CampaignConfig, http: Http) -> CampaignClient:
    return CampaignClient(config, http, ImsTokens(config, http, now), now)


async def test_a_record_lives(campaign: CampaignClient) -> None:
    assert await campaign.create_profile(CONTACT, {}, frozenset())
    assert await campaign.record(VEHICLES, "externalId", VEHICLE) is None
    assert await campaign.create_record(VEHICLES, OWNED)
    assert await campaign.create_record(VEHICLES, OWNED) is False
    found = await campaign.record(VEHICLES, "externalId", VEHICLE)
    assert found is not None
    assert (found.fields["VIN"], found.fields["modelYear"], found.opted_out) == ("V1", 2020, {})
    assert await campaign.update_record(VEHICLES, found.handle, {"VIN": None, "color": "red"})
    changed = await campaign.record(VEHICLES, "externalId", VEHICLE)
    assert changed is not None
    assert (changed.handle, changed.fields["VIN"], changed.fields["color"]) == (found.handle, None, "red")
    assert await campaign.delete_record(VEHICLES, found.handle)
    assert await campaign.record(VEHICLES, "externalId", VEHICLE) is None
    assert await campaign.update_record(VEHICLES, found.handle, {"VIN": "V2"}) is False
    assert await campaign.delete_record(VEHICLES, found.handle) is False


async def test_a_resource_apart_from_the_profiles(campaign: CampaignClient) -> None:
    assert await campaign.create_record(DEALERS, {"externalId": VEHICLE, "city": "Berlin"})
    found = await campaign.record(DEALERS, "externalId", VEHICLE)
    assert found is not None
    assert found.fields["city"] == "Berlin"
    for wrong in (replace(DEALERS, linked=True), replace(VEHICLES, linked=False)):
        with pytest.raises(Halt):
            await campaign.record(wrong, "externalId", VEHICLE)


async def test_a_hidden_record_is_not_found_and_its_key_is_taken(campaign: CampaignClient) -> None:
    assert await campaign.create_record(VEHICLES, OWNED)
    assert await campaign.record(VEHICLES, "externalId", VEHICLE) is None
    assert await campaign.create_record(VEHICLES, OWNED) is False
    await campaign.create_profile(CONTACT, {}, frozenset())
    shown = await campaign.record(VEHICLES, "externalId", VEHICLE)
    assert shown is not None
    profile = await campaign.profile(CONTACT)
    assert profile is not None
    await campaign.create_record(VISITS, {"externalId": VISIT, "vehicleExternalId": VEHICLE})
    visit = await campaign.record(VISITS, "externalId", VISIT)
    assert visit is not None
    assert await campaign.update_record(VEHICLES, shown.handle, {"profileExternalId": VISIT})
    assert await campaign.record(VISITS, "externalId", VISIT) is None
    assert await campaign.update_record(VISITS, visit.handle, {"cost": 1.5}) is False


async def test_a_parents_deletion_takes_its_children_along(campaign: CampaignClient) -> None:
    await campaign.create_profile(CONTACT, {}, frozenset())
    await campaign.create_record(VEHICLES, OWNED)
    profile = await campaign.profile(CONTACT)
    assert profile is not None
    assert await campaign.delete_profile(profile.handle)
    assert await campaign.create_record(VEHICLES, OWNED), "a cascade frees the key"


async def test_what_is_not_published_is_no_missing_record(campaign: CampaignClient) -> None:
    for name in ("cusDraft", "cusNowhere"):
        absent = Resource(name, "byExternalId", "externalId_parameter", linked=False)
        for call in (
            campaign.record(absent, "externalId", VEHICLE),
            campaign.create_record(absent, {"externalId": VEHICLE}),
            campaign.update_record(absent, "@1", {"city": "Berlin"}),
            campaign.delete_record(absent, "@1"),
            campaign.any_record(absent),
        ):
            with pytest.raises(Halt) as caught:
                await call
            assert caught.value.reason is Reason.CAMPAIGN_MISCONFIGURED


async def test_a_filter_that_looks_for_another_field_is_found_out(campaign: CampaignClient) -> None:
    await campaign.create_profile(CONTACT, {}, frozenset())
    await campaign.create_record(VEHICLES, {**OWNED, "VIN": "V1"})
    by_vin = Resource("cusVehicle", "byVin", "VIN_parameter")
    with pytest.raises(Halt, match="byVin of cusVehicle does not look for externalId"):
        await campaign.record(by_vin, "externalId", "V1")
    found = await campaign.record(by_vin, "VIN", "V1")
    assert found is not None
    assert found.fields["externalId"] == VEHICLE


async def test_values_that_do_not_fit_are_parked_with_their_field(campaign: CampaignClient) -> None:
    await campaign.create_profile(CONTACT, {}, frozenset())
    for field, value in (("VIN", "x" * 18), ("color", "divers"), ("modelYear", "new")):
        with pytest.raises(Park) as caught:
            await campaign.create_record(VEHICLES, {**OWNED, field: value})
        assert caught.value.detail.endswith(f"field {field}")


async def test_any_record_is_one_that_campaign_shows(campaign: CampaignClient) -> None:
    assert await campaign.any_record(VEHICLES) is None
    await campaign.create_record(VEHICLES, OWNED)
    assert await campaign.any_record(VEHICLES) is None, "it is hidden"
    await campaign.create_profile(CONTACT, {}, frozenset())
    found = await campaign.any_record(VEHICLES)
    assert found is not None
    assert found.fields["externalId"] == VEHICLE


async def test_a_resource_describes_itself_and_its_filters(config: CampaignConfig, http: Http) -> None:
    metadata = ResourceMetadata(config, http, ImsTokens(config, http, now), now)
    described = await metadata.custom(VEHICLES)
    assert described.filters == {"byExternalId": BY_ID, "byVin": frozenset({"VIN_parameter"})}
    assert described.fields["externalId"].mandatory
    assert described.fields["color"].target.values == ("unknown", "black", "white", "red", "blue")
    assert described.fields["profile"].target.type is TargetType.OBJECT
    assert (await metadata.custom(DEALERS)).filters == {"byExternalId": BY_ID}
    with pytest.raises(Halt, match="cusDraft: not there, or not published"):
        await metadata.custom(replace(DEALERS, name="cusDraft"))
