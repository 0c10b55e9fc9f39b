"""Everything that can be set about the stand-in, with defaults that give a working instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.campaign.definitions import CustomResource
from sandbox.campaign.fields import FLAGS, PROFILE_FIELDS, Field, Kind
from sandbox.campaign.filters import CustomFilter
from sandbox.campaign.policies import POLICIES


@dataclass(frozen=True)
class ApiClient:
    """A technical account; its client id is also its API key. `provisioned` False answers 403023 to every call."""

    client_id: str
    client_secret: str
    name: str
    provisioned: bool = True


@dataclass(frozen=True)
class CustomField:
    """An extension field of the profile; Campaign prefixes the name of every extension with `cus`."""

    name: str
    kind: Kind = "string"
    length: int = 255
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.startswith("cus"):
            raise ValueError(f"an extension field's name begins with 'cus': {self.name!r}")
        if self.kind in ("object", "link", "collection"):
            raise ValueError(f"an extension field is a plain value, not a {self.kind}: {self.name!r}")

    def as_field(self) -> Field:
        """Return the field as the catalogue keeps it."""
        return Field(self.name, self.kind, self.length, values=self.values, extension=True)


@dataclass(frozen=True)
class SftpTarget:
    """Where exports go. `host_key` is the server's public key line (`ssh-ed25519 AAAA…`); nothing else is trusted."""

    host: str
    port: int
    user: str
    key_path: Path
    host_key: str
    folder: str = "d365_loads/exports"


@dataclass(frozen=True)
class ExportFormat:
    """The form of the opt-out file: field names as columns (dots reach into objects), delimiter, name prefix."""

    columns: tuple[str, ...] = ("externalId", *FLAGS, *(f"{flag}LastModified" for flag in FLAGS), "lastModified")
    delimiter: str = ";"
    prefix: str = "d365_optout"
    skip_empty: bool = True


@dataclass(frozen=True)
class JournalAddress:
    """The three path parts of an I/O Events journal."""

    consumer_org: str = "23294"
    integration: str = "54108"
    registration: str = "f89067f2-0d50-4bb2-bf78-209d0eacb6eb"


DEFAULT_CLIENTS = (
    ApiClient("sandbox-bridge-key", "sandbox-bridge-secret", "bridge"),
    ApiClient("sandbox-person-key", "sandbox-person-secret", "person"),
)
BY_EXTERNAL_ID = CustomFilter.labelled("ExternalId", externalId="externalId")


@dataclass(frozen=True)
class CampaignConfig:
    """One Campaign instance.

    `state` is the folder of its database; None keeps everything in memory. `custom_key` names the field by which the
    Ext endpoint finds a profile in the path, unique unless empty; None: the instance declares none.
    `custom_resources` replace those of the same name in the database; what else is defined there stays. `org` is the
    tenant in the path, `ims_org` the organisation in headers. `two_step` makes a person confirm privacy deletions;
    `privacy_every_s` runs one stage of the technical workflow that often, `export_every_s` the opt-out export.
    """

    host: str = "127.0.0.1"
    port: int = 0
    state: Path | None = None
    org: str = "acme"
    ims_org: str = "A1B2C3D4@AdobeOrg"
    clients: tuple[ApiClient, ...] = DEFAULT_CLIENTS
    token_lifetime_s: int = 86399
    custom_fields: tuple[CustomField, ...] = ()
    custom_key: str | None = "externalId"
    custom_filters: tuple[CustomFilter, ...] = (BY_EXTERNAL_ID,)
    custom_resources: tuple[CustomResource, ...] = ()
    data_policies: Mapping[str, str] = field(default_factory=lambda: {"email": "email", "lastName": "smartCase"})
    page_size: int = 25
    big_table_threshold: int = 100_000
    json_string_errors: bool = False
    namespaces: Mapping[str, str] = field(
        default_factory=lambda: {"d365ExternalId": "externalId", "defaultNamespace1": "email"}
    )
    two_step: bool = True
    privacy_every_s: float | None = None
    sftp: SftpTarget | None = None
    export: ExportFormat = ExportFormat()
    export_every_s: float | None = None
    journal: JournalAddress = JournalAddress()
    journal_retry_after_s: int = 10
    usage_agreement: bool = True
    services: tuple[str, ...] = ("SVC1",)

    def __post_init__(self) -> None:
        """Raise ValueError for a policy or a field that does not exist."""
        if unknown := sorted(set(self.data_policies.values()) - set(POLICIES)):
            raise ValueError(f"unknown data policy {', '.join(unknown)}; known are {', '.join(POLICIES)}")
        known = {one.name for one in PROFILE_FIELDS} | {one.name for one in self.custom_fields}
        filtered = {one for custom in self.custom_filters for one in custom.parameters.values()}
        named = {self.custom_key, *self.namespaces.values(), *filtered} - {None}
        if missing := sorted(str(one) for one in named - known):
            raise ValueError(f"no profile field {', '.join(missing)} for a key, a filter or a namespace")
