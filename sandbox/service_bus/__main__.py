"""Runs the Service Bus stand-in by itself: `python -m sandbox.service_bus --port 5673 --store FILE --queues FILE`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sqlite3
import sys
from pathlib import Path

from sandbox.service_bus.broker import start
from sandbox.service_bus.settings import queues_from_json


def main() -> int:
    """Exit code 0 after a signal, 2 if the broker cannot start."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(_serve(options))
    except (OSError, ValueError, sqlite3.Error) as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return 2
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.service_bus", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=5673, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--store", type=Path, help="SQLite file that keeps the messages (default: memory)")
    parser.add_argument("--queues", type=Path, required=True, help="JSON file that lists the queues")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    """Prints the connection string once the port is open, and stops on SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    queues = queues_from_json(options.queues)
    broker = await start(queues, host=options.host, port=options.port, store=options.store)
    print(broker.connection_string, flush=True)
    await stopped.wait()
    await broker.stop()


if __name__ == "__main__":
    sys.exit(main())
