"""`python -m sandbox.host`: arguments, signals, reloading and exit codes."""

from __future__ import annotations

import argparse
import asyncio
import enum
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sandbox.host.context import InvocationMark
from sandbox.host.errors import ConfigurationRefusedError, HostFileError
from sandbox.host.functions import HttpTrigger, QueueTrigger, Trigger
from sandbox.host.host import Host
from sandbox.host.metrics import collect
from sandbox.host.settings import read_settings_file
from sandbox.host.startup import start
from sandbox.host.watching import Watch

_log = logging.getLogger(__name__)
EXIT_REFUSED = 2


class _Next(enum.Enum):
    STOP = "stop"
    RELOAD = "reload"


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; SIGHUP, and with --watch any change of the app, reloads in a fresh process image.

    Returns 0 after a stop and 2 when the app, host.json or a setting was refused (one message on standard error).
    """
    options = _parser().parse_args(argv)
    original = dict(os.environ)
    _log_to_stderr(options.verbose)
    collect()
    if options.end_with_stdin:
        threading.Thread(target=_stop_after_stdin, daemon=True).start()
    try:
        chosen = asyncio.run(_run(options, original))
    except ConfigurationRefusedError as error:
        print(f"refused: {error}", file=sys.stderr)
        return EXIT_REFUSED
    if chosen is _Next.RELOAD:
        _new_image(original)
    return 0


def _stop_after_stdin() -> None:
    """A parent that was killed cannot say so, but its end of the pipe closes."""
    while os.read(sys.stdin.fileno(), 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.host", description=main.__doc__)
    parser.add_argument("--app", type=Path, default=Path(), help="folder with function_app.py and host.json")
    parser.add_argument("--settings", type=Path, help="file shaped like local.settings.json; wins over the environment")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting that wins over the file"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (the admin API asks for no key)")
    parser.add_argument("--port", type=int, default=7071)
    parser.add_argument("--state", type=Path, help="folder that remembers timers; without it no run counts as missed")
    parser.add_argument("--function-key", help="ask for this key above anonymous level; by default none is asked for")
    parser.add_argument(
        "--drain", type=float, default=10.0, metavar="SECONDS", help="patience with calls when stopping"
    )
    parser.add_argument(
        "--kill-on-timeout", action="store_true", help="restart the process on functionTimeout, as Azure"
    )
    parser.add_argument("--watch", action="store_true", help="reload when the app or the settings file changes")
    parser.add_argument(
        "--end-with-stdin", action="store_true", help="stop when standard input ends: when the parent is gone"
    )
    parser.add_argument("--verbose", action="store_true", help="log at DEBUG level")
    return parser


async def _run(options: argparse.Namespace, original: Mapping[str, str]) -> _Next:
    signalled = _on_signals()
    watch = _watch(options)
    try:
        host = await _start(options, original)
    except Exception as error:
        if watch is None:
            raise
        # Half-written code is what a watching host sees all day, so any failure of the import is waited out.
        refused = isinstance(error, ConfigurationRefusedError)
        print(f"refused: {error}" if refused else traceback.format_exc(), file=sys.stderr)
        print("waiting for a change", file=sys.stderr, flush=True)
        return await _next(watch, signalled)
    _announce(host)
    chosen = await _next(watch, signalled)
    await host.stop()
    if host.invoker.busy_threads:
        _leave_threads_behind(chosen, host.invoker.busy_threads, original)
    return chosen


async def _start(options: argparse.Namespace, original: Mapping[str, str]) -> Host:
    return await start(
        options.app,
        _settings(options),
        host=options.host,
        port=options.port,
        state_dir=options.state,
        function_key=options.function_key,
        drain_s=options.drain,
        kill_on_timeout=(lambda: _new_image(original)) if options.kill_on_timeout else None,
    )


def _settings(options: argparse.Namespace) -> dict[str, str]:
    """The file, and --set above it.

    Both win over the environment (Core Tools lets the environment win over the file): what a developer's shell happens
    to export, such as SSL_CERT_FILE, must not decide where the app connects.
    """
    chosen = {} if options.settings is None else read_settings_file(options.settings)
    for assignment in options.set:
        name, equals, value = assignment.partition("=")
        if not name or not equals:
            raise HostFileError(f"--set needs NAME=VALUE, not {name!r}")
        chosen[name] = value
    return chosen


def _on_signals() -> asyncio.Future[_Next]:
    loop = asyncio.get_running_loop()
    signalled: asyncio.Future[_Next] = loop.create_future()

    def decide(number: int, chosen: _Next) -> None:
        # The same signal again takes its default effect, for a host that will not stop.
        loop.remove_signal_handler(number)
        if not signalled.done():
            signalled.set_result(chosen)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, decide, number, _Next.STOP)
    loop.add_signal_handler(signal.SIGHUP, decide, signal.SIGHUP, _Next.RELOAD)
    return signalled


def _watch(options: argparse.Namespace) -> Watch | None:
    if not options.watch:
        return None
    return Watch(options.app, [] if options.settings is None else [options.settings])


async def _next(watch: Watch | None, signalled: asyncio.Future[_Next]) -> _Next:
    if watch is None:
        return await signalled
    changed = asyncio.create_task(watch.change())
    either: set[asyncio.Future[Any]] = {changed, signalled}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    changed.cancel()
    return signalled.result() if signalled.done() else _Next.RELOAD


def _leave_threads_behind(chosen: _Next, count: int, original: Mapping[str, str]) -> NoReturn:
    """End at once: Python would wait for threads that run synchronous functions, for as long as they like."""
    _log.warning("%d synchronous calls still run in threads and are cut off", count)
    if chosen is _Next.RELOAD:
        _new_image(original)
    logging.shutdown()
    os._exit(0)


def _new_image(original: Mapping[str, str]) -> NoReturn:
    """Start over in this process id, with the environment as it was before any setting was put into it."""
    logging.shutdown()
    sys.stdout.flush()
    os.execve(sys.executable, sys.orig_argv, dict(original))  # noqa: S606 - no shell is what is wanted


def _log_to_stderr(verbose: bool) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(InvocationMark())
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s [%(function)s %(invocation)s] %(message)s")
    )
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    logging.getLogger("azure").setLevel(logging.INFO if verbose else logging.WARNING)


def _announce(host: Host) -> None:
    print("Functions:")
    for function in host.functions:
        print(f"  {function.name}: {_sight(function.trigger, host.url)}")
    print(f"Host running at {host.url}", flush=True)


def _sight(trigger: Trigger, url: str) -> str:
    if isinstance(trigger, HttpTrigger):
        return f"[{','.join(sorted(trigger.route.methods)) or 'any method'}] {url}{trigger.route.path}"
    if isinstance(trigger, QueueTrigger):
        return f"queue {trigger.queue}"
    return f"timer {trigger.expression}"
