"""`python -m sandbox.dataverse`: run the stand-in alone until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from pathlib import Path

from sandbox.dataverse import DataverseConfig, start
from sandbox.tls import ensure_tls


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.dataverse", description=__doc__)
    parser.add_argument("--port", type=int, default=7443)
    parser.add_argument("--folder", type=Path, default=Path(".sandbox"), help="certificates and rows are kept here")
    parser.add_argument("--memory", action="store_true", help="keep no rows")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    tls = ensure_tls(arguments.folder / "tls")
    state = None if arguments.memory else arguments.folder / "dataverse.sqlite"
    dataverse = await start(DataverseConfig(tls=tls, port=arguments.port, state=state))
    print(f"Dataverse stand-in: {dataverse.url}/api/data/v9.2/")
    print(f"Trust it with SSL_CERT_FILE={tls.ca} and REQUESTS_CA_BUNDLE={tls.ca}")
    print(f"Faults, counts and jobs: {dataverse.url}/_sandbox/")
    for user in dataverse.org.config.users:
        print(f"Client {user.client_id} is {user.name}")
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await dataverse.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(_run(_arguments()))
