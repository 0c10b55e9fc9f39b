"""Engine calls: how many requests of which kind reached Campaign, per API key."""

from __future__ import annotations

from typing import Any, Literal

from sandbox.campaign.store import Database

Outcome = Literal["engine", "refused"]


class Counters:
    """Counts in the database. A request counts as an engine call once it is past the gateway, whatever it answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, api_key: str, kind: str, outcome: Outcome) -> None:
        """Count one request; `refused` is one that the gateway or a fault turned away."""
        self._database.execute(
            "INSERT INTO request VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET calls = calls + 1",
            api_key,
            kind,
            outcome,
        )

    def report(self) -> dict[str, Any]:
        """Return `{"total", "kinds": {kind: n}, "keys": {api key: {kind: n}}, "refused": {kind: n}}`."""
        kinds: dict[str, int] = {}
        keys: dict[str, dict[str, int]] = {}
        refused: dict[str, int] = {}
        for api_key, kind, outcome, calls in self._database.execute("SELECT * FROM request ORDER BY kind, api_key"):
            if outcome == "refused":
                refused[kind] = refused.get(kind, 0) + calls
                continue
            kinds[kind] = kinds.get(kind, 0) + calls
            keys.setdefault(api_key, {})[kind] = calls
        return {"total": sum(kinds.values()), "kinds": kinds, "keys": keys, "refused": refused}

    def reset(self) -> None:
        """Start again from zero."""
        self._database.execute("DELETE FROM request")
