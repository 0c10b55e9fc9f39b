"""What `bridge mapping` works with: the versions in blob storage, both systems' metadata, and some real rows."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from azure.identity.aio import DefaultAzureCredential

from shared import mapping_file
from shared.app import ROOT
from shared.clients.campaign.auth import ImsTokens
from shared.clients.campaign.metadata import ResourceMetadata, is_extension
from shared.clients.dynamics.identity import tokens_of
from shared.clients.dynamics.metadata import TableMetadata
from shared.clients.dynamics.sample import SampleRows
from shared.clients.http import Http
from shared.connections import campaign_config, dynamics_config
from shared.domain.mapping import Mapping, Mappings
from shared.domain.metadata import Described
from shared.mapping_file import MappingError
from shared.settings import Settings, SettingsError
from shared.stores.clock import SystemClock
from shared.stores.mapping_entry import Applied
from shared.stores.mappings import BlobMappings, blob_service


@dataclass(frozen=True)
class InForce:
    """The mapping in force. `applied` None: the file that the app was deployed with.

    `mappings` None: its text does not parse, because somebody put it into the store by hand.
    """

    text: str
    mappings: Mappings | None
    applied: Applied | None

    @property
    def version(self) -> str:
        """The hash of its text."""
        return mapping_file.version(self.text)

    @property
    def name(self) -> str:
        """As a person calls it."""
        return f"version {self.applied.number}" if self.applied else "the mapping shipped with the app"


@dataclass(frozen=True)
class Workbench:
    """`operator`: who is at work, for the history."""

    store: BlobMappings
    tables: TableMetadata
    resources: ResourceMetadata
    sample: SampleRows
    shipped_file: str
    operator: str

    async def in_force(self) -> InForce:
        """Raises Retry, UnreadableEntryError, and MappingError for a shipped file that does not do."""
        applied = await self.store.current()
        if applied is None:
            text = shipped(self.shipped_file)
            return InForce(text, mapping_file.read(text), None)
        try:
            return InForce(applied.draft.text, applied.mappings(), applied)
        except MappingError:
            return InForce(applied.draft.text, None, applied)

    async def metadata(self, mapping: Mapping) -> Described:
        """What both systems say of the table pair; one or two engine calls. Raises Outcome."""
        table = await self.tables.table(mapping.table)
        if mapping.resource is not None:
            return Described(table, await self.resources.custom(mapping.resource))
        extended = any(is_extension(row.target) for row in mapping.field_rows)
        return Described(table, await self.resources.resource("profile", extended=extended))


def shipped(name: str) -> str:
    """The text of MAPPING_FILE. Raises MappingError."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"MAPPING_FILE {name} cannot be read: {type(error).__name__}") from None


@asynccontextmanager
async def open_workbench(settings: Settings) -> AsyncIterator[Workbench]:
    """Nothing is connected before it is used; everything is closed at the end. Raises SettingsError."""
    now = SystemClock().now
    dynamics, campaign = dynamics_config(settings), campaign_config(settings)
    async with AsyncExitStack() as stack:
        credential = DefaultAzureCredential(managed_identity_client_id=settings.identity_client_id)
        stack.push_async_callback(credential.close)
        storage = None if settings.storage is None else settings.storage.get_secret_value()
        try:
            blobs = await stack.enter_async_context(blob_service(storage, settings.storage_blob_url, credential))
        except ValueError as error:
            raise SettingsError(f"Storage: {error}") from None
        http, entra = Http(), tokens_of(dynamics)
        stack.push_async_callback(http.close)
        stack.push_async_callback(entra.close)
        yield Workbench(
            store=BlobMappings(blobs, now),
            tables=TableMetadata(dynamics, http, entra, now),
            resources=ResourceMetadata(campaign, http, ImsTokens(campaign, http, now), now),
            sample=SampleRows(dynamics, http, entra, now),
            shipped_file=settings.mapping_file,
            operator=getpass.getuser(),
        )
