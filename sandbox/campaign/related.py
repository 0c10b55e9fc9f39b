"""The small neighbours of the profile: marketing history and the list of services, read only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.calls import Call, Reply
from sandbox.campaign.config import CampaignConfig
from sandbox.campaign.journal import Journal
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.profiles import Profiles
from sandbox.campaign.rendering import record
from sandbox.campaign.times import Clock


@dataclass(frozen=True)
class HistoryApi:
    """`/profileAndServices/history/<PKey>` and its `events`: what was sent to one profile."""

    profiles: Profiles
    journal: Journal
    keys: KeyRing
    now: Clock

    def answer(self, call: Call) -> Reply:
        """Dispatch on the path. Raises Problem."""
        if call.method != "GET" or not call.address.rest:
            raise problems.not_offered(f"{call.method} on marketing history")
        pkey, *more = call.address.rest
        profile = self.profiles.by_pkey(pkey)
        address = f"{call.base}/profileAndServices/history/{pkey}"
        sends = self.journal.sends_to(profile.body["externalId"]) if profile.body["externalId"] else []
        if more == ["events"]:
            items = [self._event(address, event) for event in sends]
            return Reply(200, {"content": items, "serverSidePagination": True})
        if more:
            raise problems.not_offered("single events or mirror pages of the marketing history")
        shown = record(profile, self.profiles.catalogue, call.base, "profileAndServices", self.now())
        counts = {"countBroadLogEvents": len(sends), "countSubHistoEvents": 0}
        rest = {"minBroadLogEvents": "", "minSubHistoEvents": "", "kpisAndChart": {"href": f"{address}/kpisAndChart/"}}
        events = {"href": f"{address}/events/", "metadata": "subHisto"}
        return Reply(200, {**shown, "href": address, "events": events, **counts, **rest})

    def _event(self, address: str, event: dict[str, Any]) -> dict[str, Any]:
        pkey = self.keys.seal("history", event["id"])
        return {
            "PKey": pkey,
            "category": "email",
            "date": event["occurredAt"].replace("T", " "),
            "href": f"{address}/events/{pkey}",
            "label": event["delivery"]["name"],
            "mirrorPage": {"href": f"{address}/events/{pkey}/mirrorPage/"},
            "type": "outbound",
        }


@dataclass(frozen=True)
class ServiceApi:
    """`/profileAndServices/service`: the configured services, nothing more."""

    config: CampaignConfig
    keys: KeyRing

    def answer(self, call: Call) -> Reply:
        """Dispatch on the path. Raises Problem."""
        if call.method != "GET" or len(call.address.rest) > 1:
            raise problems.not_offered(f"{call.method} on services; they can only be listed and read")
        services = {self.keys.seal("service", name): name for name in self.config.services}
        if not call.address.rest:
            content = [self._service(call, pkey, name) for pkey, name in services.items()]
            count = {"href": f"{call.base}/{call.address.api}/service/_count", "value": len(content)}
            return Reply(200, {"content": content, "count": count, "serverSidePagination": True})
        key = call.address.rest[0]
        if key == "_count":
            return Reply(200, {"count": len(services)})
        if key not in services:
            raise problems.unknown_key("Service", key)
        return Reply(200, self._service(call, key, services[key]))

    def _service(self, call: Call, pkey: str, name: str) -> dict[str, str]:
        href = f"{call.base}/{call.address.api}/service/{pkey}"
        return {"PKey": pkey, "href": href, "name": name, "label": name, "messageType": "email"}
