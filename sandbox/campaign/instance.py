"""One Campaign instance: its tables put together, and which resource answers which path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.calls import Address, Answer, Call, Reply
from sandbox.campaign.config import CampaignConfig
from sandbox.campaign.counters import Counters
from sandbox.campaign.export import OptOutExport
from sandbox.campaign.faults import FaultBoard
from sandbox.campaign.gateway import Gateway
from sandbox.campaign.journal import Journal
from sandbox.campaign.keys import KeyRing
from sandbox.campaign.listing import Pager
from sandbox.campaign.log_export import LogExport
from sandbox.campaign.metadata import MetadataApi
from sandbox.campaign.privacy import PrivacyApi, PrivacyWorkflow
from sandbox.campaign.profiles import Profiles
from sandbox.campaign.record_api import RecordApi
from sandbox.campaign.related import HistoryApi, ServiceApi
from sandbox.campaign.rendering import record
from sandbox.campaign.resources import Resources
from sandbox.campaign.rows import Record
from sandbox.campaign.store import Database
from sandbox.campaign.times import Clock

_BUILT_IN, _EXT, _CUSTOM = "profileAndServices", "profileAndServicesExt", "customResources"
_OUT_OF_SCOPE = {
    "workflow": "workflow control",
    "head": "privacy access files",
}


class Instance:
    """Everything behind the gateway. Answers are computed without waiting, so each request is atomic."""

    def __init__(self, config: CampaignConfig, now: Clock) -> None:
        indexed = {field for one in config.custom_filters for field in one.parameters.values()}
        indexed |= {"externalId", *config.namespaces.values()}
        self.config = config
        self.database = Database(config.state, indexed, config.custom_key)
        self.faults = FaultBoard()
        self.counters = Counters(self.database)
        self.gateway = Gateway(self.database, config, now)
        keys = KeyRing(self.database.secret())
        pager = Pager(self.database, keys, config.page_size, config.big_table_threshold)
        self.profiles = Profiles(self.database, keys, config, now)
        self.journal = Journal(self.database, keys, self.faults, config, now)
        self.workflow = PrivacyWorkflow(self.database, self.profiles, config, now)
        self.export = OptOutExport(self.profiles, self.database, self.faults, config, now)
        self.logs = LogExport(config.sftp, now)
        self.resources = Resources(self.database, keys, pager, self.counters, self.profiles, now)
        self.resources.define(config.custom_resources)
        self._now = now
        self._profile_api = RecordApi(self.profiles, pager, self._profile)
        metadata = MetadataApi(self.profiles, self.resources, config.data_policies, keys)
        privacy = PrivacyApi(self.database, keys, pager, config, now)
        services = ServiceApi(config, keys)
        self._resources: Mapping[tuple[str, str], Answer] = {
            (_BUILT_IN, "profile"): self._profile_api.answer,
            (_EXT, "profile"): self._profile_api.answer,
            (_BUILT_IN, "service"): services.answer,
            (_EXT, "service"): services.answer,
            (_BUILT_IN, "history"): HistoryApi(self.profiles, self.journal, keys, now).answer,
            (_BUILT_IN, "resourceType"): metadata.resource_type,
            (_EXT, "resourceType"): metadata.resource_type,
            (_CUSTOM, "resourceType"): metadata.resource_type,
            (_EXT, ""): metadata.ext_index,
            ("privacy", "privacyTool"): privacy.answer,
        }

    def kind(self, method: str, address: Address) -> str:
        """Return the counter's name for a request: `profile GET list`, `cusVehicle PATCH`, `privacy POST` …"""
        if address.rest[-1:] == ("_count",):
            return f"{address.resource} {method} count"
        if verbs := self._verbs(address):
            many = method == "GET" and verbs.selects_many(address)
            return f"{address.resource} {method}{' list' if many else ''}"
        known = {"privacyTool": "privacy", "resourceType": "metadata", "": "metadata"}
        return f"{known.get(address.resource, address.resource)} {method}"

    def answer(self, call: Call) -> Reply:
        """Carry a request out and return its answer, errors included."""
        try:
            return self._answer_of(call.address)(call)
        except problems.Problem as problem:
            return Reply(problem.status, problem.text)

    def reset(self) -> None:
        """Remove all data, counters and faults; tokens stay valid, PKeys stay retired."""
        self.resources.empty()
        self.database.empty()
        self.faults.clear()
        self.export.forget()

    def _profile(self, call: Call, profile: Record) -> dict[str, Any]:
        return record(profile, self.profiles.catalogue, call.base, call.address.api, self._now())

    def _verbs(self, address: Address) -> RecordApi | None:
        custom = self.resources.at(address)
        if custom:
            return custom.verbs
        return self._profile_api if address.resource == "profile" else None

    def _answer_of(self, address: Address) -> Answer:
        found = self._resources.get((address.api, address.resource))
        if found:
            return found
        if custom := self.resources.at(address):
            return custom.answer
        if address.api == _CUSTOM or (address.api == _EXT and address.resource.startswith("cus")):
            raise problems.unknown_resource()
        if address.api in _OUT_OF_SCOPE or address.api.startswith("mc"):
            raise problems.not_offered(_OUT_OF_SCOPE.get(address.api, "transactional messages"))
        raise problems.bad_uri()
