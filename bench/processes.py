"""Processor time of the processes below this one, as Linux accounts it in /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _SYSTEM = 1, 11, 12  # fields of /proc/PID/stat behind the command's closing bracket
HOST, STAND_INS, STORAGE = "sandbox.host", "bench.stand_ins", "azurite.js"


@dataclass(frozen=True)
class Cpu:
    """Seconds of processor time so far. `machine`: of everything that runs on it, these included."""

    host: float
    stand_ins: float
    storage: float
    machine: float

    @property
    def ours(self) -> float:
        """What the run itself used, but for the process that watches."""
        return self.host + self.stand_ins + self.storage

    def since(self, before: Cpu) -> Cpu:
        """What was used in between."""
        return Cpu(
            self.host - before.host,
            self.stand_ins - before.stand_ins,
            self.storage - before.storage,
            self.machine - before.machine,
        )


@dataclass(frozen=True)
class Processes:
    """The process ids of one run: the function app's host, the four stand-ins, and Azurite."""

    host: int
    stand_ins: int
    storage: int

    def cpu(self) -> Cpu:
        """Raises BenchError if one of them has ended."""
        return Cpu(_cpu_s(self.host), _cpu_s(self.stand_ins), _cpu_s(self.storage), _machine_s())


def find() -> Processes:
    """Look below this process. Raises BenchError where one is missing, or where there is no /proc."""
    commands = {process: _command(process) for process in _below(os.getpid())}
    return Processes(*(_one(commands, mark) for mark in (HOST, STAND_INS, STORAGE)))


def _one(commands: dict[int, str], mark: str) -> int:
    for process, command in commands.items():
        if mark in command:
            return process
    raise BenchError(f"no process {mark} below this one")


def _below(ancestor: int) -> list[int]:
    parents: dict[int, int] = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(_stat(int(folder.name))[_PARENT])
        except BenchError:
            continue  # it ended while we looked
    found = [ancestor]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found[1:]


def _cpu_s(process: int) -> float:
    fields = _stat(process)
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_PER_S


def _machine_s() -> float:
    """User, nice and system time, and interrupts; not idle and waiting time, which stand in the middle."""
    user, nice, system, _idle, _waiting, *interrupts = _read_file(_PROC / "stat").split()[1:8]
    return sum(map(int, (user, nice, system, *interrupts))) / _TICKS_PER_S


def _stat(process: int) -> list[str]:
    return _read(process, "stat").rpartition(")")[2].split()


def _command(process: int) -> str:
    return _read(process, "cmdline").replace("\0", " ")


def _read(process: int, name: str) -> str:
    return _read_file(_PROC / str(process) / name)


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None
