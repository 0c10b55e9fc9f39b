"""Engine calls: how many requests of which kind reached Campaign, per API key."""

from __future__ import annotations

from typing import Any, Literal

from sandbox.campaign.store import Database

Outcome = Literal["engine", "refused", "write to hidden", "made hidden"]
_BY_KEY = "SELECT api_key, kind, calls FROM request WHERE outcome = 'engine' ORDER BY kind, api_key"


class Counters:
    """Counts in the database. A request counts as an engine call once it is past the gateway, whatever it answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, api_key: str, kind: str, outcome: Outcome) -> None:
        """Count one request by how it went.

        `refused`: the gateway or a fault turned it away. An engine call may count once more: as a `write to hidden`,
        refused because the record cannot be reached, or as one after which its own record is hidden.
        """
        self._database.execute(
            "INSERT INTO request VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET calls = calls + 1",
            api_key,
            kind,
            outcome,
        )

    def report(self) -> dict[str, Any]:
        """Return `{"total", "kinds": {kind: n}, "keys": {api key: {kind: n}}, "refused": {kind: n},
        "hidden": {"writes": {kind: n}, "made": {kind: n}}}`; the last of all keys together.
        """
        keys: dict[str, dict[str, int]] = {}
        for api_key, kind, calls in self._database.execute(_BY_KEY):
            keys.setdefault(api_key, {})[kind] = calls
        kinds = self._by_kind("engine")
        hidden = {"writes": self._by_kind("write to hidden"), "made": self._by_kind("made hidden")}
        refused = self._by_kind("refused")
        return {"total": sum(kinds.values()), "kinds": kinds, "keys": keys, "refused": refused, "hidden": hidden}

    def _by_kind(self, outcome: Outcome) -> dict[str, int]:
        sql = "SELECT kind, SUM(calls) FROM request WHERE outcome = ? GROUP BY kind ORDER BY kind"
        return dict(self._database.execute(sql, outcome).fetchall())

    def reset(self) -> None:
        """Start again from zero."""
        self._database.execute("DELETE FROM request")
