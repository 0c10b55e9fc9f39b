"""Settings are read whole or refused whole, every fault named at once and no value shown."""

from __future__ import annotations

import pytest

from shared import settings
from shared.settings import SettingsError

GOOD = {
    "DYNAMICS_URL": "https://acme.crm4.dynamics.com/",
    "DYNAMICS_AUTHORITY": "https://login.microsoftonline.com/tenant",
    "DYNAMICS_CLIENT_ID": "application",
    "DYNAMICS_CLIENT_SECRET": "canary-dynamics",
    "CAMPAIGN_URL": "https://mc.adobe.io/acme/campaign",
    "CAMPAIGN_TOKEN_URL": "https://ims-na1.adobelogin.com/ims/token/v3",
    "CAMPAIGN_CLIENT_ID": "project",
    "CAMPAIGN_CLIENT_SECRET": "canary-campaign",
    "CAMPAIGN_ORGANIZATION_ID": "0123@AdobeOrg",
    "CAMPAIGN_EVENTS_URL": "https://events.adobe.io/events/organizations/1/integrations/2/3",
    "WEBHOOK_SECRETS": "canary-webhook-new, canary-webhook-old",
    "OPTOUT_FILES_URL": "sftp://campaign@acme.campaign.adobe.com/d365_loads/exports",
    "OPTOUT_SFTP_KEY": "canary-key",
    "OPTOUT_SFTP_HOST_KEY": "acme ssh-ed25519 AAAA",
    "ServiceBus": "Endpoint=sb://acme;SharedAccessKeyName=n;SharedAccessKey=canary-bus",
    "Storage": "AccountName=acme;AccountKey=canary-storage",
}
TEXTS = sorted(GOOD.keys() - {"ServiceBus", "Storage", "DYNAMICS_CLIENT_SECRET", "CAMPAIGN_EVENTS_URL"})


def refusal(**changes: str) -> str:
    with pytest.raises(SettingsError) as refused:
        settings.read(GOOD | changes)
    assert refused.value.__cause__ is None
    return str(refused.value)


def test_good_settings_are_read() -> None:
    read = settings.read(GOOD | {"PATH": "somebody else's"})
    assert read.dynamics_url == "https://acme.crm4.dynamics.com"  # paths are added to it
    assert read.dynamics_client_secret is not None
    assert read.dynamics_client_secret.get_secret_value() == "canary-dynamics"
    assert read.service_bus is not None
    assert read.service_bus.get_secret_value() == GOOD["ServiceBus"]
    assert (read.timings().claim_s, read.timings().landing_bound_s) == (150, 90)
    assert read.mapping_file == "mapping.yaml"


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        settings.read({})
    text = str(refused.value)
    assert all(f"{name}: missing" in text for name in TEXTS)
    assert "CAMPAIGN_EVENTS_URL or EVENT_FILES_URL: missing" in text
    assert "ServiceBus or ServiceBus__fullyQualifiedNamespace: missing" in text
    assert "Storage or Storage__tableServiceUri: missing" in text
    assert "Storage or Storage__blobServiceUri: missing" in text
    proofs = "DYNAMICS_CLIENT_SECRET or DYNAMICS_CLIENT_CERTIFICATE or DYNAMICS_MANAGED_IDENTITY"
    assert f"{proofs}: missing" in text
    assert len(text.splitlines()) == 1 + len(TEXTS) + 5


@pytest.mark.parametrize("name", TEXTS)
def test_an_empty_value_is_a_missing_one(name: str) -> None:
    assert refusal(**{name: ""}).splitlines()[1:] == [f"  {name}: missing"]


@pytest.mark.parametrize(
    ("instead_of", "names"),
    [
        ("ServiceBus", {"ServiceBus__fullyQualifiedNamespace": "acme.servicebus.windows.net"}),
        (
            "Storage",
            {
                "Storage__tableServiceUri": "https://acme.table.core.windows.net",
                "Storage__blobServiceUri": "https://acme.blob.core.windows.net",
            },
        ),
    ],
)
def test_a_name_and_the_identity_do_instead_of_a_connection_string(instead_of: str, names: dict[str, str]) -> None:
    read = settings.read({key: text for key, text in GOOD.items() if key != instead_of} | names)
    given = {read.service_bus_namespace, read.storage_table_url, read.storage_blob_url}
    assert set(names.values()) <= given


