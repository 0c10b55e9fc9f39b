"""Which settings there are and which are set."""

from __future__ import annotations

from dataclasses import fields

import pytest

from cli.setting_list import Setting, listed
from shared.settings import Settings, SettingsError, read
from tests.unit.cli.samples import VALUES


def by_name(environment: dict[str, str]) -> dict[str, Setting]:
    return {setting.name: setting for setting in listed(environment)}


def missing(environment: dict[str, str]) -> set[str]:
    return {name for name, setting in by_name(environment).items() if setting.missing}


def test_every_setting_is_listed_with_its_words():
    found = listed({})
    assert len(found) == len(Settings.model_fields)
    assert all(setting.description for setting in found)


@pytest.mark.parametrize("name", ["DYNAMICS_URL", "WEBHOOK_SECRETS"])
def test_missing_is_what_the_settings_themselves_miss(name):
    environment = {key: value for key, value in VALUES.items() if key != name}
    assert missing(environment) == {name}
    with pytest.raises(SettingsError, match=name):
        read(environment)


def test_nothing_is_missing_from_complete_settings():
    assert missing(VALUES) == set()
    assert read(VALUES).dynamics_url == VALUES["DYNAMICS_URL"]


def test_one_of_a_pair_is_enough():
    environment = {key: value for key, value in VALUES.items() if key != "ServiceBus"}
    assert missing(environment) == {"ServiceBus", "ServiceBus__fullyQualifiedNamespace"}
    assert missing(environment | {"ServiceBus__fullyQualifiedNamespace": "acme.servicebus.windows.net"}) == set()


def test_an_empty_text_is_not_set():
    assert by_name(VALUES | {"DYNAMICS_URL": ""})["DYNAMICS_URL"].missing


def test_secrets_are_marked_and_no_value_is_kept():
    found = by_name(VALUES)
    assert {name for name, setting in found.items() if setting.secret} == {
        "DYNAMICS_CLIENT_SECRET",
        "DYNAMICS_CLIENT_CERTIFICATE",
        "CAMPAIGN_CLIENT_SECRET",
        "WEBHOOK_SECRETS",
        "OPTOUT_SFTP_KEY",
        "OPTOUT_S3_SECRET",
        "OPTOUT_BLOB_CONNECTION",
        "EVENT_SFTP_KEY",
        "ServiceBus",
        "Storage",
    }
    assert "value" not in {field.name for field in fields(Setting)}
    assert not any(value in repr(list(found.values())) for name, value in VALUES.items() if "SECRET" in name)


def test_defaults_are_told():
    found = by_name({})
    assert (found["MAPPING_FILE"].default, found["MAPPING_FILE"].needed) == ("mapping.yaml", False)
    assert found["DYNAMICS_URL"].default is None
