"""Where each part of the sandbox listens: the ports of local.settings.example.json, or free ones."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass, fields
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "local.settings.example.json"


@dataclass(frozen=True)
class Addresses:
    """Ports on this machine; the defaults are those of the example settings."""

    host: int = 7071
    dataverse: int = 8443
    campaign: int = 8085
    sftp: int = 2022
    service_bus: int = 5673
    blob: int = 10000
    queue: int = 10001
    table: int = 10002


def usual_or_free() -> Addresses:
    """The usual ports if nobody uses one of them, else free ones for all."""
    usual = Addresses()
    return usual if all(_is_free(getattr(usual, field.name)) for field in fields(usual)) else free()


def free() -> Addresses:
    """Free ports, held together while they are chosen so that no two are the same."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in fields(Addresses)]
    try:
        return Addresses(*(listener.getsockname()[1] for listener in held))
    finally:
        for listener in held:
            listener.close()


def settings(addresses: Addresses, state: Path) -> dict[str, str]:
    """The example settings, for these ports and this state folder: only addresses and paths differ."""
    values: dict[str, str] = json.loads(EXAMPLE.read_text(encoding="utf-8"))["Values"]
    usual = Addresses()
    ports = {str(getattr(usual, f.name)): str(getattr(addresses, f.name)) for f in fields(usual)}
    return {name: _moved(value, ports, state) for name, value in values.items()}


def _moved(value: str, ports: dict[str, str], state: Path) -> str:
    if value.startswith(".sandbox/"):
        return str(state / value.removeprefix(".sandbox/"))
    return re.sub(r"(?<=:)(\d{4,5})\b", lambda match: ports.get(match[1], match[1]), value)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
