"""`/profileAndServices/profile` and `/profileAndServicesExt/profile`: verbs, filters, single columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.campaign import problems
from sandbox.campaign.calls import Address, Call, Reply
from sandbox.campaign.config import CampaignConfig
from sandbox.campaign.listing import Pager, Selection
from sandbox.campaign.profiles import Profile, Profiles
from sandbox.campaign.rendering import href, record
from sandbox.campaign.store import column
from sandbox.campaign.times import Clock

_TEXT_FIELDS = ("email", "firstName", "lastName")
_OTHER_BUILT_IN_FILTERS = ("birthday", "byKeysProfile", "byDelivery", "byService", "byOrigin", "byNPIDAudience")


@dataclass(frozen=True)
class ProfileApi:
    """Answers every request to the profile resource. The custom key works in the path at the Ext endpoint only."""

    profiles: Profiles
    pager: Pager
    config: CampaignConfig
    now: Clock

    def answer(self, call: Call) -> Reply:
        """Dispatch on verb and path. Raises Problem."""
        if call.method == "GET" and self.selects_many(call.address):
            return self._list(call)
        if call.method == "POST" and not call.address.rest:
            return self._create(call)
        if len(call.address.rest) != 1 or call.method not in ("GET", "PATCH", "DELETE"):
            raise problems.not_offered(f"{call.method} on /{'/'.join(('profile', '…', *call.address.rest[1:]))}")
        profile = self.profiles.by_path_key(call.address.rest[0], call.address.extended)
        return {"GET": self._read, "PATCH": self._update, "DELETE": self._delete}[call.method](call, profile)

    def selects_many(self, address: Address) -> bool:
        """Tell whether the path names filters or a column, or nothing behind the resource."""
        filters = (*self._filters(address.extended), *_OTHER_BUILT_IN_FILTERS, "_count")
        columns = self.profiles.catalogue.at(address.extended)
        return all(part in filters or part in columns for part in address.rest)

    def _read(self, call: Call, profile: Profile) -> Reply:
        return Reply(200, self._record(call, profile))

    def _create(self, call: Call) -> Reply:
        document = call.document()
        if "PKey" in document:
            taken = self.profiles.by_pkey(str(document["PKey"]))
            raise problems.duplicate_key("Profile", taken.pkey, "nmsrecipient_id")
        profile = self.profiles.insert(self.profiles.read_document(document, call.address.extended), call.author)
        return Reply(201, self._record(call, profile))

    def _update(self, call: Call, profile: Profile) -> Reply:
        document = call.document()
        sent = document.pop("PKey", profile.pkey)
        if sent != profile.pkey:
            self.profiles.by_pkey(str(sent))
            raise problems.key_conflict("profile", profile.pkey, sent)
        document.pop("href", None)
        changed = self.profiles.change(profile, self.profiles.read_document(document, call.address.extended))
        return Reply(200, {"PKey": changed.pkey, "href": href(call.base, call.address.api, changed)})

    def _delete(self, _call: Call, profile: Profile) -> Reply:
        self.profiles.remove(profile)
        return Reply(200, {})

    def _list(self, call: Call) -> Reply:
        parts = [part for part in call.address.rest if part != "_count"]
        columns = [part for part in parts if part in self.profiles.catalogue.at(call.address.extended)]
        selection = self._selection(call, [part for part in parts if part not in columns])
        if "_count" in call.address.rest:
            return Reply(200, self.pager.count(selection))
        return Reply(
            200, self.pager.page(call, selection, lambda number, body: self._item(call, columns, number, body))
        )

    def _item(self, call: Call, columns: list[str], number: int, body: str) -> object:
        shown = self._record(call, self.profiles.row(number, body))
        return shown[columns[-1]] if columns else shown

    def _record(self, call: Call, profile: Profile) -> dict[str, Any]:
        return record(profile, self.profiles.catalogue, call.base, call.address.api, self.now())

    def _selection(self, call: Call, filters: list[str]) -> Selection:
        order, descending = self._order(call)
        where: list[str] = []
        values: list[object] = []
        for name in filters:
            for condition, value in self._conditions(name, call):
                where.append(condition)
                values += value
        return Selection("profile", order, descending, tuple(where), tuple(values))

    def _order(self, call: Call) -> tuple[str, bool]:
        text = call.query.get("_order")
        if text is None:
            return "id", False
        name, _, direction = text.partition(" ")
        field = self.profiles.catalogue.at(call.address.extended).get(name)
        if field is None or field.kind in ("object", "link", "collection") or direction not in ("", "asc", "desc"):
            raise problems.bad_parameter("_order", f"'@{text}' is not a sortable field")
        return ("id" if name == "PKey" else f"COALESCE({column(name)}, '')"), direction == "desc"

    def _filters(self, extended: bool) -> Mapping[str, Mapping[str, str]]:
        built_in = {"byText": {"text": "*"}, "byEmail": {"email": "email"}}
        return built_in | ({one.name: one.parameters for one in self.config.custom_filters} if extended else {})

    def _conditions(self, name: str, call: Call) -> list[tuple[str, tuple[object, ...]]]:
        filters = self._filters(call.address.extended)
        if name not in filters:
            raise problems.not_offered(f"the '{name}' filter")
        for parameter in filters[name]:
            if parameter not in call.query:
                raise problems.bad_parameter(parameter, f"the '{name}' filter needs it")
        if name == "byText":
            return [self._starts_with(call.query["text"], call.query.get("filterType", ""))]
        return [(f"{column(field)} = ?", (call.query[parameter],)) for parameter, field in filters[name].items()]

    def _starts_with(self, text: str, field: str) -> tuple[str, tuple[object, ...]]:
        if field and field not in _TEXT_FIELDS:
            raise problems.not_offered(f"the '{field}' filterType of byText")
        fields = (field,) if field else _TEXT_FIELDS
        condition = " OR ".join(f"substr({column(one)}, 1, ?) = ?" for one in fields)
        return f"({condition})", (len(text), text) * len(fields)
