"""One Campaign instance: its tables put together, and which resource answers which path."""

from __future__ import annotations

from collections.abc import Mapping

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
from sandbox.campaign.metadata import MetadataApi
from sandbox.campaign.privacy import PrivacyApi, PrivacyWorkflow
from sandbox.campaign.profile_api import ProfileApi
from sandbox.campaign.profiles import Profiles
from sandbox.campaign.related import HistoryApi, ServiceApi
from sandbox.campaign.store import Database
from sandbox.campaign.times import Clock

_BUILT_IN, _EXT = "profileAndServices", "profileAndServicesExt"
_OUT_OF_SCOPE = {
    "customResources": "custom resources outside the profile",
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
        self._profile_api = ProfileApi(self.profiles, pager, config, now)
        metadata = MetadataApi(self.profiles.catalogue, config.data_policies, keys)
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
            (_EXT, ""): metadata.ext_index,
            ("privacy", "privacyTool"): privacy.answer,
        }

    def kind(self, method: str, address: Address) -> str:
        """Return the counter's name for a request: `profile GET list`, `profile GET`, `privacy POST` …"""
        if address.rest[-1:] == ("_count",):
            return f"{address.resource} {method} count"
        if address.resource == "profile":
            many = method == "GET" and self._profile_api.selects_many(address)
            return f"profile {method}{' list' if many else ''}"
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
        self.database.empty()
        self.faults.clear()
        self.export.forget()

    def _answer_of(self, address: Address) -> Answer:
        found = self._resources.get((address.api, address.resource))
        if found:
            return found
        if address.api == _EXT and address.resource.startswith("cus"):
            raise problems.not_offered("custom resources")
        if address.api in _OUT_OF_SCOPE or address.api.startswith("mc"):
            raise problems.not_offered(_OUT_OF_SCOPE.get(address.api, "transactional messages"))
        raise problems.bad_uri()
