"""Profiles and privacy requests on the wire: functions over data, and the only home of Campaign's own words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from shared.clients.calls import Request, Response
from shared.clients.campaign.config import REASONS, SYSTEM, CampaignConfig
from shared.clients.campaign.wire_errors import is_duplicate, is_unknown_key, refused
from shared.clients.outcomes import json_object
from shared.domain.contact import OLDEST, Flag, Profile, Value
from shared.domain.ledger import Progress
from shared.domain.mapping import Privacy
from shared.errors import Halt, Reason, Retry

KEY_FIELD = "externalId"
OPT_OUT_ATTRIBUTES = (
    "blackList",
    "blackListEmail",
    "blackListFax",
    "blackListMobile",
    "blackListPhone",
    "blackListPostalMail",
    "blackListPushnotification",
    "ccpaOptOut",
)
PRIVACY_FIELDS = ("name", "namespaceName", "reconciliationValue", "regulation", "label", "type")
_ENDED = ("complete", "errordatanotfound")
_PRIVACY_PAGE_ROWS = 200


def headers(config: CampaignConfig) -> dict[str, str]:
    """What every call carries besides its token."""
    return {"X-Api-Key": config.client_id, "Content-Type": "application/json", "Cache-Control": "no-cache"}


def profile_request(config: CampaignConfig, contact_id: str) -> Request:
    """Address the profile by its custom key, which the operator declared to be externalId."""
    return Request(SYSTEM, "profile", "GET", _profile_url(config, contact_id), headers(config), repeatable=True)


def read_profile(response: Response, contact_id: str) -> Profile | None:
    """None: no such profile. Raises Outcome; Halt where the address led to a profile with another externalId."""
    if is_unknown_key(response):
        return None
    if response.status != 200:
        raise refused(response, write=False)
    document = json_object(response, REASONS)
    if str(document.get(KEY_FIELD, "")).lower() != contact_id.lower():
        raise Halt(Reason.CAMPAIGN_MISCONFIGURED, f"the custom key of profiles is not {KEY_FIELD}")
    return profile_of(document)


def profile_of(document: Mapping[str, Any]) -> Profile:
    """A profile as a read or a list shows it. Raises Retry where it is not readable."""
    handle = document.get("PKey")
    if not isinstance(handle, str) or not handle:
        raise _unreadable("PKey")
    return Profile(handle, dict(flat(document)), _opt_outs(document))


def create_request(
    config: CampaignConfig, contact_id: str, fields: Mapping[str, Value], opted_out: Iterable[str]
) -> Request:
    """Empty fields are left out: a new profile has none, and not every type accepts an empty text."""
    document = nested({name: value for name, value in fields.items() if value is not None})
    document |= dict.fromkeys(sorted(opted_out), True) | {KEY_FIELD: contact_id}
    url = f"{config.url}/profileAndServicesExt/profile"
    return Request(SYSTEM, "profile", "POST", url, headers(config), body(document))


def read_created(response: Response, names: Iterable[str]) -> bool:
    """False: the externalId is taken. Raises Outcome."""
    if response.status in (200, 201):
        return True
    if is_duplicate(response):
        return False
    raise refused(response, names, write=True)


def update_request(config: CampaignConfig, key: str, fields: Mapping[str, Value]) -> Request:
    """`key`: a handle or a contact's id. An empty field is sent as an empty text."""
    document = nested({name: "" if value is None else value for name, value in fields.items()})
    return Request(SYSTEM, "profile", "PATCH", _profile_url(config, key), headers(config), body(document))


def delete_request(config: CampaignConfig, handle: str) -> Request:
    """Of the profile itself: Campaign keeps what it logged of the person."""
    return Request(SYSTEM, "profile", "DELETE", _profile_url(config, handle), headers(config))


def flags_request(config: CampaignConfig, handle: str, attributes: Mapping[str, bool]) -> Request:
    """Opt-outs; TRUE is opted out."""
    return update_request(config, handle, dict(sorted(attributes.items())))


def read_updated(response: Response, names: Iterable[str]) -> bool:
    """False: no such profile. Raises Outcome."""
    if response.status in (200, 204):
        return True
    if is_unknown_key(response):
        return False
    raise refused(response, names, write=True)


def privacy_request(config: CampaignConfig, contact_id: str, name: str, privacy: Privacy) -> Request:
    """A deletion of all data of the person. The label is for Campaign's screen and holds ids only."""
    document = {
        "name": name,
        "namespaceName": privacy.namespace_name,
        "reconciliationValue": contact_id,
        "regulation": privacy.regulation,
        "label": f"Delete contact {contact_id}",
        "type": "delete",
    }
    return Request(SYSTEM, "privacy", "POST", f"{config.url}/privacy/privacyTool", headers(config), body(document))


