"""What can go wrong between a function app and the host that loads it."""

from __future__ import annotations

from collections.abc import Iterable


class ConfigurationRefusedError(Exception):
    """The app, its host.json or its settings cannot be run; the text says what to change."""


class HostFileError(ConfigurationRefusedError):
    """host.json or the settings file is missing, malformed, or holds a key that Azure would ignore."""


class FunctionRefusedError(ConfigurationRefusedError):
    """One function cannot be indexed.

    Azure's worker then indexes *no* function of the app, so neither does this host.
    """

    def __init__(self, function_name: str, reason: str) -> None:
        super().__init__(f"cannot load the {function_name} function: {reason}")
        self.function_name = function_name


class SettingsMissingError(ConfigurationRefusedError):
    """Settings that the app's bindings name are absent; all of them are listed at once."""

    def __init__(self, wanted: Iterable[tuple[str, str]]) -> None:
        self.wanted = tuple(wanted)
        lines = "".join(f"\n  {setting}  ({used_by})" for setting, used_by in self.wanted)
        super().__init__(
            f"these settings are missing:{lines}\n"
            'Add them to "Values" in the settings file (--settings FILE), or pass --set NAME=VALUE.'
        )


class FunctionTimeoutError(Exception):
    """A call took longer than functionTimeout in host.json allows."""


class InvocationStoppedError(Exception):
    """A call was cancelled because the host is stopping and its drain time is over."""