@pytest.mark.parametrize(
    "name", [name for name in TEXTS if name.endswith(("_URL", "_AUTHORITY")) and "SFTP" not in name]
)
def test_an_address_must_be_one(name: str) -> None:
    assert f"{name}: Input should be a valid URL" in refusal(**{name: "not an address"})


def test_the_events_come_from_the_journal_or_from_log_files() -> None:
    logs = {"CAMPAIGN_EVENTS_URL": "", "EVENT_FILES_URL": "s3://acme/logs/"}
    assert settings.read(GOOD | logs).event_files_url == "s3://acme/logs"
    assert "give one of them" in refusal(EVENT_FILES_URL="s3://acme/logs")
    same = {"CAMPAIGN_EVENTS_URL": "", "EVENT_FILES_URL": GOOD["OPTOUT_FILES_URL"] + "/"}
    assert "a folder of their own" in refusal(**same)
    assert "EVENT_FILES_URL: String should match" in refusal(CAMPAIGN_EVENTS_URL="", EVENT_FILES_URL="ftp://acme/logs")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"CLAIM_SECONDS": "149"}, "a claim must last at least 150 s", id="C < 60 + D"),
        pytest.param({"LANDING_BOUND_SECONDS": "91"}, "a claim must last at least 151 s", id="D raised, C not"),
        pytest.param(
            {"LANDING_BOUND_SECONDS": "29"}, "the landing bound is shorter than the HTTP time-out", id="D < H"
        ),
        pytest.param({"HTTP_TIMEOUT_SECONDS": "0"}, "HTTP_TIMEOUT_SECONDS: Input should be greater than 0", id="zero"),
        pytest.param({"RETRY_MAX_AGE_DAYS": "-1"}, "RETRY_MAX_AGE_DAYS: Input should be greater than 0", id="negative"),
        pytest.param(
            {"EVENT_LIMIT_PER_RUN": "many"}, "EVENT_LIMIT_PER_RUN: Input should be a valid integer", id="text"
        ),
        pytest.param({"EVENT_LIMIT_PER_RUN": "1.5"}, "EVENT_LIMIT_PER_RUN: Input should be a valid integer", id="half"),
    ],
)
def test_a_bound_that_would_not_hold_is_refused(changes: dict[str, str], reason: str) -> None:
    assert reason in refusal(**changes)


@pytest.mark.parametrize(
    "name", ["CLAIM_SECONDS", "LANDING_BOUND_SECONDS", "HTTP_TIMEOUT_SECONDS", "RETRY_MAX_AGE_DAYS"]
)
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_time_is_a_finite_number(name: str, value: str) -> None:
    """Every comparison with NaN is false, so no bound would notice it; and no date is infinitely far away."""
    assert refusal(**{name: value})


def test_bounds_that_hold_exactly_are_taken() -> None:
    read = settings.read(GOOD | {"HTTP_TIMEOUT_SECONDS": "40", "LANDING_BOUND_SECONDS": "40", "CLAIM_SECONDS": "100"})
    assert read.timings().reserve_s == 40


def test_no_secret_is_ever_shown() -> None:
    read = settings.read(GOOD)
    shown = repr(read.dynamics_client_secret) + repr(read.campaign_client_secret) + repr(read.webhook_secrets)
    assert "canary" not in shown + repr(read.optout_sftp_key)
    wrong = GOOD | {"DYNAMICS_URL": "canary no url", "CLAIM_SECONDS": "canary", "CAMPAIGN_CLIENT_ID": ""}
    with pytest.raises(SettingsError) as refused:
        settings.read(wrong)
    assert "canary" not in str(refused.value)


def test_the_settings_as_a_whole_show_no_secret_either() -> None:
    """Whoever logs the settings by mistake: connection strings hold keys, too."""
    assert "canary" not in repr(settings.read(GOOD))


