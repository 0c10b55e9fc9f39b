"""How a workflow of Campaign puts a file on the SFTP server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from sandbox.campaign.config import SftpTarget


class ExportImpossible(Exception):
    """The export cannot run; the text says why."""


class Upload:
    """Files into the target's folder, which is made if it is missing. Methods raise ExportImpossible."""

    def __init__(self, target: SftpTarget | None) -> None:
        self._target = target

    async def write_in_place(self, name: str, content: bytes) -> None:
        """Under its own name from the first byte."""
        async with self._folder() as (sftp, folder), sftp.open(f"{folder}/{name}", "wb") as file:
            await file.write(content)

    async def write_and_rename(self, name: str, content: bytes) -> None:
        """So that no reader meets half a file."""
        async with self._folder() as (sftp, folder):
            temporary = f"{folder}/{name}.part"
            async with sftp.open(temporary, "wb") as file:
                await file.write(content)
            await sftp.rename(temporary, f"{folder}/{name}")

    @asynccontextmanager
    async def _folder(self) -> AsyncIterator[tuple[asyncssh.SFTPClient, str]]:
        target = self._target
        if target is None:
            raise ExportImpossible("no SFTP target is configured")
        trusted = asyncssh.import_known_hosts(f"[{target.host}]:{target.port} {target.host_key}")
        try:
            async with (
                asyncssh.connect(
                    target.host,
                    target.port,
                    username=target.user,
                    client_keys=[str(target.key_path)],
                    known_hosts=trusted,
                    config=None,
                    agent_path=None,
                ) as connection,
                connection.start_sftp_client() as sftp,
            ):
                await sftp.makedirs(target.folder, exist_ok=True)
                yield sftp, target.folder
        except (OSError, asyncssh.Error) as error:
            raise ExportImpossible(f"the upload to {target.host}:{target.port} failed: {error}") from error
