"""The guides for Azure name every parameter, resource and secret of the template."""

from __future__ import annotations

import re

import pytest

from tests.architecture.declared import ROOT
from tests.infra.bicep import bicep, files

DEPLOY, COSTS, ROTATION, RESIDENCY = (
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("deploy", "costs", "rotation", "data_residency")
)
MAIN = bicep("main.bicep")
SECRETS = sorted(set(re.findall(r"\$\{secrets\}/([a-z-]+)\)", MAIN.text)))
TYPES = sorted({resource.type for file in files() for resource in file.resources})


@pytest.mark.parametrize("name", MAIN.parameters)
def test_every_parameter_is_explained(name: str) -> None:
    assert f"`{name}`" in DEPLOY


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_has_its_way_in_and_its_renewal(name: str) -> None:
    assert name in DEPLOY
    assert f"| `{name}` |" in ROTATION


@pytest.mark.parametrize("kind", TYPES)
def test_every_resource_has_its_cost(kind: str) -> None:
    """By its own name, or its parent's where it costs nothing by itself."""
    provider, *parts = kind.split("/")
    assert provider in COSTS
    assert any(part in COSTS for part in parts)


def test_every_output_that_a_person_needs_is_named() -> None:
    assert all(name in DEPLOY for name in ("WEBHOOK_URL", "DYNAMICS_APPLICATION_ID", "OUTBOUND_ADDRESS", "KEY_VAULT"))
    assert all(name in MAIN.outputs for name in re.findall(r"`([A-Z_]{9,})`", DEPLOY.partition("## 3.")[0][-400:]))


def test_what_is_stored_is_told_container_by_container() -> None:
    containers = [
        resource.body["name"]
        for resource in bicep("modules/data_storage.bicep").resources
        if resource.type.endswith("/containers")
    ]
    assert all(f"container `{name}`" in RESIDENCY for name in containers)


@pytest.mark.parametrize("name", ["deploy", "operations", "rotation", "data_residency", "costs", "security", "cli"])
def test_links_between_guides_lead_somewhere(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (ROOT / "docs" / target).resolve().exists(), target