def test_one_or_two_webhook_keys_are_valid() -> None:
    assert settings.read(GOOD).webhook_keys() == ("canary-webhook-new", "canary-webhook-old")
    assert settings.read(GOOD | {"WEBHOOK_SECRETS": "only,"}).webhook_keys() == ("only",)


@pytest.mark.parametrize(
    "proof", [{"DYNAMICS_CLIENT_CERTIFICATE": "-----BEGIN"}, {"DYNAMICS_MANAGED_IDENTITY": "true"}]
)
def test_a_certificate_or_the_managed_identity_does_instead_of_a_secret(proof: dict[str, str]) -> None:
    read = settings.read({key: text for key, text in GOOD.items() if key != "DYNAMICS_CLIENT_SECRET"} | proof)
    assert read.dynamics_client_secret is None
    assert (read.dynamics_client_certificate, read.dynamics_managed_identity) != (None, None)


def test_a_managed_identity_is_said_in_one_way_only() -> None:
    assert "DYNAMICS_MANAGED_IDENTITY: Input should be 'true'" in refusal(DYNAMICS_MANAGED_IDENTITY="false")


def test_a_reference_that_the_platform_could_not_follow_is_no_secret() -> None:
    """The setting then holds the reference's own text, which would be sent to Campaign as the secret."""
    reference = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/campaign-client-secret)"
    assert "CAMPAIGN_CLIENT_SECRET: the vault's secret cannot be read" in refusal(CAMPAIGN_CLIENT_SECRET=reference)


def test_webhook_secrets_without_a_key_are_refused() -> None:
    """They would refuse Dataverse for ever, without anybody noticing."""
    assert "WEBHOOK_SECRETS" in refusal(WEBHOOK_SECRETS=" , ")


S3 = {"OPTOUT_FILES_URL": "s3://exports/d365", "OPTOUT_SFTP_KEY": "", "OPTOUT_SFTP_HOST_KEY": ""}


def test_only_an_sftp_folder_needs_sftp_keys() -> None:
    assert settings.read({**GOOD, **S3}).optout_files_url == "s3://exports/d365"


def test_the_form_of_the_files_is_read_from_the_settings() -> None:
    read = settings.read(
        {
            **GOOD,
            "OPTOUT_FILE_DELIMITER": "\\t",
            "OPTOUT_FILE_COLUMNS": "No e-mail = blackListEmail , a=b=blackList",
            "OPTOUT_FILE_TRUE": "Oui, YES",
            "OPTOUT_FILE_TIME_COLUMN": "changed",
            "OPTOUT_FILE_MARKER": ".done",
        }
    )
    form = read.export_form()
    assert form.delimiter == "\t"
    assert form.columns == {"No e-mail": "blackListEmail", "a=b": "blackList"}
    assert (sorted(form.true), sorted(form.false)) == (["oui", "yes"], ["0", "false", "no"])
    assert (form.time_column, form.time_format) == ("changed", "")
    assert (read.file_policy().marker, read.file_policy().late_hours) == (".done", 26)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"OPTOUT_FILE_DELIMITER": "||"}, "OPTOUT_FILE_DELIMITER: one character"),
        ({"OPTOUT_FILE_DELIMITER": '"'}, "OPTOUT_FILE_DELIMITER: one character"),
        ({"OPTOUT_FILE_ENCODING": "klingon"}, "OPTOUT_FILE_ENCODING: no encoding"),
        ({"OPTOUT_FILE_ENCODING": "base64"}, "OPTOUT_FILE_ENCODING: no encoding"),
        ({"OPTOUT_FILE_COLUMNS": "blackListEmail"}, "must look like HEADER=ATTRIBUTE"),
        ({"OPTOUT_FILE_TRUE": "yes,no"}, "have a word in common"),
        ({"OPTOUT_FILE_TIME_FORMAT": "%Y"}, "without OPTOUT_FILE_TIME_COLUMN"),
        ({"OPTOUT_FILES_URL": "exports"}, "OPTOUT_FILES_URL"),
    ],
)
def test_a_form_that_does_not_do_is_named(given: dict[str, str], problem: str) -> None:
    with pytest.raises(settings.SettingsError, match=problem):
        settings.read({**GOOD, **given})
