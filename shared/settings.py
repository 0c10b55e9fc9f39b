"""Every setting, read once; all that are missing or wrong are named together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AnyUrl,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from shared import settings_optout_file
from shared.domain.ledger import Timings
from shared.settings_optout_file import OptOutFileSettings

# The app's own settings are upper case; `ServiceBus` and `Storage` follow the Functions host's connection names.
NonEmpty = Annotated[str, Field(min_length=1)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Url = Annotated[str, BeforeValidator(lambda value: str(AnyUrl(value)).rstrip("/"))]


# Of each group one is needed: a secret or a connection string, or a name that the managed identity uses.
ALTERNATIVES: tuple[tuple[str, ...], ...] = (
    ("dynamics_client_secret", "dynamics_client_certificate", "dynamics_managed_identity"),
    ("campaign_events_url", "event_files_url"),
    ("service_bus", "service_bus_namespace"),
    ("storage", "storage_table_url"),
    ("storage", "storage_blob_url"),
)


# What a setting holds when the platform could not read the vault.
REFERENCE = "@Microsoft.KeyVault("
UNRESOLVED = "the vault's secret cannot be read: does it exist, and may the app's identity read it?"


class SettingsError(ValueError):
    """The settings do not do. The text names every one that is missing or wrong, and no value."""


class Settings(OptOutFileSettings):
    """One field a setting; the description is its documentation (docs/settings.md is checked against it)."""

    dynamics_url: Url = Field(description="The environment, e.g. https://acme.crm4.dynamics.com")
    dynamics_authority: Url = Field(description="The token authority, https://login.microsoftonline.com/TENANT")
    dynamics_client_id: NonEmpty = Field(description="The client id of the application user.")
    dynamics_client_secret: SecretStr | None = Field(None, description="Its secret.")
    dynamics_client_certificate: SecretStr | None = Field(
        None, description="Its certificate with the private key (PEM), or the path of its file."
    )
    dynamics_managed_identity: Literal["true"] | None = Field(
        None, description="`true`: DYNAMICS_CLIENT_ID is a managed identity's, which needs neither of both."
    )
    campaign_url: Url = Field(description="https://mc.adobe.io/ORGANISATION/campaign")
    campaign_token_url: Url = Field(description="https://ims-na1.adobelogin.com/ims/token/v3")
    campaign_client_id: NonEmpty = Field(description="The Developer Console project's client id; also its API key.")
    campaign_client_secret: Secret = Field(description="Its secret.")
    campaign_scopes: NonEmpty = Field(
        "openid,AdobeID,read_organizations,additional_info.projectedProductContext,campaign_sdk,event_receiver_api",
        description="Comma-separated scopes asked for with the token.",
    )
    campaign_organization_id: NonEmpty = Field(description="The IMS organisation, …@AdobeOrg.")
    campaign_events_url: Url | None = Field(None, description="The I/O Events journal of the e-mail events.")
    webhook_secrets: Secret = Field(description="One or two shared secrets of the Dataverse webhook, comma-separated.")
    optout_poll: bool = Field(False, description="Whether Campaign is asked for changed opt-outs between two files.")
    mapping_file: NonEmpty = Field("mapping.yaml", description="The mapping; relative to the app's folder.")
    timeline_file: NonEmpty = Field(
        "timeline.yaml", description="What the timeline shows, where, and which tasks follow; as MAPPING_FILE."
    )
    webhook_url: Url | None = Field(None, description="Where Dataverse calls the webhook; `bridge provision` needs it.")
    service_bus: SecretStr | None = Field(None, alias="ServiceBus", description="The broker by connection string.")
    service_bus_namespace: str | None = Field(
        None, alias="ServiceBus__fullyQualifiedNamespace", description="The broker by name, with the managed identity."
    )
    storage: SecretStr | None = Field(None, alias="Storage", description="The tables by connection string.")
    storage_table_url: str | None = Field(
        None, alias="Storage__tableServiceUri", description="The tables by address, with the managed identity."
    )
    storage_blob_url: str | None = Field(
        None, alias="Storage__blobServiceUri", description="The blobs by address, with the managed identity."
    )
    identity_client_id: str | None = Field(
        None, alias="AZURE_CLIENT_ID", description="The user-assigned identity's client id, if not the system's."
    )
    http_timeout_seconds: float = Field(30, gt=0, description="H: total time of one call to Dynamics or Campaign.")
    landing_bound_seconds: float = Field(90, gt=0, description="D: a timed-out write has landed after this time.")
    work_budget_seconds: float = Field(
        60, gt=0, description="How long the work on one record may take before it sends."
    )
    claim_seconds: float = Field(150, gt=0, description="C: how long a claim lasts; at least the work budget + D.")
    check_after_seconds: float = Field(600, gt=0, description="When an uncertain record is verified on its own.")
    retry_max_age_days: float = Field(7, gt=0, description="A message retried for longer is parked.")
    parent_max_wait_hours: float = Field(
        24, gt=0, description="A record of a custom table that waits longer for its parent is parked."
    )
    event_max_age_days: float = Field(2, gt=0, description="An event whose contact does not appear is dropped.")
    dynamics_max_in_flight: int = Field(
        32, ge=1, le=48, description="Most calls to Dynamics at once, for each process; it starts with 4 and climbs."
    )
    campaign_max_in_flight: int = Field(
        16, ge=1, le=48, description="Most calls to Campaign at once, for each process; it starts with 4 and climbs."
    )
    campaign_calls_per_day: int = Field(
        0, ge=0, description="Engine calls to Campaign a UTC day, all processes together; 0: no budget."
    )
    event_limit_per_run: int = Field(10_000, gt=0, description="E-mail events read in one run of event_egress.")
    event_files_url: Url | None = Field(
        None,
        pattern="^(sftp|s3|https?)://",
        description="Instead of the journal: the folder into which Campaign exports its logs; as OPTOUT_FILES_URL.",
    )
    event_files_settle_seconds: float = Field(
        300, ge=0, description="A log file is complete when its size and time rest this long."
    )
    event_sftp_key: SecretStr | None = Field(
        None, description="SFTP: the private key for the log files, if not OPTOUT_SFTP_KEY."
    )
    event_sftp_host_key: str | None = Field(
        None, description="SFTP: their server's public key, if not OPTOUT_SFTP_HOST_KEY."
    )
    event_run_seconds: float = Field(180, gt=0, description="How long one run of event_egress goes on reading.")

    sweep_run_seconds: float = Field(
        150, gt=0, le=210, description="How long one run of change_sweep begins new pages; well under functionTimeout."
    )
    sweep_limit_per_run: int = Field(
        10_000, gt=0, description="A run of change_sweep that has sent so many hints begins no new page."
    )
    sweep_grace_seconds: float = Field(
        60, ge=0, description="A change that is younger is hinted by the sweep only after this time."
    )
    sweep_stale_hours: float = Field(
        48, gt=0, description="A change-tracking token that is older raises an alarm, and fails `bridge doctor`."
    )

    @model_validator(mode="after")
    def _bounds(self) -> Settings:
        self.timings()
        return self

    @model_validator(mode="after")
    def _one_source_of_events(self) -> Settings:
        """Journal and logs name one event by two ids, so both together would show it twice."""
        if self.campaign_events_url and self.event_files_url:
            raise ValueError("CAMPAIGN_EVENTS_URL and EVENT_FILES_URL: give one of them, as both hold the same events")
        if self.event_files_url and self.event_files_url == self.optout_files_url:
            raise ValueError("EVENT_FILES_URL: the log files need a folder of their own, not that of the opt-outs")
        return self

    @field_validator("webhook_secrets")
    @classmethod
    def _not_only_commas(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().replace(",", "").strip():
            raise ValueError("no secret in it")
        return value

    def timings(self) -> Timings:
        """Raises ValueError where the protocol's bounds would not hold."""
        return Timings(
            http_timeout_s=self.http_timeout_seconds,
            landing_bound_s=self.landing_bound_seconds,
            work_budget_s=self.work_budget_seconds,
            check_after_s=self.check_after_seconds,
            claim_s=self.claim_seconds,
        )

    def webhook_keys(self) -> tuple[str, ...]:
        """The secrets that are valid now: one, or two during a rotation."""
        return tuple(key.strip() for key in self.webhook_secrets.get_secret_value().split(",") if key.strip())


def read(environment: Mapping[str, str]) -> Settings:
    """Raises SettingsError."""
    given = {field: environment[name] for field in Settings.model_fields if environment.get(name := _name(field))}
    problems = [f"{' or '.join(map(_name, group))}: missing" for group in ALTERNATIVES if not given.keys() & group]
    problems += [f"{_name(field)}: missing" for field in settings_optout_file.lacking(given)]
    problems += [f"{_name(field)}: {UNRESOLVED}" for field, text in given.items() if text.startswith(REFERENCE)]
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        problems += map(_explain, error.errors())
    if problems:
        raise SettingsError(
            "The settings do not do (docs/settings.md explains each):\n  " + "\n  ".join(sorted(problems))
        )
    return settings


def _name(field: str) -> str:
    return Settings.model_fields[field].alias or field.upper()


def _explain(problem: ErrorDetails) -> str:
    what = "missing" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ")
    return f"{_name(str(problem['loc'][0]))}: {what}" if problem["loc"] else what