def read_privacy_requested(response: Response) -> None:
    """A request of that name that exists already is as good. Raises Outcome; Halt for an unknown namespace."""
    if response.status in (200, 201) or is_duplicate(response):
        return
    if is_unknown_key(response):
        raise Halt(Reason.CAMPAIGN_MISCONFIGURED, "status 404: Campaign does not know the privacy namespace")
    raise refused(response, PRIVACY_FIELDS, write=True)


@dataclass(frozen=True)
class PrivacyPage:
    """Campaign's own word for every request, by name, and the address of the next page."""

    statuses: Mapping[str, str]
    next_url: str | None

    @property
    def progress(self) -> Mapping[str, Progress]:
        """What the words mean, by request name."""
        return {name: progress_of(status) for name, status in self.statuses.items()}


def privacy_list_request(config: CampaignConfig, url: str | None = None) -> Request:
    """`url`: a page's `next_url`; None: the first page. Without forced pagination a big table's list just stops."""
    first = f"{config.url}/privacy/privacyTool?_lineCount={_PRIVACY_PAGE_ROWS}&_forcePagination=true"
    return Request(SYSTEM, "privacy", "GET", url or first, headers(config), repeatable=True)


def read_privacy_page(response: Response, config: CampaignConfig) -> PrivacyPage:
    """Raises Outcome."""
    document = read_list(response)
    statuses = {str(item.get("name")): str(item.get("status") or "") for item in document["content"]}
    return PrivacyPage(statuses, link(document, "next", config))


def progress_of(status: str) -> Progress:
    """Only the two known ends count as an end: a status that is not known is taken for running."""
    return Progress.ENDED if status.lower() in _ENDED else Progress.RUNNING


def read_list(response: Response) -> Mapping[str, Any]:
    """One page of any list, as it came; its `content` is a list of objects. Raises Outcome."""
    if response.status != 200:
        raise refused(response, write=False)
    document = json_object(response, REASONS)
    items = document.get("content")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _unreadable("content")
    return document


def ping_request(config: CampaignConfig) -> Request:
    """A read that every technical account may do: the description of profiles."""
    url = f"{config.url}/profileAndServices/resourceType/profile"
    return Request(SYSTEM, "metadata", "GET", url, headers(config), repeatable=True)


def read_ping(response: Response) -> None:
    """Raises Outcome unless the answer is a description."""
    if response.status != 200:
        raise refused(response, write=False)
    json_object(response, REASONS)


def nested(fields: Mapping[str, Value]) -> dict[str, Any]:
    """`location.city` becomes {"location": {"city": …}}. Raises ValueError where a name is a value and an object."""
    document: dict[str, Any] = {}
    objects: set[str] = set()
    for name, value in fields.items():
        *path, leaf = name.split(".")
        objects |= {".".join(path[:depth]) for depth in range(1, len(path) + 1)}
        if clash := objects & fields.keys():
            raise ValueError(f"mapped as a value and as an object: {', '.join(sorted(clash))}")
        place = document
        for part in path:
            place = place.setdefault(part, {})
        place[leaf] = value
    return document


def flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Value]]:
    """The inverse of `nested`; an empty text is no value. Lists are not fields."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif not isinstance(value, list):
            yield f"{prefix}{name}", None if value == "" else value


def _opt_outs(document: Mapping[str, Any]) -> dict[str, Flag]:
    return {
        name: Flag(_boolean(document[name], name), moment_of(document, f"{name}LastModified"))
        for name in OPT_OUT_ATTRIBUTES
        if name in document
    }


def _boolean(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise _unreadable(name)
    return value


def moment_of(document: Mapping[str, Any], name: str) -> datetime:
    """A time as Campaign shows it; an empty one is the oldest. Raises Retry where it is not readable."""
    text = document.get(name)
    if text in (None, ""):
        return OLDEST
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise _unreadable(name) from None
    if moment.tzinfo is None:
        raise _unreadable(name)
    return moment


def link(document: Mapping[str, Any], name: Literal["next", "count"], config: CampaignConfig) -> str | None:
    """A list's address for its next page or its count; None: it names none.

    Never built, always followed; but not to another host, for the token travels with it. Raises Halt.
    """
    node = document.get(name)
    if not node:
        return None
    url = str(node.get("href", "")) if isinstance(node, dict) else ""
    if urlsplit(url)[:2] != urlsplit(config.url)[:2]:
        raise Halt(Reason.CAMPAIGN_MISCONFIGURED, f"a list's {name} address is on another host than CAMPAIGN_URL")
    return url


def _profile_url(config: CampaignConfig, key: str) -> str:
    return f"{config.url}/profileAndServicesExt/profile/{quote(key, safe='')}"


def body(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def _unreadable(name: str) -> Retry:
    return Retry(REASONS.unreachable, f"status 200, but the answer's {name} is not readable")
