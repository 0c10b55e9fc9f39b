"""`python -m sandbox.campaign`: the stand-in with the example resources and an SFTP server, until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from pathlib import Path

from sandbox import sftp
from sandbox.campaign import EXAMPLE_RESOURCES, CampaignConfig, SftpTarget, start


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.campaign", description=__doc__)
    parser.add_argument("--port", type=int, default=7081, help="HTTP port (default %(default)s)")
    parser.add_argument("--sftp-port", type=int, default=7022, help="SFTP port (default %(default)s)")
    parser.add_argument("--state", type=Path, default=Path(".sandbox"), help="folder for data and keys")
    parser.add_argument("--one-step", action="store_true", help="privacy deletions need no confirmation")
    parser.add_argument("--privacy-every", type=float, default=5.0, help="seconds between workflow stages")
    return parser.parse_args()


async def serve(arguments: argparse.Namespace) -> None:
    """Run both servers until the process is interrupted or terminated."""
    keys = sftp.ensure_keys(arguments.state / "sftp-keys")
    files = await sftp.start(
        arguments.state / "sftp",
        port=arguments.sftp_port,
        authorized_keys=keys.authorized_keys,
        host_key=keys.host_key,
    )
    campaign = await start(
        CampaignConfig(
            port=arguments.port,
            state=arguments.state / "campaign",
            custom_resources=EXAMPLE_RESOURCES,
            two_step=not arguments.one_step,
            privacy_every_s=arguments.privacy_every,
            sftp=SftpTarget("127.0.0.1", files.port, files.user, keys.client_key, keys.host_key_line),
        )
    )
    print(f"Campaign on {campaign.url}/{campaign.config.org}/campaign, SFTP on port {files.port}", flush=True)
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    await interrupted.wait()
    await campaign.stop()
    await files.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(serve(_arguments()))
