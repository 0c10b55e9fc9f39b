"""As whom Dynamics is provisioned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.workbench import CUSTOMIZING_S, worker
from shared.clients.dynamics.config import DynamicsConfig

OWN = DynamicsConfig("https://acme.example", "https://login.example/t", "own")
WAYS = [{"client_secret": "own-secret"}, {"client_certificate": "PEM"}, {"managed_identity": True}]


@pytest.mark.parametrize("way", WAYS)
def test_an_administrator_proves_itself_by_its_own_secret_and_nothing_of_the_bridges(way) -> None:
    expected = replace(OWN, client_id="admin", client_secret="admin-secret", timeout_s=CUSTOMIZING_S)
    assert worker(replace(OWN, **way), "admin", "admin-secret") == expected


@pytest.mark.parametrize("way", WAYS)
def test_without_one_the_bridges_own_user_works_with_more_patience(way) -> None:
    own = replace(OWN, **way)
    assert worker(own, None, None) == replace(own, timeout_s=CUSTOMIZING_S)
