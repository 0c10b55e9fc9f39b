"""Dynamics gets what the bridge needs by the operator's own command, run by the stand-in's administrator."""

from __future__ import annotations

import asyncio
import sys

from sandbox.addresses import ROOT
from sandbox.dataverse import ADMIN
from sandbox.world import World


class ProvisioningFailedError(RuntimeError):
    """The command did not succeed; the text is what it said."""


async def provision(world: World, *words: str) -> str:
    """`bridge provision dynamics`, with more words if given; what it said. Raises ProvisioningFailedError."""
    return await administer(world, "dynamics", *words)


async def administer(world: World, *words: str) -> str:
    """`bridge provision`, as the administrator. Raises ProvisioningFailedError."""
    admin = ("--admin-client-id", ADMIN.client_id, "--admin-client-secret", ADMIN.secret)
    settings = ("--settings", str(world.host.settings_file))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "provision", *words, *admin, *settings),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    if process.returncode:
        raise ProvisioningFailedError(text)
    return text
